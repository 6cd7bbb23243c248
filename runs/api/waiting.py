"""Long polling for a run's end, without holding a thread or a database connection.

A view says how long its caller would wait, and is done; ``waits`` then waits on the event loop for the process's hub to
say that the run has come to rest, and reads it again.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final, TypeGuard

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase
from rest_framework.response import Response

from kernel.errors import PROBLEM
from runs.answer_options import AnswerOptions, OnFailure, Until
from runs.events.hub import current_hub
from runs.failures import failed_run_problem
from runs.models import OVER, Run, RunStatus
from runs.selectors import get_run
from tenants.types import Caller

RESTS: Final = {RunStatus.PAUSED, RunStatus.STALLED, *OVER}
"""Statuses out of which only a person leads, or nothing: whoever waits is answered at once. Retries and timers pass."""
FOR_OTHERS: Final = {"human", "call"}
"""Kinds of waits that end when somebody outside does something."""

View = Callable[..., HttpResponseBase]
AsyncView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


class RunResponse(Response):
    """An answer about a run whose caller may rather wait for the run's end.

    Attributes:
        run: The run as it was read last.
        options: How the caller would be answered.
        caller: Who waits.
    """

    def __init__(
        self,
        run: Run,
        show: Callable[[Run], Any],
        *,
        caller: Caller,
        options: AnswerOptions | None = None,
        location: str = "",
        is_read: bool = False,
    ) -> None:
        """Take the answer as it stands now.

        Args:
            run: The run.
            show: Writes a body.
            caller: Who asks.
            options: What the caller asks for.
            location: Where the run can be read.
            is_read: The run was asked for and here it is: a 200, whether it is over or not.
        """
        super().__init__()
        self.run = run
        self.caller = caller
        self.options = options or AnswerOptions()
        self._show = show
        self._location = location
        self._is_read = is_read
        self.show_run(run)

    @property
    def is_at_rest(self) -> bool:
        """Whether the run is where the caller waits for."""
        if self.run.status in RESTS:
            return True
        waits_for = {wait["kind"] for wait in self.run.waiting_for}
        return (
            self.options.until == Until.PARKED and self.run.status == RunStatus.WAITING and bool(waits_for & FOR_OTHERS)
        )

    def show_run(self, run: Run) -> None:
        """Answer with this state of the run: 200 when it is over, else 202 and where to look again."""
        self.run = run
        self.data = self._show(run)
        self.status_code = 200 if run.is_over or self._is_read else 202
        if self.options.on_failure == OnFailure.ERROR and run.is_over and run.status != RunStatus.COMPLETED:
            self.data = failed_run_problem(run, self.data)
            self.status_code = self.data["status"]
            self.content_type = PROBLEM
        if self._location:
            self["Location"] = self._location
        if self.status_code == HTTPStatus.ACCEPTED:
            self["Retry-After"] = "1"
        else:
            self.headers.pop("Retry-After", None)

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
            await _wait_for_rest(response)
        return response

    return answer


def _is_to_wait(response: HttpResponseBase) -> TypeGuard[RunResponse]:
    return isinstance(response, RunResponse) and response.options.wait_seconds > 0 and not response.is_at_rest


def _render(response: HttpResponseBase) -> None:
    """Write the body in the thread the view runs in; Django would change into one once more to do so."""
    if isinstance(response, Response):
        response.render()
        response.render = None  # type: ignore[method-assign, assignment]  # Django asks whether it can be called


async def _wait_for_rest(response: RunResponse) -> None:
    """Return when the run is where its caller waits for, when their time is over, or when this process stops.

    What the hub tells may be of a moment before the caller's last command, so the run is read before it is answered.
    Whose key, membership or tenant ends meanwhile is answered with what was read when they were let in.
    """
    hub = current_hub()
    read_again = sync_to_async(response.read_again)
    with (
        hub.watching(("run", response.run.id), ask_at_once=True) as watch,
        hub.guarding(response.caller, ended=watch.changed) as allowed,
        contextlib.suppress(TimeoutError),
    ):
        async with asyncio.timeout(response.options.wait_seconds):
            while not hub.is_closing and allowed.is_valid:
                await watch.changed.wait()
                watch.changed.clear()
                if allowed.is_valid and (watch.status in RESTS or watch.status == RunStatus.WAITING):
                    await read_again()
                    if response.is_at_rest:
                        return
    if allowed.is_valid:
        await read_again()
