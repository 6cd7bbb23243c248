"""Properties of the core over generated graphs: runs end, gatherings fire once, order does not matter."""

from collections.abc import Mapping
from random import Random

import pytest

from kernel.types import Json
from runs.core import EventType, Scope, apply, new_state
from runs.core.state import Activation
from segments.plan import PlanStep
from tests.support.graphs import Draft, any_graph, nested
from tests.support.simulation import Broken, Simulation, plain_answer

GRAPHS = 3_000
fifth_and_all = pytest.mark.parametrize("graphs", [GRAPHS // 5, pytest.param(GRAPHS, marks=pytest.mark.soak)])


def moody(random: Random, *, failures: float) -> object:
    """Answer like the plain steps, but fail now and then, and let choices choose."""

    def answer(step: PlanStep, activation: Activation, scope: Scope) -> Mapping[str, Json] | Exception:
        if step.type_id in {"work", "choice"} and random.random() < failures:
            return Broken(step.step_id)
        if step.type_id == "choice":
            ports = random.choice((("left",), ("right",), ("both",), ("left", "right"), ()))
            return dict.fromkeys(ports, scope.input)
        return plain_answer(step, activation, scope)

    return answer


def simulation(seed: int, *, failures: float = 0.0, strategies: tuple[str, ...] | None = None) -> Simulation:
    random = Random(seed)
    plan = any_graph(random, strategies=strategies) if strategies else any_graph(random)
    return Simulation(plan, moody(random, failures=failures), random)  # type: ignore[arg-type]


@fifth_and_all
@pytest.mark.parametrize("failures", [0.0, 0.2])
def test_every_run_ends_whatever_the_graph(failures: float, graphs: int) -> None:
    endings: dict[str, int] = {}
    for seed in range(graphs):
        run = simulation(seed, failures=failures)
        run.run({"a": 1})
        endings[run.journal[-1].type] = endings.get(run.journal[-1].type, 0) + 1
    print(f"{graphs} graphs: {endings}")
    assert endings[EventType.SEGMENT_COMPLETED] > graphs // 4


@pytest.mark.slow
def test_twenty_thousand_graphs_never_hang() -> None:
    for seed in range(20_000):
        simulation(seed, failures=0.05).run(None)


@fifth_and_all
def test_every_activation_has_one_outcome(graphs: int) -> None:
    outcomes = {EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_SKIPPED}
    cancelled = 0
    for seed in range(graphs // 3):
        run = simulation(seed, failures=0.1)
        run.run(None)
        seen: dict[tuple[str | None, int | None], int] = {}
        for event in run.journal:
            if event.type in outcomes:
                seen[event.step_id, event.activation] = seen.get((event.step_id, event.activation), 0) + 1
                cancelled += event.type is EventType.STEP_SKIPPED
        started = {(event.step_id, event.activation) for event in run.journal if event.type is EventType.STEP_STARTED}
        assert set(seen.values()) <= {1}
        assert started <= seen.keys()
    assert cancelled > graphs // 30


@fifth_and_all
def test_replaying_any_prefix_gives_the_same_state(graphs: int) -> None:
    for seed in range(graphs // 15):
        run = simulation(seed, failures=0.1)
        run.run({"a": 1})
        snapshots: list[str] = []
        state = new_state(run.plan)
        for event in run.journal:
            apply(state, event)
            snapshots.append(summary(state))
        for cut in range(0, len(run.journal), max(1, len(run.journal) // 7)):
            again = new_state(run.plan)
            for event in run.journal[: cut + 1]:
                apply(again, event)
            assert summary(again) == snapshots[cut]
        assert summary(state) == summary(run.state)


def summary(state: object) -> str:
    """All a state holds, as text: tokens and gatherings by value, not by identity."""
    return repr(
        {
            name: getattr(state, name)
            for name in (
                "values",
                "items",
                "latest",
                "counts",
                "active",
                "to_cancel",
                "gatherings",
                "kept",
                "failure",
                "over",
            )
        }
        | {"ready": [token for token in state.ready if token.place == "ready"]}  # type: ignore[attr-defined]
        | {"regions": sorted(map(repr, state.regions))}  # type: ignore[attr-defined]
    )


def named_answer(step: PlanStep, activation: Activation, scope: Scope) -> Mapping[str, Json]:
    """Answer as the plain steps do, but work emits its own name, so that values stay small."""
    return {"output": step.step_id} if step.type_id == "work" else plain_answer(step, activation, scope)


@fifth_and_all
def test_nested_splits_join_exactly_once_with_all_branches_in_any_order(graphs: int) -> None:
    joins = 0
    for seed in range(graphs // 25):
        plan = nested(Random(seed)).plan()
        outputs = set()
        for order in range(3):
            run = Simulation(plan, named_answer, Random(order))
            state = run.run({"x": 1})
            outputs.add(repr(state.output()))
            for step in plan.steps.values():
                assert state.counts.get(step.step_id) == 1, f"{step.step_id} ran {state.counts.get(step.step_id)} times"
                if step.join is not None:
                    joins += 1
                    arrived = state.output_of(step.step_id)
                    assert isinstance(arrived, list)
                    assert len(arrived) == len(
                        {
                            edge.index
                            for other in plan.steps.values()
                            for edge in other.edges
                            if edge.target == step.step_id
                        }
                    )
        assert len(outputs) == 1
    assert joins > graphs // 15


def test_a_branch_not_taken_never_makes_a_join_hang() -> None:
    draft = Draft()
    start, split = draft.step("work"), draft.step("parallel_split")
    choice, taken, other, join = (
        draft.step("choice"),
        draft.step("work"),
        draft.step("work"),
        draft.step("parallel_join"),
    )
    draft.edge(start, split)
    draft.edge(split, choice, from_port="branch_1")
    draft.edge(split, other, from_port="branch_2")
    draft.edge(choice, taken, from_port="left")
    draft.edge(taken, join, to_port="a")
    draft.edge(other, join, to_port="b")

    def refuse(step: PlanStep, activation: Activation, scope: Scope) -> Mapping[str, Json] | Exception:
        return {"right": 1} if step.type_id == "choice" else plain_answer(step, activation, scope)

    run = Simulation(draft.plan(), refuse, Random(1))
    assert run.run("v").output() == ["v"]
    assert taken not in run.started()
