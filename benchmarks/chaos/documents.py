"""The segments of the load: parallel, looping, retrying; each with an output that can be computed beforehand."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

BRANCHES = 4
PASSES = 4
RETRY = {"max_attempts": 6, "initial_seconds": 0.05, "factor": 2, "max_seconds": 0.4}
FLAKY = "flaky"
"""Steps whose id begins so are answered with 503 the first time."""
HELD = "held"
"""Steps whose id begins so are never answered."""


def parallel(upstream: str) -> dict[str, Any]:
    """A split into calls side by side, a join of all, a sum."""
    calls = [f"call_{number}" for number in range(BRANCHES)]
    steps = [
        _step("split", "parallel_split", branches=[f"branch_{call}" for call in calls]),
        *(_call(upstream, call, f"input.n + {number}") for number, call in enumerate(calls)),
        _step("join", "parallel_join"),
        _step("total", "transform", expression="sum([answer.n for answer in input])"),
    ]
    edges = [{"from": "split", "from_port": f"branch_{call}", "to": call} for call in calls]
    edges += [{"from": call, "to": "join", "to_port": f"branch_{call}"} for call in calls]
    return _segment("chaos_parallel", steps, [*edges, {"from": "join", "to": "total"}])


def looping(upstream: str) -> dict[str, Any]:
    """A call that is made again until the number has grown by the passes."""
    steps = [
        _call(upstream, "call", "input.n"),
        _step("again", "condition", expression=f"input.n < run.input.n + {PASSES}"),
        _step("total", "transform", expression="input.n"),
    ]
    edges = [
        {"from": "call", "to": "again"},
        {"from": "again", "from_port": "true", "to": "call"},
        {"from": "again", "from_port": "false", "to": "total"},
    ]
    return _segment("chaos_looping", steps, edges)


def retrying(upstream: str) -> dict[str, Any]:
    """Two calls in a row that succeed the second time only."""
    return _row(
        "chaos_retrying",
        _call(upstream, f"{FLAKY}_1", "input.n"),
        _call(upstream, f"{FLAKY}_2", "input.n"),
        _step("total", "transform", expression="input.n"),
    )


def held(upstream: str) -> dict[str, Any]:
    """One call that is never answered."""
    return _row("chaos_held", _call(upstream, HELD, "input.n"))


def blocking() -> dict[str, Any]:
    """A step that blocks its host's event loop."""
    return _row("chaos_blocking", _step("block", "chaos_block"))


LOAD: tuple[tuple[Callable[[str], dict[str, Any]], int, Callable[[int], int]], ...] = (
    (parallel, BRANCHES, lambda n: BRANCHES * n + sum(range(BRANCHES)) + BRANCHES),
    (looping, 1, lambda n: n + PASSES),
    (retrying, 1, lambda n: n + 2),
)
"""Each segment with how many calls it has in flight at most, and its output for ``{"n": n}``."""
WIDTHS = {"chaos_parallel": BRANCHES, "chaos_looping": 1, "chaos_retrying": 1, "chaos_held": 1}


def _call(upstream: str, step_id: str, number: str) -> dict[str, Any]:
    body = {"run": "{{ run.id }}", "step": step_id, "n": f"{{{{ {number} }}}}"}
    return {**_step(step_id, "http_action", url=f"{upstream}/calls", method="POST", body=body), "retry": RETRY}


def _step(step_id: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"step_id": step_id, "type": kind, "name": step_id, "config": config}


def _row(segment_id: str, *steps: dict[str, Any]) -> dict[str, Any]:
    names = [str(step["step_id"]) for step in steps]
    return _segment(segment_id, list(steps), [{"from": name, "to": following} for name, following in pairwise(names)])


def _segment(segment_id: str, steps: list[dict[str, Any]], edges: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": "1.0",
        "segment_id": segment_id,
        "name": segment_id,
        "entrypoint": steps[0]["step_id"],
        "params": {"timeout_seconds": 300, "parallel_execution": True},
        "steps": steps,
        "edges": edges,
    }
