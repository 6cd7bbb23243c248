"""Retry schedule of deliveries: the time of the next try, and the end of trying. Pure."""

from dataclasses import dataclass
from typing import Final

from runs.models import DeliveryStatus

GAPS_SECONDS: Final = (2, 5, 15, 30, 60, 120, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Between the tries: fifteen of them in about 75 hours.

The first come soon: an n8n workflow that is still running answers 409, one that is about to wait 404, for up to half a
minute.
"""
MAX_TRIES: Final = len(GAPS_SECONDS) + 1
SPREAD: Final = 0.1
"""Each gap is up to this part longer or shorter, so that what failed together is not tried together."""
MAX_RETRY_AFTER_SECONDS: Final = 86_400.0
GONE: Final = 410
"""The answer that says for good that nobody waits at this address."""
BLOCKED: Final = "EGRESS_BLOCKED"
CLEARED: Final = "TARGET_CLEARED"
"""The tenant has no URL any more."""
ENDPOINT_DISABLED: Final = "ENDPOINT_DISABLED"
"""The webhook endpoint is disabled or deleted."""


@dataclass(frozen=True, slots=True)
class DeliveryAnswer:
    """Result of a try: the receiver's status, or the reason why there is none."""

    status_code: int | None = None
    error_code: str = ""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DeliveryVerdict:
    """Next state of a delivery; ``delay_seconds`` while it is pending."""

    status: DeliveryStatus
    delay_seconds: float | None = None


def verdict_of(answer: DeliveryAnswer, *, tries: int, jitter: float) -> DeliveryVerdict:
    """Say what follows from a try.

    Args:
        answer: What the try came to.
        tries: How many there were, this one included.
        jitter: From 0 to 1.
    """
    code = answer.status_code
    if code is not None and 200 <= code < 300:
        return DeliveryVerdict(DeliveryStatus.DELIVERED)
    if answer.error_code in (BLOCKED, CLEARED, ENDPOINT_DISABLED):
        return DeliveryVerdict(DeliveryStatus.BLOCKED)
    if code == GONE:
        return DeliveryVerdict(DeliveryStatus.REFUSED)
    if tries >= MAX_TRIES:
        return DeliveryVerdict(DeliveryStatus.EXHAUSTED)
    delay = next_delay(tries, retry_after_seconds=answer.retry_after_seconds, jitter=jitter)
    return DeliveryVerdict(DeliveryStatus.PENDING, delay)


def next_delay(tries: int, *, retry_after_seconds: float | None, jitter: float) -> float:
    """Return the seconds until the next try; never before the receiver wants it, within a day.

    Args:
        tries: How many there were, from 1 to 14.
        retry_after_seconds: What the receiver asked for.
        jitter: From 0 to 1.
    """
    gap = GAPS_SECONDS[tries - 1] * (1 - SPREAD + 2 * SPREAD * jitter)
    return max(gap, min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS))
