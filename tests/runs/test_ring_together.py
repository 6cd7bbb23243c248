"""Rings from a thread of their own: none is lost, many share one, nobody waits."""

import threading
import time

import pytest

from runs.bus.doorbell import Ringer
from tests.support.process_ends import eventually


class Bell:
    """A bell that takes as long as the test says."""

    def __init__(self) -> None:
        self.rings = 0
        self.may_end = threading.Event()

    def ring(self) -> None:
        self.rings += 1
        assert self.may_end.wait(10)


def test_every_ask_is_followed_by_a_ring_and_many_share_one() -> None:
    bell = Bell()
    ringer = Ringer(bell.ring)
    ringer.ask()
    assert eventually(lambda: bell.rings == 1, seconds=5)
    began = time.monotonic()
    for _ in range(1_000):
        ringer.ask()
    assert time.monotonic() - began < 8, "nobody waits for the ring under way"
    assert bell.rings == 1
    bell.may_end.set()
    assert eventually(lambda: bell.rings == 2, seconds=5)
    time.sleep(0.1)
    assert bell.rings == 2
    ringer.ask()
    assert eventually(lambda: bell.rings == 3, seconds=5)


def test_no_ask_is_lost_between_threads() -> None:
    """Each asks only after its work is there; after the last ask some ring must have seen all of it."""
    there: list[int] = []
    seen = 0

    def ring() -> None:
        nonlocal seen
        seen = len(there)

    ringer = Ringer(ring)

    def work() -> None:
        for _ in range(500):
            there.append(1)
            ringer.ask()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert eventually(lambda: seen == 4_000, seconds=5)


def test_a_ring_that_fails_is_told_of_and_the_next_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    rings = 0

    def ring() -> None:
        nonlocal rings
        rings += 1
        raise ValueError("a fault nobody foresaw")

    ringer = Ringer(ring)
    ringer.ask()
    assert eventually(lambda: rings == 1, seconds=5)
    ringer.ask()
    assert eventually(lambda: rings == 2 and len(caplog.records) == 2, seconds=5)
