"""A process tells whether it is kept waiting for processors."""

import os
import subprocess
import sys
import time

import pytest

from kernel.turns import processor_shortage
from kernel.turns.processor_shortage import ProcessorShortage, seconds_waited

BUSY = "import os, time\nends = time.monotonic() + 20\nprint(flush=True)\nwhile time.monotonic() < ends: pass"


class Clock:
    """A clock and an account of waiting that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.waited = 1000.0, 3.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(processor_shortage, "seconds_waited", lambda: self.waited)

    def go_on(self, seconds: float, *, waited: float) -> None:
        self.now += seconds
        self.waited += waited


def test_a_shortage_is_there_once_seen_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shortage = ProcessorShortage()
    clock.go_on(1, waited=0.01)
    assert not shortage.is_there()
    clock.go_on(1, waited=0.5)
    assert shortage.is_there()
    clock.go_on(4, waited=0.01)
    assert shortage.is_there()
    clock.go_on(2, waited=0.01)
    assert not shortage.is_there()


def test_a_shortage_that_is_back_at_once_counts_for_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shortage = ProcessorShortage()

    def seconds_it_counts() -> int:
        clock.go_on(1, waited=0.5)
        assert shortage.is_there()
        for second in range(1, 100):
            clock.go_on(1, waited=0.0)
            if not shortage.is_there():
                return second
        return 100

    assert [seconds_it_counts() for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    for _ in range(61):
        clock.go_on(1, waited=0.0)
        assert not shortage.is_there()
    assert seconds_it_counts() == 5, "it was away for long enough"


def test_a_measure_that_began_long_ago_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shortage = ProcessorShortage()
    clock.go_on(60, waited=50)
    assert not shortage.is_there()


def test_without_an_account_a_shortage_is_taken_for_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shortage = ProcessorShortage()
    monkeypatch.setattr(processor_shortage, "seconds_waited", lambda: None)
    clock.go_on(1, waited=0)
    assert shortage.is_there()


@pytest.mark.skipif(sys.platform != "linux", reason="the account is Linux's")
def test_a_process_beside_busy_ones_is_kept_waiting() -> None:
    processors = len(os.sched_getaffinity(0))
    before = seconds_waited()
    assert before is not None
    others = [subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) for _ in range(2 * processors)]
    try:
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline()
        shortage, ends = ProcessorShortage(), time.monotonic() + 15
        while not shortage.is_there():
            assert time.monotonic() < ends
    finally:
        for other in others:
            other.kill()
            other.communicate()
    after = seconds_waited()
    assert after is not None
    assert after > before
