"""Last uses of keys: noted in memory by each request, written by a thread of the web process once a minute."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Case, Value, When

from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.models import ApiKey

log = logging.getLogger(__name__)

WRITE_SECONDS: Final = 60.0
BETWEEN_WRITES: Final = timedelta(seconds=WRITE_SECONDS)
"""Least time between two uses of a key that are written, whichever processes have seen them."""
AT_ONCE: Final = 500
MAX_NOTED: Final = 100_000


class KeyUses:
    """The last use of each key that a process has seen since it last wrote them. For any thread; never blocks."""

    def __init__(self) -> None:
        self._at: dict[UUID, datetime] = {}

    def note(self, api_key_id: UUID) -> None:
        """Note that a key is used now."""
        if len(self._at) < MAX_NOTED or api_key_id in self._at:
            self._at[api_key_id] = utc_now()

    def take(self) -> dict[UUID, datetime]:
        """Give what was noted, and begin anew."""
        taken, self._at = self._at, {}
        return taken


key_uses = KeyUses()


def write_uses(uses: Mapping[UUID, datetime]) -> int:
    """Write last uses, but of keys one of the last minute is written of already; return how many were written.

    Keys are locked in one order, so that processes that write at once wait for each other and no longer.
    """
    written, ids = 0, sorted(uses)
    for some in (ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE)):
        with unscoped("the uses of all tenants' keys are written together"):
            rows = ApiKey.objects.select_for_update(no_key=True).filter(id__in=some).order_by("id")
            due = {
                key_id: Value(uses[key_id])
                for key_id, last in rows.values_list("id", "last_used_at")
                if last is None or uses[key_id] - last >= BETWEEN_WRITES
            }
            if due:
                at = Case(*(When(id=key_id, then=moment) for key_id, moment in due.items()))
                written += ApiKey.objects.filter(id__in=due).update(last_used_at=at)
    return written


@contextmanager
def writing_uses() -> Iterator[None]:
    """Write the uses this process notes, each minute and at the end; the thread holds no connection meanwhile."""
    stopping = threading.Event()
    thread = threading.Thread(target=_write_until, args=(stopping,), name="key uses", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(timeout=5)


def _write_until(stopping: threading.Event) -> None:
    is_over = False
    while not is_over:
        is_over = stopping.wait(WRITE_SECONDS)
        uses = key_uses.take()
        try:
            write_uses(uses)
        except (DatabaseError, InterfaceError) as error:
            log.warning("last uses of %d keys were not written: %s", len(uses), type(error).__name__)
        except Exception:  # the thread's outermost: nobody else would tell
            log.exception("unexpected error while writing last uses of keys")
        connection.close()
