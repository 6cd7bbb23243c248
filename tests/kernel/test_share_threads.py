"""Threads shared by owners: none holds them all, each has its turn."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from kernel.turns import fair_threads, processor_times, rests
from kernel.turns.fair_threads import FairThreads
from tests.support.process_ends import eventually


class Busy:
    """Functions that hold their thread until they are let go, and are counted."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.order: list[str] = []
        self.release = threading.Event()
        self._lock = threading.Lock()

    def hold(self, owner: str) -> None:
        with self._lock:
            self.running[owner] += 1
            self.order.append(owner)
        self.release.wait(30)

    def settled(self, **expected: int) -> bool:
        return eventually(lambda: dict(self.running) == expected, seconds=5)


@contextmanager
def threads(number: int, **more: Any) -> Iterator[tuple[FairThreads, Busy]]:
    busy = Busy()
    try:
        yield FairThreads(number, name="test", **more), busy
    finally:
        busy.release.set()


@pytest.mark.parametrize(("number", "held"), [(8, 5), (16, 10)])
def test_one_owner_never_holds_all_threads_and_the_next_finds_one_at_once(number: int, held: int) -> None:
    with threads(number) as (fair, busy):
        for _ in range(100):
            fair.submit_for("acme", lambda: busy.hold("acme"))
        assert busy.settled(acme=held)
        assert fair.waiting == 100 - held
        assert fair.submit_for("globex", lambda: "done").result(5) == "done"
        assert fair.waiting == 100 - held, "nobody had to end for it"


def test_two_owners_together_never_hold_all_threads_either() -> None:
    with threads(8) as (fair, busy):
        for owner in ("acme", "globex"):
            for _ in range(20):
                fair.submit_for(owner, partial(busy.hold, owner))
        assert busy.settled(acme=5, globex=2)
        assert fair.submit_for("initech", lambda: "done").result(5) == "done"


def test_an_owner_is_lent_more_threads_while_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with threads(8, beside_others=2) as (fair, busy):
        for _ in range(20):
            fair.submit_for("acme", partial(busy.hold, "acme"))
        fair.submit_for(None, lambda: None).result(5)
        assert busy.settled(acme=5)
    with threads(8, beside_others=2) as (fair, busy):
        fair.submit_for("globex", lambda: None).result(5)
        for _ in range(20):
            fair.submit_for("acme", partial(busy.hold, "acme"))
        assert busy.settled(acme=2)
        monkeypatch.setattr(processor_times, "LATELY_SECONDS", 1e-6)
        fair.submit_for("acme", partial(busy.hold, "acme"))
        assert busy.settled(acme=5), "the others have had no work for long"


def compute(seconds: float) -> None:
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def test_who_computes_much_rests_while_another_computes_less() -> None:
    with threads(8, share=0.02) as (fair, _):
        fair.submit_for("acme", partial(compute, 0.2)).result(10)
        assert fair.submit_for("acme", lambda: "done").result(1) == "done", "alone it need not rest"
        fair.submit_for("globex", lambda: None).result(5)
        fair.submit_for("acme", partial(compute, 0.2)).result(10)
        rested = fair.submit_for("acme", lambda: "rested")
        for _ in range(100):
            assert fair.submit_for("globex", lambda: "done").result(5) == "done"
        assert not rested.done()
        assert fair.waiting == 1
        assert rested.result(10) == "rested", "it goes on by itself when its rest is over"


def test_a_rest_that_ends_between_two_looks_at_the_clock_ends_for_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = itertools.count(1_000.0, 0.8)
    clock = SimpleNamespace(monotonic=lambda: next(readings), thread_time=time.thread_time)
    with threads(8, share=0.02) as (fair, _):
        for module in (fair_threads, rests):
            monkeypatch.setattr(module, "time", clock)
        fair.submit_for("globex", lambda: None).result(5)
        for _ in range(3):
            assert fair.submit_for("acme", partial(compute, 0.2)).result(5) is None
        assert next(readings) > 1_003, "the clock was read"


def test_nobody_rests_while_processors_are_to_be_had() -> None:
    with threads(8, share=0.02, is_short=lambda: False) as (fair, _):
        fair.submit_for("globex", lambda: None).result(5)
        for _ in range(3):
            fair.submit_for("acme", partial(compute, 0.2)).result(1.5)


def test_owners_who_compute_as_much_do_not_rest_for_each_other() -> None:
    with threads(8, share=0.02) as (fair, _):
        for _ in range(50):
            for owner in ("acme", "globex"):
                fair.submit_for(owner, partial(compute, 0.002)).result(1)
        assert not fair.waiting


def test_owners_who_wait_have_their_turns_and_each_its_own_order() -> None:
    order: list[str] = []
    started, let_go = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        let_go.wait(10)

    fair = FairThreads(1, name="test")
    fair.submit_for("first", block)
    assert started.wait(5)
    names = [*(f"acme {number}" for number in range(50)), "globex 0", "globex 1"]
    done = [fair.submit_for(name.split()[0], partial(order.append, name)) for name in names]
    let_go.set()
    for future in done:
        future.result(10)
    assert order[:4] == ["acme 0", "globex 0", "acme 1", "globex 1"]
    assert order[4:] == names[2:50]


def test_what_is_cancelled_while_it_waits_is_not_run_and_errors_reach_their_caller() -> None:
    ran: list[str] = []
    let_go = threading.Event()
    fair = FairThreads(1, name="test")
    fair.submit_for("acme", lambda: let_go.wait(10))
    cancelled = fair.submit_for("acme", lambda: ran.append("cancelled"))
    failing = fair.submit_for("acme", lambda: 1 / 0)
    after = fair.submit_for("acme", lambda: ran.append("after"))
    assert cancelled.cancel()
    let_go.set()
    with pytest.raises(ZeroDivisionError):
        failing.result(5)
    after.result(5)
    assert ran == ["after"]
