"""Waits for facts about processes."""

import time
from collections.abc import Callable

from devserver.processes import command_line


def is_gone(pid: int) -> bool:
    """A zombie counts as gone: nobody may have collected it yet, but it runs no more."""
    return not command_line(pid)


def eventually(fact: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until a fact holds; False when time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.02)
    return fact()
