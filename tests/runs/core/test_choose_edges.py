"""The names an expression sees inside an activation, and the edges that conditions choose."""

from collections.abc import Mapping

import pytest

from kernel.types import Json
from runs.core import EventType, Scope
from runs.core.scope import EdgeScope
from runs.core.state import Activation
from tests.support.graphs import drawn
from tests.support.simulation import fails, play


def names_at(step_id: str, drawing: str, run_input: Json) -> list[dict[str, Json]]:
    """What the scope of each activation of a step holds."""
    seen: list[dict[str, Json]] = []

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        assert len(scope) == len(list(scope))
        seen.append(dict(scope))
        return {"output": scope.input}

    play(drawn(drawing), {step_id: look}, run_input=run_input)
    return seen


def test_a_step_sees_its_input_its_ports_the_run_and_the_keys_of_an_object() -> None:
    (names,) = names_at("a", "a work", {"price": 3, "input": "shadowed"})
    assert names == {
        "input": {"price": 3, "input": "shadowed"},
        "inputs": {"input": {"price": 3, "input": "shadowed"}},
        "steps": {},
        "run": {
            "input": {"price": 3, "input": "shadowed"},
            "id": "",
            "started_at": "1970-01-01T00:00:00Z",
            "attempt": 1,
        },
        "tenant": {"slug": ""},
        "price": 3,
    }


def test_several_ports_are_names_and_the_input_is_the_object_of_all() -> None:
    drawing = "s parallel_split output=branch_1,branch_2\na work\ns.branch_1 -> a:left\ns.branch_2 -> a:right"
    (names,) = names_at("a", drawing, 7)
    assert (names["left"], names["right"], names["input"]) == (7, 7, {"left": 7, "right": 7})


def test_an_upstream_steps_output_is_that_of_its_latest_activation_among_the_ancestors() -> None:
    drawing = """
        first work
        loop choice
        end work
        first -> loop
        loop.left -> first
        loop.right -> end ? steps.first.output != 'never'
    """
    seen: list[Json] = []

    def twice(activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append(scope["steps"])
        return {"left" if activation.activation < 2 else "right": activation.activation}

    run = play(drawn(drawing), {"loop": twice}, run_input="x")
    assert seen == [{"first": {"output": "first(x)"}}, {"first": {"output": "first(1)"}}]
    assert run.journal[-1].type is EventType.SEGMENT_COMPLETED


def test_behind_a_routed_failure_a_step_has_its_error_and_what_it_gave_before() -> None:
    drawing = """
        work call
        again choice
        mend work
        end work
        work -> again
        again.left -> work
        again.right -> end
        work.error -> mend ? steps.work.error.code == code
        mend -> end ? steps.work.error.step_id == 'work'
    """
    seen: list[Json] = []

    def work(activation: Activation, scope: Scope) -> Mapping[str, Json]:
        if activation.activation == 2:
            return fails(activation, scope)
        return {"response": "given", "status": 200}

    def mend(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append(scope["steps"])
        return {"output": "mended"}

    answers = {"work": work, "again": lambda _a, _scope: {"left": 1}, "mend": mend}
    run = play(drawn(drawing), answers)
    assert run.started() == ["work", "again", "work", "mend", "end"]
    (steps,) = seen
    assert isinstance(steps, dict)
    of_work = steps["work"]
    assert isinstance(of_work, dict)
    assert (of_work["output"], of_work["status"]) == ("given", 200)
    assert isinstance(of_work["error"], dict)
    assert of_work["error"]["code"] == "BROKEN"


def test_ports_that_are_facts_are_read_of_a_step_without_an_edge_from_them() -> None:
    drawing = """
        ask call
        use work
        after work
        ask -> use ? steps.ask.status == 201 and steps.ask.headers.etag == 'x' and steps.ask.output == 'made'
        use -> after ? steps.ask.status == 201
    """
    seen: list[Json] = []

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append(scope["steps"])
        return {"output": "used"}

    answers = {"ask": lambda _a, _s: {"response": "made", "status": 201, "headers": {"etag": "x"}}, "after": look}
    run = play(drawn(drawing), answers)
    assert run.started() == ["ask", "use", "after"]
    assert seen == [{"ask": {"output": "made", "status": 201, "headers": {"etag": "x"}}}]


def test_a_fact_that_was_not_emitted_and_a_port_that_is_none_are_not_there() -> None:
    drawing = "ask call\nwork work output=output,status\nend work\nask -> work\nwork -> end ? steps.ask and steps.work"
    answers = {"ask": lambda _a, _s: {"response": 1, "status": 200}, "work": lambda _a, _s: {"output": {"status": 5}}}
    seen: list[Json] = []

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append(scope["steps"])
        return {"output": None}

    play(drawn(drawing), {**answers, "end": look})
    assert seen == [{"ask": {"output": 1, "status": 200}, "work": {"output": {"status": 5}}}]


def test_a_parallel_branch_is_no_ancestor() -> None:
    drawing = """
        s parallel_split output=branch_1,branch_2
        a work
        b work
        c work
        d work
        s.branch_1 -> a
        s.branch_2 -> b
        b -> c
        a -> d ? steps.a.output != 'never'
    """
    ((of_c,), (of_d,)) = (names_at(step_id, drawing, 1) for step_id in "cd")
    assert of_c["steps"] == {}
    assert of_d["steps"] == {"a": {"output": "a(1)"}}


@pytest.mark.parametrize("name", ["item", "index", "absent", "output"])
def test_a_name_that_is_not_there_is_a_key_error(name: str) -> None:
    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        assert name not in scope
        with pytest.raises(KeyError):
            scope[name]
        return {"output": None}

    for run_input in ({"other": 1}, 5):
        play(drawn("a work"), {"a": look}, run_input=run_input)


def test_item_and_index_are_plain_names_outside_a_split_over_items() -> None:
    (names,) = names_at("a", "a work", {"item": "mine", "index": 9})
    assert (names["item"], names["index"]) == ("mine", 9)


ROUTED = """
    a work
    low work
    high work
    other work
    a -> low ? output < 10
    a -> high ? output > 100
    a -> other ? else
"""


@pytest.mark.parametrize(("value", "taken"), [(5, "low"), (500, "high"), (50, "other")])
def test_conditions_choose_and_else_takes_what_is_left(value: int, taken: str) -> None:
    run = play(drawn(ROUTED), {"a": lambda _a, scope: {"output": scope.input}}, run_input=value)
    assert run.started() == ["a", taken]


def test_else_looks_at_the_siblings_of_its_own_port_only() -> None:
    drawing = """
        a choice
        one work
        two work
        three work
        a.left -> one ? output == 1
        a.left -> two ? else
        a.right -> three ? else
    """
    both = {"a": lambda _a, _scope: {"left": 1, "right": 1}}
    assert sorted(play(drawn(drawing), both).started()) == ["a", "one", "three"]


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("label == 'spam'", True),  # of what was emitted, though the input has the key too
        ("label == 'ham'", False),
        ("language == 'de'", True),  # of the input, as the output has no such key
        ("output.label == 'spam' and input.label == 'ham'", True),
        ("input.input is null and run.input.label == 'ham'", True),  # a reserved name wins over a key
        ("steps.a.output.label == 'spam'", True),
    ],
)
def test_keys_of_the_output_are_names_on_an_edge_before_those_of_the_input(condition: str, taken: bool) -> None:
    emitted = {"label": "spam", "input": "mine", "steps": 1, "run": None}
    run_input: Json = {"label": "ham", "language": "de", "input": None}
    drawing = f"a work\nb work\nc work\na -> b ? {condition}\na -> c ? else"
    run = play(drawn(drawing), {"a": lambda _a, _scope: {"output": emitted}}, run_input=run_input)
    assert run.started() == ["a", "b" if taken else "c"]


