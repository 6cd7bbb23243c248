"""When a delivery is tried again, and when it is over. Pure."""

from dataclasses import dataclass
from typing import Final

from runs.callbacks.models import DeliveryStatus

GAPS_SECONDS: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Between the tries: ten of them in about 75 hours."""
MOST_TRIES: Final = len(GAPS_SECONDS) + 1
SPREAD: Final = 0.1
"""Each gap is up to this part longer or shorter, so that what failed together is not tried together."""
LONGEST_RETRY_AFTER_SECONDS: Final = 86_400.0
GONE: Final = frozenset((404, 409, 410))
"""Answers that say for good that nobody waits at this address."""
BLOCKED: Final = "EGRESS_BLOCKED"
CLEARED: Final = "TARGET_CLEARED"
"""The tenant has no URL any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a try came to: the receiver's status, or why there is none."""

    status_code: int | None = None
    error_code: str = ""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery; ``delay_seconds`` while it is pending."""

    status: DeliveryStatus
    delay_seconds: float | None = None
    has_missed: bool = False


def judge(answer: Answer, *, tries: int, has_missed: bool, jitter: float) -> Verdict:
    """Say what follows from a try.

    The first 404 may come from a caller that is not listening yet, so one is forgiven.

    Args:
        answer: What the try came to.
        tries: How many there were, this one included.
        has_missed: Whether a 404 was forgiven before.
        jitter: From 0 to 1.
    """
    code = answer.status_code
    if code is not None and 200 <= code < 300:
        return Verdict(DeliveryStatus.DELIVERED, has_missed=has_missed)
    if answer.error_code in (BLOCKED, CLEARED):
        return Verdict(DeliveryStatus.BLOCKED, has_missed=has_missed)
    if code in GONE and (code != 404 or has_missed):
        return Verdict(DeliveryStatus.REFUSED, has_missed=has_missed)
    if tries >= MOST_TRIES:
        return Verdict(DeliveryStatus.EXHAUSTED, has_missed=has_missed)
    delay = next_delay(tries, retry_after_seconds=answer.retry_after_seconds, jitter=jitter)
    return Verdict(DeliveryStatus.PENDING, delay, has_missed or code == 404)


def next_delay(tries: int, *, retry_after_seconds: float | None, jitter: float) -> float:
    """Return the seconds until the next try; never before the receiver wants it, within a day.

    Args:
        tries: How many there were, from 1 to 9.
        retry_after_seconds: What the receiver asked for.
        jitter: From 0 to 1.
    """
    gap = GAPS_SECONDS[tries - 1] * (1 - SPREAD + 2 * SPREAD * jitter)
    return max(gap, min(retry_after_seconds or 0.0, LONGEST_RETRY_AFTER_SECONDS))
