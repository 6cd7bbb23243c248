"""Small segments, built in a line."""

from itertools import pairwise
from typing import Any


def step(step_id: str, type_id: str = "probe", **more: Any) -> dict[str, Any]:
    """One step; what is not a key of a step goes into its config."""
    own = {key: more.pop(key) for key in ("retry", "timeout_seconds", "on_unknown", "ports") if key in more}
    return {"step_id": step_id, "type": type_id, "name": step_id, "config": more, **own}


def segment(*steps: dict[str, Any], edges: list[dict[str, Any]] | None = None, **params: Any) -> dict[str, Any]:
    """A segment of the steps, one after the other unless edges are given."""
    chain = [{"from": a["step_id"], "to": b["step_id"]} for a, b in pairwise(steps)]
    return {
        "version": "1.0",
        "segment_id": "test_segment",
        "name": "Test",
        "entrypoint": steps[0]["step_id"],
        "params": {"max_retries": 0, "timeout_seconds": 300, "parallel_execution": True, **params},
        "steps": list(steps),
        "edges": chain if edges is None else edges,
    }
