"""Small segments tests save and start."""

from itertools import pairwise
from typing import Any


def steps_in_a_row(*expressions: str, segment_id: str = "row", **fields: Any) -> dict[str, Any]:
    """Build a segment of transforms, each fed by the one before."""
    names = [f"step_{number}" for number in range(1, len(expressions) + 1)]
    return {
        "version": "1.0",
        "segment_id": segment_id,
        "name": "Steps in a row",
        "entrypoint": names[0],
        "steps": [
            {"step_id": name, "type": "transform", "config": {"expression": expression}}
            for name, expression in zip(names, expressions, strict=True)
        ],
        "edges": [{"from": before, "to": after} for before, after in pairwise(names)],
        **fields,
    }


def large_branches(*, count: int, then_join: bool = False) -> dict[str, Any]:
    """Build a small segment with a large journal: so many branches, each of which emits 990 kB."""
    steps: list[dict[str, Any]] = [
        {"step_id": "split", "type": "parallel_split", "config": {"items": f"list(range({count}))"}},
        {"step_id": "big", "type": "transform", "config": {"expression": "['x' * 99000 for n in range(10)]"}},
        {"step_id": "join", "type": "parallel_join", "config": {}},
    ]
    edges = [
        {"from": "split", "from_port": "branch_1", "to": "big"},
        {"from": "big", "to": "join", "to_port": "branch_1"},
    ]
    return {
        "version": "1.0",
        "segment_id": "large",
        "name": "Large",
        "entrypoint": "split",
        "params": {"parallel_execution": True},
        "steps": steps if then_join else steps[:2],
        "edges": edges if then_join else edges[:1],
    }
