"""What judging and compiling a segment costs grows about as its steps and edges do, whatever its kinds are."""

import sys
from random import Random

import pytest

from kernel.types import Json
from segments.plan.compilation import compile_plan
from segments.validation import validate
from tests.support.graphs import CATALOG, Draft

KINDS = {
    "joins and ports": ("parallel_join", "work"),
    "splits, joins and ports": ("parallel_split", "parallel_join", "work"),
    "items, joins and ports": ("items", "parallel_join", "work"),
}


def layers(kinds: tuple[str, ...], number: int) -> dict[str, Json]:
    """Draw layers of ten steps, each fed by four of the layer before, at ports of their own where they have some."""
    random, draft = Random(1), Draft()
    first = draft.step("work")
    before = [first]
    for _ in range(number):
        layer = [_step(draft, random.choice(kinds)) for _ in range(10)]
        for step_id in layer:
            for port, source in enumerate(random.sample(before, min(4, len(before)))):
                draft.edge(source, step_id, to_port=f"port_{port}")
        before = layer
    return {
        "version": "1.0",
        "segment_id": "layers",
        "name": "layers",
        "entrypoint": first,
        "params": {"parallel_execution": True},
        "steps": list(draft.steps),
        "edges": list(draft.edges),
    }


def _step(draft: Draft, kind: str) -> str:
    if kind == "items":
        return draft.step("parallel_split", {"items": "[1, 2]"})
    return draft.step(kind)


def calls(document: dict[str, Json]) -> int:
    """How many functions are called to judge a segment and to compile it, Python's own among them."""
    made = 0

    def count(_frame: object, what: str, _of: object) -> None:
        nonlocal made
        made += what in {"call", "c_call"}

    sys.setprofile(count)
    try:
        validation = validate(document, CATALOG)
        assert validation.valid, validation.findings
        assert validation.segment is not None
        compile_plan(validation.segment, CATALOG)
    finally:
        sys.setprofile(None)
    return made


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS.keys())
def test_work_grows_at_most_with_fan_outs_and_edges(kinds: tuple[str, ...]) -> None:
    small, large = (calls(layers(kinds, number)) for number in (10, 40))
    assert large < 16 * small, (small, large)


def test_a_join_that_leads_back_to_itself_twice_is_judged() -> None:
    draft = Draft()
    start, join, other = draft.step("work"), draft.step("parallel_join"), draft.step("parallel_join")
    draft.edge(start, join)
    draft.edge(join, join, condition="output > 1")
    draft.edge(join, join, condition="output > 2")
    draft.edge(join, other, condition="output > 3")
    draft.edge(join, other, condition="output > 4")
    document = layers(("work",), 1)
    document["steps"], document["edges"] = list(draft.steps), list(draft.edges)
    assert validate(document, CATALOG).valid
    assert draft.plan().points
