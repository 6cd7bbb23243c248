"""Fields of every log line beside its message: the request, tenant and run it belongs to."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

LOG_FIELDS: Final[ContextVar[Mapping[str, str]]] = ContextVar("log_fields", default={})  # noqa: B039 - never changed
"""Follows the work into tasks and threads."""


def note(**fields: str) -> None:
    """Have the lines of the present task or request name something more, until its end."""
    LOG_FIELDS.set({**LOG_FIELDS.get(), **fields})
