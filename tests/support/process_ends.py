"""Waits for facts about processes."""

import time
from collections.abc import Callable

from devserver.processes import command_line

LEAST_PAUSE_SECONDS = 0.02
MOST_PAUSE_SECONDS = 0.1
PAUSE_SHARE = 0.15
"""Of the time waited: so much longer may a wait take."""


def is_gone(pid: int) -> bool:
    """A zombie counts as gone: nobody may have collected it yet, but it runs no more."""
    return not command_line(pid)


def eventually(fact: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until a fact holds; False when time is up.

    A look takes a processor from what is waited for: the longer that takes already, the fewer there are.
    """
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds:
        if fact():
            return True
        time.sleep(min(max(LEAST_PAUSE_SECONDS, waited * PAUSE_SHARE), MOST_PAUSE_SECONDS))
    return fact()
