"""Kinds of waits, as a run's ``waiting_for`` names them."""

from typing import Final

HUMAN: Final = "human"
TIMER: Final = "timer"
CALL: Final = "call"
PLATFORM: Final = "platform"
SLOT: Final = "slot"
"""A due run's wait for room on a worker: told when it is read, in no journal."""
CIRCUIT: Final = "circuit"
PARKED: Final = frozenset({HUMAN, TIMER, CALL})
"""Kinds of waits that a step asks for: their steps are looked at when the time comes, also while the run is paused."""
FREE: Final = PARKED | {PLATFORM}
"""Kinds of waits that a run's timeout does not pay for."""
KINDS: Final = frozenset({"rate_limit", CIRCUIT, "budget", PLATFORM})
"""Reasons of a retry that people read by their own name; every other is a ``retry``."""
