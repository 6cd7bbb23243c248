"""A queue that takes tenants in turn, with a bound on the work each has waiting."""

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from kernel.compute.errors import ComputeBusy, ComputeLimit
from kernel.compute.frames import MAX_BYTES

MAX_WAITING_BYTES: Final = 64 << 20
"""Most bytes of the payloads of one tenant's waiting jobs together."""
MAX_BYTES_OF_ALL: Final = 256 << 20
"""The same of all tenants."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One call: for whom, which function, with what, and who waits for the answer."""

    tenant: Hashable
    function: str
    payload: bytes
    answer: "Future[bytes]" = field(default_factory=Future)


class FairQueue:
    """Jobs that wait, and how many of each tenant run. Not thread-safe: the pool holds a lock.

    Args:
        most_running: How many jobs of one tenant run at a time.
        most_waiting: How many jobs of one tenant wait.
    """

    def __init__(self, *, most_running: int, most_waiting: int) -> None:
        self._most_running = most_running
        self._most_waiting = most_waiting
        self._waiting: OrderedDict[Hashable, deque[Job]] = OrderedDict()
        self._bytes: Counter[Hashable] = Counter()
        self._bytes_of_all = 0
        self._running: Counter[Hashable] = Counter()

    def add(self, job: Job) -> None:
        """Have a job wait for its tenant's turn.

        Raises:
            ComputeLimit: Its payload is too large for any process.
            ComputeBusy: The tenant, or all together, have too much waiting.
        """
        size = len(job.payload)
        if size > MAX_BYTES:
            raise ComputeLimit(f"The work has {size} bytes of data; a process is given at most {MAX_BYTES}.")
        if len(self._waiting.get(job.tenant, ())) >= self._most_waiting:
            self._forget_cancelled(job.tenant)
        if len(self._waiting.get(job.tenant, ())) >= self._most_waiting:
            raise ComputeBusy(f"{self._most_waiting} pieces of this tenant's work are waiting already.")
        if self._bytes[job.tenant] + size > MAX_WAITING_BYTES or self._bytes_of_all + size > MAX_BYTES_OF_ALL:
            raise ComputeBusy("The work that is waiting has too much data already.")
        self._waiting.setdefault(job.tenant, deque()).append(job)
        self._count(job, size)

    def take(self) -> Job | None:
        """Take the next job of the tenant whose turn it is and which may run another; count it as running."""
        for tenant, jobs in list(self._waiting.items()):
            if self._running[tenant] < self._most_running:
                job = jobs.popleft()
                self._count(job, -len(job.payload))
                if jobs:
                    self._waiting.move_to_end(tenant)
                else:
                    del self._waiting[tenant]
                self._running[tenant] += 1
                return job
        return None

    def done(self, job: Job) -> None:
        """Say that a job that was taken runs no more."""
        self._running[job.tenant] -= 1
        if not self._running[job.tenant]:
            del self._running[job.tenant]

    def drain(self) -> list[Job]:
        """Take all that wait; none of them runs."""
        jobs = [job for waiting in self._waiting.values() for job in waiting]
        self._waiting.clear()
        self._bytes.clear()
        self._bytes_of_all = 0
        return jobs

    @property
    def waiting(self) -> int:
        """Number of jobs that wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def running(self) -> int:
        """Number of jobs that run."""
        return self._running.total()

    def _forget_cancelled(self, tenant: Hashable) -> None:
        """Drop the jobs of a tenant that nobody waits for any more."""
        kept = deque[Job]()
        for job in self._waiting.pop(tenant):
            if job.answer.cancelled():
                self._count(job, -len(job.payload))
            else:
                kept.append(job)
        if kept:
            self._waiting[tenant] = kept

    def _count(self, job: Job, size: int) -> None:
        self._bytes_of_all += size
        self._bytes[job.tenant] += size
        if not self._bytes[job.tenant]:
            del self._bytes[job.tenant]
