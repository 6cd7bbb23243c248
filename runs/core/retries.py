"""Retry delays: exponential backoff with jitter."""

from segments.plan import RetryPolicy

MAX_RETRY_AFTER_SECONDS = 3600.0


def next_retry(
    policy: RetryPolicy, *, consumed: int, retryable: bool, retry_after: float | None, jitter: float
) -> float | None:
    """Return the seconds to wait before the next attempt, or None when there is none.

    Exponential with full jitter; what the other side asked for is honoured up to an hour.

    Args:
        policy: The step's policy.
        consumed: Attempts made that count, the failed one included.
        retryable: Whether the failure is of a kind that may pass.
        retry_after: Seconds the other side asked for.
        jitter: From 0 up to 1.
    """
    if not retryable or consumed >= policy.max_attempts:
        return None
    if retry_after is not None:
        return min(max(retry_after, 0.0), MAX_RETRY_AFTER_SECONDS)
    ceiling = min(policy.initial_seconds * policy.factor ** min(consumed - 1, 64), policy.max_seconds)
    return ceiling * jitter
