"""Waiting for a run's end without holding a thread or a connection.

A view says how long its caller would wait, and is done; ``waits`` then waits on the event loop for the process's hub to
say that the run has come to rest, and reads it again.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeGuard
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase
from rest_framework.response import Response

from runs.events.hub import the_hub
from runs.models import OVER, Run, RunStatus
from runs.selectors import get_run

RESTS: Final = {RunStatus.PAUSED, RunStatus.STALLED, *OVER}
"""Where only a person or nobody moves a run on: whoever waits is answered at once. Retries and timers pass."""

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
        self.show_run(run)

    def show_run(self, run: Run) -> None:
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
            self.show_run(get_run(tenant=self.run.tenant, run_id=self.run.id))


def waits(view: View) -> AsyncView:
    """Make a view of an answer about a run async: it is called once, then the run is watched, then it is read again."""

    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if not _is_to_wait(response):
            _render(response)
        return response

    @functools.wraps(view)
    async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = await sync_to_async(call)(request, *args, **kwargs)
        if _is_to_wait(response):
            await _until_rest(response.run.id, response.wait_seconds)
            await sync_to_async(response.read_again)()
        return response

    return answer


def _is_to_wait(response: HttpResponseBase) -> TypeGuard[RunResponse]:
    return isinstance(response, RunResponse) and response.wait_seconds > 0 and response.run.status not in RESTS


def _render(response: HttpResponseBase) -> None:
    """Write the body in the thread the view runs in; Django would change into one once more to do so."""
    if isinstance(response, Response):
        response.render()
        response.render = None  # type: ignore[method-assign, assignment]  # Django asks whether it can be called


async def _until_rest(run_id: UUID, seconds: float) -> None:
    """Return when the run is over or waits itself, at the latest after ``seconds``, or when this process stops."""
    hub = the_hub()
    with hub.watching(("run", run_id), ask_at_once=True) as watch, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while watch.status not in RESTS and not hub.is_closing:
                await watch.changed.wait()
                watch.changed.clear()
