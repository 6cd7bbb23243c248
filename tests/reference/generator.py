"""Random segments by seed: nested blocks, ladders of joins, and graphs without any shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.reference.blocks import chain
from tests.reference.drafts import Draft, End
from tests.reference.graph import Graph

SIZES = (3, 6, 10, 14, 20, 28)
WILD_SHARE = 0.25
WAIT_SHARE = 0.04
FAIL_SHARE = 0.1
MOST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Case:
    """A segment with its run's input."""

    seed: int
    segment: Mapping[str, Any]
    run_input: str


def generate(seed: int) -> Case:
    """Draw the case of a seed; the same seed gives the same case."""
    random = Random(seed)
    draft = Draft(random, random.choice(SIZES))
    _draw_wild(draft) if draft.chance(WILD_SHARE) else _draw_blocks(draft)
    _avoid_unreached_joins(draft)
    if draft.chance(0.1):
        draft.step("transform", [], expression="input")
    _wait_and_fail(draft, Random(-seed - 1))
    segment = draft.segment()
    if draft.chance(0.3):
        random.shuffle(draft.steps)
    return Case(seed, segment, random.choice(["", "a", "ab", "abc", "abcd"]))


def _draw_blocks(draft: Draft) -> None:
    ends = draft.work([])
    while ends and not draft.is_full:
        ends = chain(draft, ends, 3, has_item=False)
    if ends:
        draft.work(ends)


def _draw_wild(draft: Draft) -> None:
    draft.work([])
    while not draft.is_full:
        (kind,) = draft.random.choices(["work", "condition", "split", "join"], [55, 15, 10, 20])
        if kind == "work":
            draft.work([])
        elif kind == "condition":
            draft.step("condition", [], expression=draft.some_length())
        elif kind == "split":
            draft.split([], 2)
        else:
            draft.step("parallel_join", [], merge_strategy=draft.random.choice(["all", "all", "all", "any", "first"]))
    for place, step in enumerate(draft.steps):
        _connect_wild(draft, place, step)


def _connect_wild(draft: Draft, place: int, step: Mapping[str, Any]) -> None:
    ids = [one["step_id"] for one in draft.steps]
    ports: dict[str, list[str | None]] = {"condition": ["true", "false"], "parallel_split": ["branch_1", "branch_2"]}
    for port in ports.get(step["type"], [None] * draft.random.choice([0, 1, 1, 1, 2])):
        back = place > 0 and draft.chance(0.12)
        targets = ids[1:place] if back else ids[place + 1 : place + 5]
        if targets:
            condition = f"len(str(output)) < {draft.random.choice([10, 20, 30])}" if back else None
            draft.link([End(ids[place], port, condition)], draft.random.choice(targets))


def _wait_and_fail(draft: Draft, random: Random) -> None:
    """Make some steps wait instead, and some that nothing leaves end the run; not next to edges that carry errors."""
    leaving = {edge["from"] for edge in draft.edges}
    errors = {edge[end] for edge in draft.edges if edge.get("from_port") == "error" for end in ("from", "to")}
    for step in draft.steps[1:]:
        if step["type"] != "transform" or "ports" in step or step["step_id"] in errors:
            continue
        if step["step_id"] not in leaving and random.random() < FAIL_SHARE:
            step |= {"type": "fail", "config": {"code": f"ENDED_BY_{step['step_id'].upper()}"}}
        elif random.random() < WAIT_SHARE:
            step |= {"type": "wait", "config": {"seconds": 0.001}}


def _avoid_unreached_joins(draft: Draft) -> None:
    """Make the joins that no way leads to other steps, for they are refused."""
    reached = Graph(draft.segment()).steps
    for step in draft.steps:
        if step["type"] == "parallel_join" and step["step_id"] not in reached:
            step |= {"type": "transform", "config": {"expression": "input"}}
