"""Events that tell of retries, of the end, or of what cannot be."""

from collections.abc import Mapping

import pytest

from kernel.types import Json
from runs.core import Event, EventType, Phase, Skip, Start, State, apply, apply_in_pieces, decide, new_state
from tests.support.graphs import drawn

FORK = """
    s parallel_split output=branch_1,branch_2
    a work
    b work
    s.branch_1 -> a
    s.branch_2 -> b
"""
DRAWING = "a work\nb work\na -> b"


def started(**params: Json) -> State:
    """A run of two steps whose first is in flight."""
    state = new_state(drawn(DRAWING, **params))
    tell(state, EventType.SEGMENT_STARTED, {"input": 1})
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "a", 1, 1)
    return state


def tell(state: State, event_type: EventType, payload: Mapping[str, Json], *where: object) -> None:
    step_id, activation, attempt = where or (None, None, None)
    seq = tell.seq = getattr(tell, "seq", 0) + 1  # type: ignore[attr-defined]
    apply(state, Event(seq, event_type, payload, step_id, activation, attempt))  # type: ignore[arg-type]


def test_the_items_of_a_long_list_are_placed_in_pieces_and_as_at_once() -> None:
    at_once, in_pieces = (new_state(drawn(FORK)) for _ in range(2))
    items = list(range(1_000))
    split = Event(
        3, EventType.STEP_COMPLETED, {"ports": ["branch_1"], "value": 1, "edges": [0], "items": items}, "s", 1, 1
    )
    for state in (at_once, in_pieces):
        apply(state, Event(1, EventType.SEGMENT_STARTED, {"input": 1}))
        apply(state, Event(2, EventType.STEP_STARTED, {"inputs": {}}, "s", 1, 1))
    placed = [len(in_pieces.ready) for _ in apply_in_pieces(in_pieces, split)]
    assert placed == [100 * number for number in range(1, 10)]
    apply(at_once, split)
    tokens = [[(token.number, token.step_id, token.inputs) for token in state.ready] for state in (at_once, in_pieces)]
    assert (len(tokens[0]), tokens[0]) == (1_000, tokens[1])


def test_an_attempt_that_counts_consumes_one_and_one_that_does_not_consumes_none() -> None:
    state = started()
    for attempt, consumed in ((1, True), (2, False), (3, True)):
        tell(state, EventType.STEP_RETRYING, {"retry_at": "", "consumed": consumed}, "a", 1, attempt)
        tell(state, EventType.STEP_STARTED, {"inputs": {}}, "a", 1, attempt + 1)
    activation = state.active["a", 1]
    assert (activation.attempt, activation.consumed, state.activations) == (4, 2, 1)


def test_a_retry_starts_when_it_is_due_and_not_before() -> None:
    state = started()
    tell(state, EventType.STEP_RETRYING, {"retry_at": "", "consumed": True}, "a", 1, 1)
    assert decide(state) == []
    assert decide(state, due={("a", 1)}) == [Start("a", 1, 2, state.active["a", 1].inputs)]


def test_a_retry_that_is_due_waits_for_a_free_place() -> None:
    state = new_state(drawn(FORK, max_parallel_steps=1))
    tell(state, EventType.SEGMENT_STARTED, {"input": 1})
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "s", 1, 1)
    tell(state, EventType.STEP_COMPLETED, {"ports": ["branch_1", "branch_2"], "value": 1, "edges": [0, 1]}, "s", 1, 1)
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "a", 1, 1)
    tell(state, EventType.STEP_RETRYING, {"retry_at": "", "consumed": True}, "a", 1, 1)
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "b", 1, 1)
    assert decide(state, due={("a", 1)}) == []


@pytest.mark.parametrize(
    "event_type", [EventType.SEGMENT_COMPLETED, EventType.SEGMENT_FAILED, EventType.SEGMENT_CANCELLED]
)
def test_after_the_end_there_is_nothing_to_do(event_type: EventType) -> None:
    state = started()
    tell(state, EventType.STEP_SKIPPED, {"reason": "cancelled", "effect": "unknown"}, "a", 1, 1)
    assert not state.over
    tell(state, event_type, {})
    assert state.over
    assert decide(state) == []


