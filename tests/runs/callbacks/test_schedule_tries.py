"""When a delivery is tried again, and when it is over. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.callbacks.models import DeliveryStatus
from runs.callbacks.schedule import (
    BLOCKED,
    CLEARED,
    GAPS_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    MOST_TRIES,
    Answer,
    judge,
    next_delay,
)

MIDDLE = 0.5
HOUR = 3600
Codes = st.integers(300, 599).filter(lambda code: code not in (404, 409, 410))


def test_ten_tries_take_about_75_hours() -> None:
    assert MOST_TRIES == 10
    delays = [next_delay(tries, retry_after_seconds=None, jitter=MIDDLE) for tries in range(1, MOST_TRIES)]
    assert 75 * HOUR < sum(delays) < 76 * HOUR
    assert delays == sorted(delays)


@given(tries=st.integers(1, MOST_TRIES - 1), jitter=st.floats(0, 1))
def test_each_wait_is_a_tenth_around_its_gap(tries: int, jitter: float) -> None:
    delay = next_delay(tries, retry_after_seconds=None, jitter=jitter)
    assert 0.9 * GAPS_SECONDS[tries - 1] <= delay <= 1.1 * GAPS_SECONDS[tries - 1] + 1e-6


def test_what_failed_together_is_not_tried_together() -> None:
    assert next_delay(3, retry_after_seconds=None, jitter=0) < next_delay(3, retry_after_seconds=None, jitter=1)


@given(tries=st.integers(1, MOST_TRIES - 1), asked=st.floats(0, 1e9), jitter=st.floats(0, 1))
def test_a_receiver_may_ask_for_later_but_not_for_ever_nor_for_sooner(tries: int, asked: float, jitter: float) -> None:
    plain = next_delay(tries, retry_after_seconds=None, jitter=jitter)
    delay = next_delay(tries, retry_after_seconds=asked, jitter=jitter)
    assert delay == max(plain, min(asked, LONGEST_RETRY_AFTER_SECONDS))


@given(code=st.integers(200, 299), tries=st.integers(1, MOST_TRIES), has_missed=st.booleans())
def test_any_2xx_is_an_arrival(code: int, tries: int, has_missed: bool) -> None:
    verdict = judge(Answer(code), tries=tries, has_missed=has_missed, jitter=MIDDLE)
    assert (verdict.status, verdict.delay_seconds) == (DeliveryStatus.DELIVERED, None)


def test_the_first_404_is_forgiven_and_the_second_is_not() -> None:
    first = judge(Answer(404), tries=1, has_missed=False, jitter=MIDDLE)
    assert (first.status, first.delay_seconds, first.has_missed) == (DeliveryStatus.PENDING, 5, True)
    second = judge(Answer(404), tries=2, has_missed=first.has_missed, jitter=MIDDLE)
    assert second.status is DeliveryStatus.REFUSED


def test_a_failure_between_two_404s_does_not_bring_the_first_back() -> None:
    between = judge(Answer(500), tries=2, has_missed=True, jitter=MIDDLE)
    assert between.has_missed
    assert judge(Answer(404), tries=3, has_missed=between.has_missed, jitter=MIDDLE).status is DeliveryStatus.REFUSED


@pytest.mark.parametrize("code", [409, 410])
def test_conflict_and_gone_end_it_at_once(code: int) -> None:
    assert judge(Answer(code), tries=1, has_missed=False, jitter=MIDDLE).status is DeliveryStatus.REFUSED


@given(code=Codes, tries=st.integers(1, MOST_TRIES - 1))
def test_everything_else_is_tried_again(code: int, tries: int) -> None:
    verdict = judge(Answer(code), tries=tries, has_missed=False, jitter=MIDDLE)
    assert verdict.status is DeliveryStatus.PENDING
    assert verdict.delay_seconds is not None


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(302), Answer(404), Answer(error_code="CONNECTION_FAILED"), Answer(429)]
)
def test_after_the_last_try_nothing_more_is_tried(answer: Answer) -> None:
    before = judge(answer, tries=MOST_TRIES - 1, has_missed=False, jitter=MIDDLE)
    assert before.status is DeliveryStatus.PENDING
    assert judge(answer, tries=MOST_TRIES, has_missed=False, jitter=MIDDLE).status is DeliveryStatus.EXHAUSTED


@pytest.mark.parametrize("code", [BLOCKED, CLEARED])
def test_what_the_policy_blocks_or_has_no_url_any_more_is_not_tried_again(code: str) -> None:
    blocked = judge(Answer(error_code=code), tries=1, has_missed=False, jitter=MIDDLE)
    assert blocked.status is DeliveryStatus.BLOCKED
    away = judge(Answer(error_code="CONNECTION_FAILED"), tries=1, has_missed=False, jitter=MIDDLE)
    assert away.status is DeliveryStatus.PENDING
