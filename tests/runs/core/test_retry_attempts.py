"""When another attempt is made, and after how long."""

import pytest

from runs.core import next_retry
from segments.plan import RetryPolicy

POLICY = RetryPolicy(max_attempts=4, initial_seconds=1, factor=2, max_seconds=3)


def delay(
    consumed: int, *, retryable: bool = True, retry_after: float | None = None, jitter: float = 1.0
) -> float | None:
    return next_retry(POLICY, consumed=consumed, retryable=retryable, retry_after=retry_after, jitter=jitter)


def test_waits_grow_by_the_factor_up_to_the_most() -> None:
    assert [delay(consumed) for consumed in (1, 2, 3)] == [1, 2, 3]
    steep = RetryPolicy(max_attempts=9, initial_seconds=2, factor=3, max_seconds=50)
    waits = [next_retry(steep, consumed=n, retryable=True, retry_after=None, jitter=1) for n in (1, 2, 3, 4)]
    assert waits == [2, 6, 18, 50]


def test_full_jitter_spreads_from_nothing_to_the_whole_wait() -> None:
    assert (delay(2, jitter=0), delay(2, jitter=0.5)) == (0, 1)


def test_attempts_end_at_the_policys_count() -> None:
    assert delay(3) is not None
    assert delay(4) is None


def test_what_cannot_pass_is_not_tried_again() -> None:
    assert delay(1, retryable=False) is None


@pytest.mark.parametrize(("asked", "given"), [(7, 7), (0, 0), (-3, 0), (100_000, 3600)])
def test_the_other_side_decides_the_wait_up_to_an_hour(asked: float, given: float) -> None:
    assert delay(1, retry_after=asked) == given


def test_a_huge_count_of_attempts_does_not_overflow() -> None:
    patient = RetryPolicy(max_attempts=10**6, initial_seconds=1, factor=10, max_seconds=60)
    assert next_retry(patient, consumed=99_999, retryable=True, retry_after=None, jitter=1) == 60