def test_at_an_item_the_items_name_wins_over_a_key_of_the_output() -> None:
    drawing = """
        split parallel_split items=input output=branch_1
        a work
        b work
        split.branch_1 -> a
        a -> b ? item == 1 and index == 0 and other == 2
    """
    emitted = {"item": 5, "index": 5, "other": 2}
    run = play(drawn(drawing), {"a": lambda _a, _scope: {"output": emitted}}, run_input=[1])
    assert run.started() == ["split", "a", "b"]


def test_a_condition_that_fails_fails_the_step() -> None:
    run = play(drawn("a work\nb work\na -> b ? output.missing > 1"), run_input={"there": 1})
    failure = run.journal[-1].payload["error"]
    assert isinstance(failure, dict)
    assert failure["step_id"] == "a"


def test_an_error_edges_condition_that_fails_takes_nothing() -> None:
    drawing = "a work\nb work\na.error -> b ? output.{}"
    routed = play(drawn(drawing.format("code == 'BROKEN'")), {"a": fails})
    unrouted = play(drawn(drawing.format("missing == 1")), {"a": fails})
    assert routed.started() == ["a", "b"]
    assert unrouted.journal[-1].type is EventType.SEGMENT_FAILED
    (failed,) = (event for event in unrouted.journal if event.type is EventType.STEP_FAILED)
    edge_error = failed.payload["edge_error"]
    assert (failed.payload["edges"], edge_error["code"]) == ([], "EXPRESSION_MISSING_NAME")
    assert edge_error["message"].startswith("The condition of the edge from a to b failed: ")
    error = unrouted.journal[-1].payload["error"]
    assert (error["code"], error["details"]["edge_error"]) == ("BROKEN", edge_error)
    (failed,) = (event for event in routed.journal if event.type is EventType.STEP_FAILED)
    assert failed.payload.keys() == {"error", "edges"}


def test_a_declared_port_beyond_the_card_is_emitted_when_the_result_has_that_key() -> None:
    drawing = "a work output=output,report\nb work\na.report -> b"
    with_key = {"a": lambda _a, _scope: {"output": {"report": "fine"}}}
    without = {"a": lambda _a, _scope: {"output": {"other": 1}}}
    assert play(drawn(drawing), with_key).state.output() == "b(fine)"
    assert play(drawn(drawing), without).state.output() is None


def test_the_names_at_an_item_and_on_an_edge_can_be_listed() -> None:
    listed: list[list[str]] = []

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        on_edge = EdgeScope(scope, {"label": "spam"}, {})
        assert len(on_edge) == len(list(on_edge)) == len(scope) + 2
        listed.append(sorted(scope))
        return {"output": scope.input}

    drawing = "split parallel_split items=input output=branch_1\na work\nsplit.branch_1 -> a"
    play(drawn(drawing), {"a": look}, run_input=[{"sku": "x"}])
    assert listed == [["index", "input", "inputs", "item", "run", "sku", "steps", "tenant"]]
