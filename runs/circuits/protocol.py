"""Requests to a circuit breaker and its replies, wherever its state is kept."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """Thresholds of a breaker: when it opens, and what it lets through.

    Attributes:
        window_seconds: How far back outcomes count.
        least_calls: Fewer outcomes are no reason to open, and fewer successes in a row no proof of health.
        failing_share: Of the window's calls; from there on it opens.
        cooldown_seconds: How long it stays open at first; twice as long after each probe that fails.
        longest_cooldown_seconds: At most.
        unproven_calls: Outcomes and calls in flight together, as long as nobody knows whether the host is well.
        proven_seconds: How long a host counts as well after a success.
        lease_seconds: How long a counted call of a worker that died takes up room.
    """

    window_seconds: float = 30.0
    least_calls: int = 10
    failing_share: float = 0.5
    cooldown_seconds: float = 30.0
    longest_cooldown_seconds: float = 300.0
    unproven_calls: int = 16
    proven_seconds: float = 300.0
    lease_seconds: float = 15.0

    @property
    def bucket_ms(self) -> int:
        """The window's grain."""
        return max(1, round(self.window_seconds * 100))

    def cooldown_ms(self, trips: int) -> int:
        """Return how long the breaker stays open the ``trips``-th time in a row."""
        longest = max(self.cooldown_seconds, self.longest_cooldown_seconds)
        return round(1000 * min(self.cooldown_seconds * 2.0 ** min(trips - 1, 32), longest))


class CallOutcome(StrEnum):
    """Outcome of a call for its host; a cancelled call says nothing about it."""

    SUCCEEDED = "s"
    FAILED = "f"
    NONE = "n"


class BreakerVerdict(StrEnum):
    """Verdicts on the calls that want to begin."""

    FREE = "free"
    COUNTED = "counted"
    PROBE = "probe"
    PROBED = "probed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BreakerRequest:
    """Outcomes that one worker reports to a breaker, and the calls it asks to begin.

    Attributes:
        succeeded: Calls that were let through freely and succeeded.
        failed: Those that failed.
        settled: Counted calls and probes that ended, by their id; ids nobody knows any more are ignored.
        alive: Ids of those that go on.
        wanted: How many calls want to begin.
        ids: Names for them, as far as they may be counted.
        why: How the last call failed, if any has since.
    """

    succeeded: int = 0
    failed: int = 0
    settled: tuple[tuple[str, CallOutcome], ...] = ()
    alive: tuple[str, ...] = ()
    wanted: int = 0
    ids: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class BreakerReply:
    """Reply of a breaker.

    Attributes:
        verdict: FREE: all may begin. COUNTED: the first ``granted`` under their ids. PROBE: the first, as the probe.
            PROBED: none, somebody else probes. OPEN: none.
        granted: How many may begin.
        wait_ms: Until a breaker that is open lets a probe through.
        opened: Whether this request opened it.
        failed: With COUNTED, how many of the window's calls failed.
        why: How the last call failed, where the breaker has opened.
    """

    verdict: BreakerVerdict
    granted: int = 0
    wait_ms: int = 0
    opened: bool = False
    failed: int = 0
    why: str = ""
