"""The chain around each attempt: what the settings list, outermost first, and the handler innermost."""

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from runs.step_api.base import Emit, Middleware, Next, StepCall, Wait
from segments.catalog import StepType


def build_middleware() -> tuple[Middleware, ...]:
    """Make the chain's links for one host; a class is instantiated, so that it may keep what the host's runs share."""
    return tuple(_made(path) for path in settings.STEP_MIDDLEWARE)


def _made(path: str) -> Middleware:
    listed: Any = import_string(path)
    link: Middleware = listed() if isinstance(listed, type) else listed
    return link


def wrap(run: Next, middleware: Sequence[Middleware], step_type: StepType) -> Next:
    """Put the chain around a handler; a link whose ``wants(step_type)`` says no is left out."""
    for link in reversed(middleware):
        if getattr(link, "wants", _anything)(step_type):
            run = partial(_through, link, run)
    return run


async def close_middleware(middleware: Sequence[Middleware]) -> None:
    """Let go of what links hold; those with an ``aclose`` have something."""
    for link in middleware:
        aclose = getattr(link, "aclose", None)
        if aclose is not None:
            await aclose()


def _anything(_step_type: StepType) -> bool:
    return True


def _through(link: Middleware, run: Next, call: StepCall) -> Awaitable[Emit | Wait]:
    return link(call, run)