def test_a_failing_run_skips_what_is_in_flight_and_says_whether_its_effect_is_known() -> None:
    state = new_state(drawn(FORK))
    tell(state, EventType.SEGMENT_STARTED, {"input": 1})
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "s", 1, 1)
    tell(state, EventType.STEP_COMPLETED, {"ports": ["branch_1", "branch_2"], "value": 1, "edges": [0, 1]}, "s", 1, 1)
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "a", 1, 1)
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "b", 1, 1)
    tell(state, EventType.STEP_FAILED, {"error": {"code": "X", "step_id": "a"}, "edges": []}, "a", 1, 1)
    skip, fail = decide(state)
    assert skip == Skip("b", 1, 1, "run_failed", effect_unknown=True)
    tell(state, EventType.STEP_SKIPPED, {"reason": "run_failed", "effect": "unknown"}, "b", 1, 1)
    assert decide(state) == [fail]


def test_events_the_core_does_not_know_change_nothing() -> None:
    state = started()
    before = repr(state.active)
    tell(state, EventType.ACTION_STARTED, {"url": "x"}, "a", 1, 1)
    assert repr(state.active) == before
    assert state.active["a", 1].phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("event_type", "payload", "where"),
    [
        (EventType.STEP_STARTED, {"inputs": {}}, ("b", 1, 1)),
        (EventType.STEP_COMPLETED, {"ports": {}, "edges": []}, ("b", 1, 1)),
        (EventType.STEP_COMPLETED, {"ports": {}, "edges": []}, (None, None, None)),
        (EventType.STEP_COMPLETED, {"ports": {}, "edges": None}, ("a", 1, 1)),
        (EventType.STEP_COMPLETED, {"ports": 7, "edges": []}, ("a", 1, 1)),
        (EventType.STEP_FAILED, {"error": "text", "edges": []}, ("a", 1, 1)),
    ],
)
def test_a_journal_that_cannot_be_is_an_error_not_a_guess(
    event_type: EventType, payload: Mapping[str, Json], where: tuple[object, ...]
) -> None:
    with pytest.raises((LookupError, TypeError)):
        tell(started(), event_type, payload, *where)


def test_a_step_that_may_not_start_next_is_refused() -> None:
    state = started()
    tell(state, EventType.STEP_COMPLETED, {"ports": {"output": 1}, "edges": [0]}, "a", 1, 1)
    with pytest.raises(LookupError):
        tell(state, EventType.STEP_STARTED, {"inputs": {}}, "a", 2, 1)


def test_the_whole_runs_activations_are_bounded_too() -> None:
    plan = drawn(
        "s parallel_split items=input output=branch_1\na work\nb work\ns.branch_1 -> a\na -> b", max_activations=10_000
    )
    state = new_state(plan)
    tell(state, EventType.SEGMENT_STARTED, {"input": 1})
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "s", 1, 1)
    state.activations = plan.max_activations_per_run
    tell(state, EventType.STEP_COMPLETED, {"ports": ["branch_1"], "value": 1, "edges": [0]}, "s", 1, 1)
    (fail,) = decide(state)
    assert fail.error["details"] == {"limit": 10_000}  # type: ignore[union-attr]
    assert "The run" in str(fail.error["message"])  # type: ignore[union-attr]


RACE = """
    s parallel_split output=branch_1,branch_2
    a work
    b work
    join parallel_join merge_strategy=any
    s.branch_1 -> a
    s.branch_2 -> b
    a -> join:one
    b -> join:two
"""


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        (EventType.STEP_COMPLETED, {"ports": {"output": 2}, "edges": [3]}),
        (EventType.STEP_FAILED, {"error": {"code": "X", "step_id": "b"}, "edges": []}),
    ],
)
def test_the_outcome_of_an_activation_a_join_has_cancelled_changes_nothing_more(
    event_type: EventType, payload: Mapping[str, Json]
) -> None:
    state = new_state(drawn(RACE))
    tell(state, EventType.SEGMENT_STARTED, {"input": 1})
    tell(state, EventType.STEP_STARTED, {"inputs": {}}, "s", 1, 1)
    tell(state, EventType.STEP_COMPLETED, {"ports": ["branch_1", "branch_2"], "value": 1, "edges": [0, 1]}, "s", 1, 1)
    for step_id in "ab":
        tell(state, EventType.STEP_STARTED, {"inputs": {}}, step_id, 1, 1)
    tell(state, EventType.STEP_COMPLETED, {"ports": {"output": 1}, "edges": [2]}, "a", 1, 1)
    assert state.to_cancel == {("b", 1): "join_decided"}
    tell(state, event_type, payload, "b", 1, 1)
    assert (state.to_cancel, state.failure, state.output_of("b")) == ({}, None, None)
    assert [token.step_id for token in state.ready] == ["join"]


def test_a_reference_that_names_no_event_is_an_error() -> None:
    with pytest.raises(TypeError):
        started().value({"seq": "1", "port": "input"})
