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
