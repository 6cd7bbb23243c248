"""Settings of the interpreter of our processes."""

import sys
from typing import Final

SWITCH_SECONDS: Final = 0.001
"""Time a thread computes before another has its turn. With Python's 5 ms an event loop, which waits for one at
every piece of every answer, takes a good part of a second for one while other threads of its process compute."""


def take_short_turns() -> None:
    """Have the threads of this process take short turns; for programs, not for what others embed."""
    sys.setswitchinterval(SWITCH_SECONDS)
