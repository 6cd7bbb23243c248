"""What the runs of a worker hold in memory is bounded, for one run and for all of them."""

import sys
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from runs.engine.memory.budget import CLAIM_BYTES, MIB, PATIENT_TICKS, MemoryBudget, to_release
from runs.engine.memory.weights import TOKEN_BYTES, values_weight, weight_of
from runs.metrics import CLAIMS_HELD_BACK, MEMORY_BUDGET, MEMORY_HELD, RUNS_OUT_OF_MEMORY, RUNS_RELEASED_FOR_MEMORY
from tenants.models import Tenant
from tests.support.best_tries import TRIES
from tests.support.definitions import large_branches
from tests.support.engine import event_types, get_run, queue_run, queue_runs, wait_until_over
from tests.support.host import running_host
from tests.support.process_ends import eventually
from tests.support.segments import segment, step

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=8), inner, max_size=30),
    max_leaves=60,
)

OURS, OTHERS = UUID(int=1), UUID(int=2)


@dataclass
class Held:
    """A run of a worker."""

    held_bytes: int
    tenant_id: UUID = OURS
    is_leaving: bool = False
    is_refused_more: bool = False

    def shed(self) -> None:
        self.is_leaving = True

    def refuse_more(self) -> None:
        self.is_refused_more = True


