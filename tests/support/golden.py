"""Golden journals: written once by the engine of their time, folded by every later one."""

import json
from pathlib import Path
from typing import Any

from kernel.canonical import content_hash
from kernel.values import Json
from runs.core import Event, EventType, apply, new_state
from runs.core.state import State
from runs.core.summary import summarise
from runs.steps.registry import registry
from segments.definition import read_segment
from segments.plan.compilation import compile_plan
from tests.support.segments import segment, step

FOLDER = Path(__file__).parents[1] / "cases" / "golden"


def _edges(*written: str) -> list[dict[str, Any]]:
    """Edges written ``step.port -> step``."""
    edges = []
    for one in written:
        source, target = one.split(" -> ")
        step_id, _, port = source.partition(".")
        edges.append({"from": step_id, "to": target, **({"from_port": port} if port else {})})
    return edges


def _race(strategy: str, **more: Any) -> dict[str, Any]:
    """Three branches that end one after the other, and a join."""
    branches = [step(name, seconds=0.3 * n) for n, name in enumerate(("first", "second", "third"))]
    split = step("split", "parallel_split", branches=["a", "b", "c"])
    join = step("join", "parallel_join", merge_strategy=strategy, **more)
    edges = _edges("split.a -> first", "split.b -> second", "split.c -> third")
    edges += _edges("first -> join", "second -> join", "third -> join", "join -> end")
    return segment(split, *branches, join, step("end", "transform", expression="input"), edges=edges)


_FAILS = step("fails", fail="NO_LUCK")
_SORRY = step("sorry", "transform", mapping={"code": "input.code"})

STORIES: dict[str, dict[str, Any]] = {
    "split_and_join": _race("all"),
    "any_join": _race("any"),
    "quorum_join": _race("quorum", count=2),
    "items": segment(
        step("split", "parallel_split", items="input.list", branches=["each"]),
        step("work", "transform", expression="item * 10 + index"),
        step("join", "parallel_join"),
        edges=_edges("split.each -> work", "work -> join"),
    ),
    "loop": segment(
        step("add", "transform", mapping={"n": "input.n + 1"}),
        step("again", "condition", expression="input.n < 4"),
        step("end", "transform", expression="input.n * 10"),
        edges=_edges("add -> again", "again.true -> add", "again.false -> end"),
    ),
    "error_routed": segment(_FAILS, _SORRY, edges=_edges("fails.error -> sorry")),
    "retry": segment(
        step("fails", fail="NO_LUCK", retryable=True, retry={"max_attempts": 3, "initial_seconds": 0.05}),
        _SORRY,
        edges=_edges("fails.error -> sorry"),
    ),
    "branch_failed": segment(
        step("split", "parallel_split", branches=["a", "b"]),
        step("fine", seconds=0.3),
        _FAILS,
        step("join", "parallel_join"),
        edges=_edges("split.a -> fine", "split.b -> fails", "fine -> join", "fails -> join"),
    ),
    "run_failed": segment(step("one"), _FAILS),
    "fan_out_without_a_join": segment(
        step("one"), step("left"), step("right", seconds=0.3), edges=_edges("one -> left", "one -> right")
    ),
}
"""By name: what is run, with the input ``INPUT``."""

INPUT: Json = {"n": 1, "list": [1, 2, 3]}


def path_of(story: str) -> Path:
    return FOLDER / f"{story}.json"


def read(story: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path_of(story).read_text())
    return found


def write(story: str, golden: dict[str, Any]) -> None:
    """Write a story that has no file yet; one that has is never written again."""
    if path_of(story).exists():
        raise FileExistsError(f"{path_of(story)} was written by an earlier core; that is its worth")
    FOLDER.mkdir(parents=True, exist_ok=True)
    path_of(story).write_text(json.dumps(golden, indent=1) + "\n")


def fold(golden: dict[str, Any]) -> tuple[State, list[str]]:
    """Fold a journal with the present core; the state at its end, and a digest of the state after each event."""
    definition = read_segment(golden["definition"]).segment
    assert definition is not None
    state = new_state(compile_plan(definition, registry().catalog, semantics=golden["semantics"]))
    digests = []
    for fact in golden["journal"]:
        kind = EventType(fact["type"])
        apply(state, Event(fact["seq"], kind, fact["payload"], fact["step_id"], fact["activation"], fact["attempt"]))
        digests.append(content_hash(summarise(state)))
    return state, digests
