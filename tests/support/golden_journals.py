"""Golden journals: written once by the engine of their time, folded by every later one."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from foundation.scope import unscoped
from kernel.canonical import content_hash
from kernel.clock import utc_now
from kernel.types import Json
from runs.core import Event, EventType, apply, new_state
from runs.core.state import State
from runs.core.summary import summarise
from runs.models import Run, RunEvent
from runs.steps.registry import registry
from segments.definition import read_segment
from segments.plan import SEMANTICS
from segments.plan.compilation import compile_plan
from tenants.models import Tenant
from tests.support.engine import queue_run
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
    "joins_in_a_row": segment(
        step("fan"),
        step("one"),
        step("two"),
        step("three"),
        step("near", "parallel_join"),
        step("far", "parallel_join"),
        edges=_edges(
            *("fan -> one", "fan -> two", "fan -> three", "one -> near", "two -> near", "near -> far", "three -> far")
        ),
    ),
    "around_a_ladder": segment(
        step("choice", "condition", expression="input.n > 1"),
        step("fan"),
        step("one"),
        step("two", seconds=0.2),
        step("three"),
        step("near", "parallel_join"),
        step("far", "parallel_join"),
        edges=_edges(
            *("choice.true -> far", "choice.false -> fan", "fan -> one", "fan -> two", "fan -> three"),
            *("one -> near", "two -> near", "near -> far", "three -> far"),
        ),
    ),
    "pairs": segment(
        step("fan", "parallel_split", branches=["a", "b"]),
        step("ones", "parallel_split", items="['p', 'q']", branches=["each"]),
        step("twos", "parallel_split", items="['P', 'Q']", branches=["each"]),
        step("late", "condition", expression="item == 'P'"),
        step("slow", seconds=0.3),
        {
            **step("pair", "transform", expression="inputs.left + inputs.right"),
            "ports": {"input": ["left", "right"], "output": ["output"]},
        },
        step("join", "parallel_join"),
        edges=[
            *_edges("fan.a -> ones", "fan.b -> twos", "twos.each -> late", "late.true -> slow", "pair -> join"),
            {"from": "ones", "from_port": "each", "to": "pair", "to_port": "left"},
            {"from": "slow", "to": "pair", "to_port": "right"},
            {"from": "late", "from_port": "false", "to": "pair", "to_port": "right"},
        ],
    ),
    "run_failed": segment(step("one"), _FAILS),
    "wait_and_fail": segment(
        step("hold", "wait", seconds=0.05),
        step("called", "wait", call={"timeout_hours": 0.1 / 3600}),
        step("stop", "fail", code="NOBODY_CALLED", message="Nobody called for {{ run.input.n }}."),
        edges=_edges("hold -> called", "called.timeout -> stop"),
    ),
    "fan_out_without_a_join": segment(
        step("one"), step("left"), step("right", seconds=0.3), edges=_edges("one -> left", "one -> right")
    ),
}
"""By name: what is run, with the input ``INPUT``."""

OTHER_UNDER_EARLIER = {(2, "around_a_ladder"), (3, "pairs")}
"""Stories that end otherwise by an earlier semantics: the last join fired twice; who came first was paired first."""

INPUT: Json = {"n": 1, "list": [1, 2, 3]}


def path_of(story: str, semantics: int = SEMANTICS) -> Path:
    return FOLDER / f"semantics_{semantics}" / f"{story}.json"


def read(story: str, semantics: int = SEMANTICS) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path_of(story, semantics).read_text())
    return found


def stalled() -> dict[str, dict[str, Any]]:
    """Journals that an engine of the first semantics left behind when it stalled, by the strategy of the outer join."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "stalled").glob("*.json"))}


def write(story: str, golden: dict[str, Any]) -> None:
    """Write a story that has no file yet; one that has is never written again."""
    if path_of(story).exists():
        raise FileExistsError(f"{path_of(story)} was written by an earlier core; that is its worth")
    path_of(story).parent.mkdir(parents=True, exist_ok=True)
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


def put_run(tenant: Tenant, told: dict[str, Any], journal: list[dict[str, Any]], **facts: Any) -> UUID:
    """Put a run into the database as an engine left it: with this beginning of its journal, and without an owner."""
    run_id = queue_run(tenant, told["definition"], input=told["input"], semantics=told["semantics"], **facts)
    with unscoped("tests look everywhere"):
        RunEvent.objects.bulk_create(RunEvent(tenant=tenant, run_id=run_id, **fact) for fact in journal)
        Run.objects.filter(id=run_id).update(
            last_seq=len(journal), journal_bytes=1, wake_at=None if facts.get("status") == "stalled" else utc_now()
        )
    return run_id
