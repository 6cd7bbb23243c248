"""Waiting for a run's end without holding a thread or a connection.

A view says how long its caller would wait, and is done; ``waits`` then watches on the event loop. All watchers of a
process share one short query a tick.
"""

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections
from django.http import HttpRequest, HttpResponseBase
from rest_framework.response import Response

from runs.models import OVER, Run, RunStatus
from runs.selectors import get_run, statuses

SHORTEST_TICK: Final = 0.1
LONGEST_TICK: Final = 0.5
RESTS: Final = {RunStatus.WAITING, RunStatus.PAUSED, RunStatus.STALLED, *OVER}
"""Where a run may stay for days: whoever waits is answered at once."""

View = Callable[..., HttpResponseBase]
AsyncView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


class RunResponse(Response):
    """An answer about a run whose caller may rather wait for the run's end.

    Attributes:
        run: The run as it was read last.
        wait_seconds: How long the caller would wait; 0 for an answer that stands.
    """

    def __init__(self, run: Run, show: Callable[[Run], Any], *, wait_seconds: float = 0, location: str = "") -> None:
        super().__init__()
        self.run = run
        self.wait_seconds = wait_seconds
        self._show = show
        self._location = location
        self.tell(run)

    def tell(self, run: Run) -> None:
        """Answer with this state of the run: 200 when it is over, else 202 and where to look again."""
        self.run = run
        self.data = self._show(run)
        self.status_code = 200 if run.is_over else 202
        if self._location:
            self["Location"] = self._location
        if run.is_over:
            self.headers.pop("Retry-After", None)
        else:
            self["Retry-After"] = "1"

    def read_again(self) -> None:
        """Read the run once more. Should the database be away now, what was read before still stands."""
        with contextlib.suppress(OperationalError, InterfaceError):
            self.tell(get_run(tenant=self.run.tenant, run_id=self.run.id))


def waits(view: View) -> AsyncView:
    """Make a view of an answer about a run async: it is called once, then the run is watched, then it is read again."""

    @functools.wraps(view)
    async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = await sync_to_async(view)(request, *args, **kwargs)
        if isinstance(response, RunResponse) and response.wait_seconds > 0 and response.run.status not in RESTS:
            await _release_thread()
            await _watchers().until_rest(response.run.id, response.wait_seconds)
            await sync_to_async(response.read_again)()
        return response

    return answer


class Watchers:
    """All who wait in one event loop. One task asks for all of them, as long as there is anybody."""

    def __init__(self) -> None:
        self._waiting: Counter[UUID] = Counter()
        self._rested: dict[UUID, asyncio.Event] = {}
        self._task: asyncio.Task[None] | None = None
        self._tick = SHORTEST_TICK

    async def until_rest(self, run_id: UUID, seconds: float) -> None:
        """Return when the run is over or waits itself, at the latest after ``seconds``."""
        rested = self._rested.setdefault(run_id, asyncio.Event())
        self._waiting[run_id] += 1
        self._tick = SHORTEST_TICK
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(seconds):
                await rested.wait()
        except TimeoutError:
            pass
        finally:
            self._leave(run_id)

    def _leave(self, run_id: UUID) -> None:
        self._waiting[run_id] -= 1
        if self._waiting[run_id] <= 0:
            del self._waiting[run_id]
            self._rested.pop(run_id, None)

    async def _watch(self) -> None:
        while self._waiting:
            known = await sync_to_async(_read_statuses, thread_sensitive=False)(list(self._waiting))
            for run_id, status in known.items():
                if status in RESTS and run_id in self._rested:
                    self._rested[run_id].set()
            await asyncio.sleep(self._tick)
            self._tick = min(LONGEST_TICK, self._tick * 1.2)


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Watchers] = WeakKeyDictionary()


def _watchers() -> Watchers:
    return _by_loop.setdefault(asyncio.get_running_loop(), Watchers())


def _read_statuses(run_ids: list[UUID]) -> dict[UUID, RunStatus]:
    """Ask in a thread of the loop's pool, and leave no connection there. A database that is away has no news."""
    try:
        return statuses(run_ids)
    except (OperationalError, InterfaceError):
        return {}
    finally:
        close_old_connections()


async def _release_thread() -> None:
    """Give back the thread that served the request so far, and its connection; the next sync call gets a new one."""
    await sync_to_async(close_old_connections)()
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.pop(context, None) if context is not None else None
    if executor is not None:
        executor.shutdown(wait=False)
