"""The chain around each attempt: what the settings list, outermost first, and the handler innermost."""

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from runs.steps.base import Emit, Middleware, Next, StepCall, Wait


def build_middleware() -> tuple[Middleware, ...]:
    """Make the chain's links for one host; a class is instantiated, so that it may keep what the host's runs share."""
    return tuple(_made(path) for path in settings.STEP_MIDDLEWARE)


def _made(path: str) -> Middleware:
    listed: Any = import_string(path)
    link: Middleware = listed() if isinstance(listed, type) else listed
    return link


def wrap(run: Next, middleware: Sequence[Middleware]) -> Next:
    """Put the chain around a handler."""
    for link in reversed(middleware):
        run = partial(_through, link, run)
    return run


def _through(link: Middleware, run: Next, call: StepCall) -> Awaitable[Emit | Wait]:
    return link(call, run)