def size_of(value: Any) -> int:
    """What Python takes for a value and all in it."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, list):
        inner = value
    return sys.getsizeof(value) + 16 * isinstance(value, dict | list) + sum(map(size_of, inner))


@examples(deadline=None, max_examples=40)
@given(VALUES)
def test_no_value_takes_much_more_than_is_reckoned(value: Any) -> None:
    text = orjson.dumps([value] * 600).decode()
    assert size_of(orjson.loads(text)) <= 1.5 * values_weight(text) + 1000


@pytest.mark.parametrize("value", [[[]] * 5_000, [{}] * 5_000, [{"a": 1}] * 5_000, [1.5] * 5_000, ["x"] * 5_000])
def test_what_is_made_of_many_small_parts_is_reckoned_closely(value: Any) -> None:
    text = orjson.dumps(value).decode()
    size = size_of(orjson.loads(text))
    assert 0.9 * size <= values_weight(text) <= 3 * size


@pytest.mark.parametrize("text", ["a,[{" * 250_000, 'a "quoted" text, \\ and more of it, ' * 30_000])
def test_commas_within_texts_weigh_nothing_more(text: str) -> None:
    stored = orjson.dumps(text).decode()
    assert values_weight(stored) < 1.2 * len(stored)


def test_each_item_of_each_branch_is_reckoned() -> None:
    payload = {"ports": ["a", "b"], "value": None, "edges": [0, 1], "items": list(range(100))}
    text = orjson.dumps(payload).decode()
    assert weight_of(text, payload) == values_weight(text) + 200 * TOKEN_BYTES


def test_at_the_edge_nothing_is_claimed_until_there_is_room_again() -> None:
    holders: list[Held] = []
    budget = MemoryBudget(100 * MIB, lambda: holders)
    assert budget.room() == (75 * MIB // CLAIM_BYTES, 75 * MIB, ())
    one, other = Held(40 * MIB), Held(36 * MIB)
    for holder in (one, other):
        holders.append(holder)
        budget.add(holder.held_bytes)
    assert budget.room() == ((95 - 76) * MIB // CLAIM_BYTES, None, (one.tenant_id,)), "others' runs have the rest"
    budget.add(19 * MIB)
    assert budget.room().sure == 0, "until that is full, too"
    budget.add(-19 * MIB)
    assert (one.is_leaving, other.is_leaving) == (False, True)
    budget.add(-other.held_bytes)
    assert budget.room().without == ()
    assert 0 < budget.room().sure <= 16, "after that carefully"
    budget.add(-one.held_bytes)
    budget.tick()
    assert budget.room() == (75 * MIB // CLAIM_BYTES, 75 * MIB, ())


def test_at_the_edge_who_holds_little_is_claimed_for_and_who_holds_much_is_not() -> None:
    holders = [Held(40 * MIB), Held(MIB, OTHERS), Held(35 * MIB)]
    budget = MemoryBudget(100 * MIB, lambda: holders)
    budget.add(sum(holder.held_bytes for holder in holders))
    assert budget.room().without == (holders[0].tenant_id,)


def test_the_tenant_that_holds_most_gives_back_what_it_claimed_last() -> None:
    small = [Held(MIB, OTHERS) for _ in range(5)]
    large = [Held(size * MIB) for size in (10, 30, 20, 1)]
    assert to_release([*large, *small], 70 * MIB) == []
    assert to_release([*large, *small], 65 * MIB) == large[2:], "two of 30 would fit"
    assert to_release([*large, *small], 40 * MIB) == large[1:]
    assert to_release([*large, *small], 12 * MIB) == [*large[1:], *small[2:]]
    assert to_release([*large, *small], 1) == [*large[1:], *small[1:]], "one of each stays"
    large[1].shed()
    assert to_release([*large, *small], 36 * MIB) == [], "one that leaves already is enough"


def test_over_the_budget_the_largest_gets_no_more() -> None:
    held = [Held(30 * MIB), Held(45 * MIB), Held(20 * MIB)]
    budget = MemoryBudget(100 * MIB, lambda: held)
    budget.add(95 * MIB)
    for _ in range(PATIENT_TICKS):
        budget.tick()
    budget.add(10 * MIB)
    for _ in range(PATIENT_TICKS):
        assert not any(one.is_refused_more for one in held)
        budget.tick()
    assert [one.is_refused_more for one in held] == [False, True, False]


def test_what_is_held_no_more_is_returned_once() -> None:
    budget = MemoryBudget(100 * MIB, list)
    for change, is_surplus in ((40 * MIB, False), (-40 * MIB, True), (0, False)):
        budget.add(change)
        budget.tick()
        assert budget.take_surplus() is is_surplus


@pytest.mark.django_db(transaction=True)
def test_a_run_over_its_share_fails_and_the_others_go_on(acme: Tenant, settings: Any) -> None:
    settings.WORKER_MEMORY_MIB = 64
    refused = RUNS_OUT_OF_MEMORY._value.get()
    with running_host():
        within = queue_run(acme, large_branches(count=20))
        over = queue_run(acme, large_branches(count=50))
        small = queue_run(acme, segment(step("one")))
        assert wait_until_over(within, over, small, seconds=60) == ["completed", "failed", "completed"]
        assert MEMORY_BUDGET._value.get() == 64 * MIB
    error = get_run(over).error
    assert error is not None
    assert error["code"] == "MEMORY_LIMIT"
    assert f"{32 * MIB} bytes" in error["message"]
    assert RUNS_OUT_OF_MEMORY._value.get() > refused


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
def test_runs_that_are_too_large_together_go_one_after_the_other(acme: Tenant, settings: Any) -> None:
    settings.WORKER_MEMORY_MIB = 64
    settings.SWEEP_SECONDS = 0.05  # it looks for runs to claim so often that it mostly does while there is no room
    released, held_back = RUNS_RELEASED_FOR_MEMORY._value.get(), CLAIMS_HELD_BACK._value.get()
    with running_host():
        for _ in range(TRIES):
            run_ids = queue_runs(acme, large_branches(count=15), 8)
            small = queue_run(acme, segment(step("one")))
            assert wait_until_over(*run_ids, small, seconds=240) == ["completed"] * 9
            assert all(_outcomes(run_id) == 16 for run_id in run_ids), "nothing is done twice"
            assert eventually(lambda: MEMORY_HELD._value.get() == 0, seconds=10)
            if RUNS_RELEASED_FOR_MEMORY._value.get() > released and CLAIMS_HELD_BACK._value.get() > held_back:
                return
    raise AssertionError("nothing was released for memory, or nothing was held back")


def _outcomes(run_id: UUID) -> int:
    return sum(kind.startswith("step.completed") for kind in event_types(run_id))
