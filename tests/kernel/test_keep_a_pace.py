"""Long computations rest in between, as their pace says."""

import time

import pytest

from kernel.turns.work_pace import WorkPace, pause


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def compute(seconds: float) -> float:
    began = time.thread_time()
    while time.thread_time() < began + seconds:
        pass
    return time.thread_time() - began


def test_a_computation_rests_as_long_as_its_share_asks_for(rests: list[float]) -> None:
    with WorkPace(share=0.001, burst_seconds=0.0, is_short=lambda: True).kept():
        computed = compute(0.05)
        pause()
    assert len(rests) == 1
    assert computed / 0.001 * 0.9 < rests[0] < computed / 0.001 * 1.5


def test_a_burst_is_free_and_the_next_computation_finds_it_used(rests: list[float]) -> None:
    pace = WorkPace(share=0.001, burst_seconds=0.05, is_short=lambda: True)
    with pace.kept():
        compute(0.03)
        pause()
    assert not rests
    with pace.kept():
        compute(0.04)
        pause()
    assert len(rests) == 1


def test_what_has_no_pace_to_keep_never_rests(rests: list[float]) -> None:
    with WorkPace(share=0.001, burst_seconds=0.0, is_short=lambda: True).kept():
        pass
    compute(0.05)
    pause()
    assert not rests


def test_nobody_rests_while_processors_are_to_be_had_and_nothing_is_made_up_for_later(rests: list[float]) -> None:
    is_short = False
    pace = WorkPace(share=0.001, burst_seconds=0.01, is_short=lambda: is_short)
    with pace.kept():
        compute(0.05)
        pause()
        assert not rests
        is_short = True
        computed = compute(0.01)
        pause()
    assert computed / 0.001 * 0.9 < rests[0] < computed / 0.001 * 1.5
