"""Schedule of a task: its next look, and the effect of its deadline. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

TIMEOUT_PORT: Final = "timeout"
ESCALATE: Final = "escalate"
FAIL: Final = "fail"


@dataclass(frozen=True, slots=True)
class Escalate:
    """The next entry of the chain is asked."""

    ref: str
    level: int


@dataclass(frozen=True, slots=True)
class Expire:
    """The task ends without an answer: by a port, or with an error where there is none."""

    port: str | None


def at_deadline(*, level: int, chain: Sequence[str], on_timeout: str, connected: Sequence[str]) -> Escalate | Expire:
    """Say what a deadline brings: the chain from its first entry, then what the step says of the end.

    Args:
        level: How many entries were asked already.
        chain: Who is asked one after the other.
        on_timeout: ``escalate`` or empty: by the port ``timeout`` where an edge takes it, else an error; ``fail``: an
            error; else the port.
        connected: The ports that have an edge.
    """
    if level < len(chain):
        return Escalate(chain[level], level + 1)
    if on_timeout == FAIL:
        return Expire(None)
    if on_timeout in {"", ESCALATE}:
        return Expire(TIMEOUT_PORT if TIMEOUT_PORT in connected else None)
    return Expire(on_timeout)


def first_reminder(now: datetime, due_at: datetime, every_hours: float | None) -> datetime | None:
    """Say when those who are asked are reminded first; never at the deadline or behind it."""
    if every_hours is None:
        return None
    at = now + timedelta(hours=every_hours)
    return at if at < due_at else None


def next_look_at(due_at: datetime, remind_at: datetime | None) -> datetime:
    """Say when a task is to be looked at."""
    return due_at if remind_at is None else min(due_at, remind_at)
