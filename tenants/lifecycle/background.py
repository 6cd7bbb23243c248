"""Long work of a worker's tasks: jobs that are asked for and done in turn, one at a time in a process.

So a thread of the process is left for everything else.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from django.db.models import Q, QuerySet

from foundation.scope import unscoped
from kernel.clock import utc_now

MAX_TRIES: Final = 3
STALE: Final = timedelta(minutes=2)
"""Time without a sign of life after which whoever does a job counts as gone."""
QUEUED: Final = "queued"
RUNNING: Final = "running"
FAILED: Final = "failed"
_LOCK: Final = threading.Lock()


class BackgroundJob(Protocol):
    """Protocol of a job's row. Whoever does it moves ``beat_at``; of one that stands still another begins anew."""

    status: str
    tries: int
    beat_at: datetime | None
    ended_at: datetime | None
    error: str

    def save(self) -> None:
        """Write the row."""


Job = TypeVar("Job", bound=BackgroundJob)


@contextmanager
def one_at_a_time() -> Iterator[bool]:
    """Tell whether this process may do long work now. Where not, the scheduler's next message finds what is left."""
    is_free = _LOCK.acquire(blocking=False)
    try:
        yield is_free
    finally:
        if is_free:
            _LOCK.release()


def claim_job(jobs: Callable[[], "QuerySet[Any]"], begin: Callable[[Job], None]) -> Job | None:
    """Take the oldest job that nobody does, of all tenants; one that was begun too often has failed.

    Args:
        jobs: Gives those that may be done.
        begin: Drops what an earlier try has left, in the transaction of the claim; also of one that has failed now.
    """
    while True:
        with unscoped("jobs of all tenants are done in turn"):
            is_free = Q(status=QUEUED) | Q(status=RUNNING, beat_at__lt=utc_now() - STALE)
            waiting = jobs().select_for_update(skip_locked=True, of=("self",)).filter(is_free)
            job: Job | None = waiting.order_by("created_at").first()
            if job is None:
                return None
            job.tries, job.beat_at, job.status = job.tries + 1, utc_now(), RUNNING
            if job.tries > MAX_TRIES:
                job.status, job.ended_at = FAILED, utc_now()
                job.error = f"It was begun {MAX_TRIES} times, and its worker was lost each time."
            begin(job)
            job.save()
        if job.status == RUNNING:
            return job
