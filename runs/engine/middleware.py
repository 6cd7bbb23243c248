"""The chain around each attempt: what the settings list, outermost first, and the handler innermost."""

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from runs.step_api.base import Emit, Middleware, Next, StepCall, Wait
from segments.catalog import StepType


def build_middleware() -> tuple[Middleware, ...]:
    """Make the middleware of one host; a class is instantiated, so that it may keep what the host's runs share."""
    return tuple(one() if isinstance(one, type) else one for one in listed_middleware())


def listed_middleware() -> list[Any]:
    """Import what the settings list: functions and classes.

    Raises:
        ImproperlyConfigured: One is not there.
    """
    return [_imported(path) for path in settings.STEP_MIDDLEWARE]


def _imported(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"EXTRA_STEP_MIDDLEWARE names {path}, which cannot be imported.") from error


def wrap(run: Next, middleware: Sequence[Middleware], step_type: StepType) -> Next:
    """Put the chain around a handler; a middleware whose ``wants(step_type)`` says no is left out."""
    for one in reversed(middleware):
        if getattr(one, "wants", _anything)(step_type):
            run = partial(_through, one, run)
    return run


async def close_middleware(middleware: Sequence[Middleware]) -> None:
    """Close the middleware that have an ``aclose``."""
    for one in middleware:
        aclose = getattr(one, "aclose", None)
        if aclose is not None:
            await aclose()


def _anything(_step_type: StepType) -> bool:
    return True


def _through(one: Middleware, run: Next, call: StepCall) -> Awaitable[Emit | Wait]:
    return one(call, run)
