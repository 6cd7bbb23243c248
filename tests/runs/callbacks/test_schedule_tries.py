"""When a delivery is tried again, and when it is over. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.callbacks.schedule import (
    BLOCKED,
    CLEARED,
    GAPS_SECONDS,
    MAX_RETRY_AFTER_SECONDS,
    MAX_TRIES,
    DeliveryAnswer,
    next_delay,
    verdict_of,
)
from runs.models import DeliveryStatus

MIDDLE = 0.5
HOUR = 3600
Codes = st.integers(300, 599).filter(lambda code: code != 410)


def test_fifteen_tries_take_about_75_hours() -> None:
    assert MAX_TRIES == 15
    delays = [next_delay(tries, retry_after_seconds=None, jitter=MIDDLE) for tries in range(1, MAX_TRIES)]
    assert 75 * HOUR < sum(delays) < 76 * HOUR
    assert delays == sorted(delays)


@given(tries=st.integers(1, MAX_TRIES - 1), jitter=st.floats(0, 1))
def test_each_wait_is_a_tenth_around_its_gap(tries: int, jitter: float) -> None:
    delay = next_delay(tries, retry_after_seconds=None, jitter=jitter)
    assert 0.9 * GAPS_SECONDS[tries - 1] <= delay <= 1.1 * GAPS_SECONDS[tries - 1] + 1e-6


def test_what_failed_together_is_not_tried_together() -> None:
    assert next_delay(3, retry_after_seconds=None, jitter=0) < next_delay(3, retry_after_seconds=None, jitter=1)


@given(tries=st.integers(1, MAX_TRIES - 1), asked=st.floats(0, 1e9), jitter=st.floats(0, 1))
def test_a_receiver_may_ask_for_later_but_not_for_ever_nor_for_sooner(tries: int, asked: float, jitter: float) -> None:
    plain = next_delay(tries, retry_after_seconds=None, jitter=jitter)
    delay = next_delay(tries, retry_after_seconds=asked, jitter=jitter)
    assert delay == max(plain, min(asked, MAX_RETRY_AFTER_SECONDS))


@given(code=st.integers(200, 299), tries=st.integers(1, MAX_TRIES))
def test_any_2xx_is_an_arrival(code: int, tries: int) -> None:
    verdict = verdict_of(DeliveryAnswer(code), tries=tries, jitter=MIDDLE)
    assert (verdict.status, verdict.delay_seconds) == (DeliveryStatus.DELIVERED, None)


@pytest.mark.parametrize("code", [404, 409])
def test_a_receiver_that_is_not_ready_yet_is_tried_again_soon(code: int) -> None:
    waited = 0.0
    for tries in range(1, 6):
        verdict = verdict_of(DeliveryAnswer(code), tries=tries, jitter=MIDDLE)
        assert verdict.status is DeliveryStatus.PENDING
        waited += verdict.delay_seconds or 0
    assert 110 < waited < 115


def test_gone_ends_it_at_once() -> None:
    assert verdict_of(DeliveryAnswer(410), tries=1, jitter=MIDDLE).status is DeliveryStatus.REFUSED


@given(code=Codes, tries=st.integers(1, MAX_TRIES - 1))
def test_everything_else_is_tried_again(code: int, tries: int) -> None:
    verdict = verdict_of(DeliveryAnswer(code), tries=tries, jitter=MIDDLE)
    assert verdict.status is DeliveryStatus.PENDING
    assert verdict.delay_seconds is not None


@pytest.mark.parametrize(
    "answer",
    [
        DeliveryAnswer(500),
        DeliveryAnswer(302),
        DeliveryAnswer(404),
        DeliveryAnswer(error_code="CONNECTION_FAILED"),
        DeliveryAnswer(429),
    ],
)
def test_after_the_last_try_nothing_more_is_tried(answer: DeliveryAnswer) -> None:
    before = verdict_of(answer, tries=MAX_TRIES - 1, jitter=MIDDLE)
    assert before.status is DeliveryStatus.PENDING
    assert verdict_of(answer, tries=MAX_TRIES, jitter=MIDDLE).status is DeliveryStatus.EXHAUSTED


@pytest.mark.parametrize("code", [BLOCKED, CLEARED])
def test_what_the_policy_blocks_or_has_no_url_any_more_is_not_tried_again(code: str) -> None:
    blocked = verdict_of(DeliveryAnswer(error_code=code), tries=1, jitter=MIDDLE)
    assert blocked.status is DeliveryStatus.BLOCKED
    away = verdict_of(DeliveryAnswer(error_code="CONNECTION_FAILED"), tries=1, jitter=MIDDLE)
    assert away.status is DeliveryStatus.PENDING
