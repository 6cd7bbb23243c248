"""The segments that are measured, and what they are given."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

INPUT: dict[str, Any] = {"i": 1, "ok": True, "text": "x" * 150, "k": "v"}
"""About 200 bytes, as the floor's results; each no-op step hands it on."""
MODEL_STEP: dict[str, Any] = {"llm_ref": "default", "prompt": "Say something about {{ input.text }}"}
TYPES = {"llm": "llm_agent"}


def chain(kind: str, steps: int, *, seconds: float = 0.0) -> dict[str, Any]:
    """Steps of one type in a row: ``noop``, ``transform``, ``nap`` or ``llm``."""
    configs: dict[str, dict[str, Any]] = {
        "noop": {},
        "transform": {"expression": "input"},
        "nap": {"seconds": seconds},
        "llm": MODEL_STEP,
    }
    config = configs[kind]
    type_id = TYPES.get(kind, kind)
    names = [f"s{number}" for number in range(steps)]
    return _segment(
        f"chain_{kind}_{steps}",
        [_step(name, type_id, config) for name in names],
        [{"from": name, "to": following} for name, following in pairwise(names)],
    )


def branches(count: int, seconds: float, *, kind: str = "nap") -> dict[str, Any]:
    """A split into branches of one step each, a nap unless told otherwise, then a join of all."""
    type_id, config = TYPES.get(kind, kind), MODEL_STEP if kind == "llm" else {"seconds": seconds}
    naps = [f"nap_{number}" for number in range(1, count + 1)]
    split = _step("split", "parallel_split", {"branches": [f"branch_{name}" for name in naps]})
    edges = [{"from": "split", "from_port": f"branch_{name}", "to": name} for name in naps]
    edges += [{"from": name, "to": "join", "to_port": f"branch_{name}"} for name in naps]
    steps = [split, *(_step(name, type_id, config) for name in naps), _step("join", "parallel_join", {})]
    return _segment(f"branches_{count}", steps, edges, max_parallel_steps=max(64, count), parallel_execution=True)


def items(count: int, seconds: float) -> dict[str, Any]:
    """A split into one nap per item of the input's list, then a join of all; see ``items_input``."""
    steps = [
        _step("split", "parallel_split", {"branches": ["branch_1"], "items": "input.items"}),
        _step("nap", "nap", {"seconds": seconds}),
        _step("join", "parallel_join", {}),
    ]
    edges = [
        {"from": "split", "from_port": "branch_1", "to": "nap"},
        {"from": "nap", "to": "join", "to_port": "branch_1"},
    ]
    return _segment(f"items_{count}", steps, edges, max_parallel_steps=max(64, count), parallel_execution=True)


def items_input(count: int) -> dict[str, Any]:
    """Make the input of a segment of ``items``."""
    return {"items": [{**INPUT, "i": number} for number in range(count)]}


def layers(size: int) -> dict[str, Any]:
    """Layers of three transforms with three input ports, each fed by all of the layer before: about ``size`` steps."""
    names = [["start"] * 3, *([f"s{layer}_{number}" for number in range(3)] for layer in range(max(1, size // 3)))]
    ports = ["one", "two", "three"]
    steps = [_step("start", "transform", {"expression": "input"})]
    steps += [
        {**_step(name, "transform", {"expression": "inputs.one"}), "ports": {"input": ports, "output": ["output"]}}
        for layer in names[1:]
        for name in layer
    ]
    edges = [
        {"from": source, "to": target, "to_port": port}
        for before, after in pairwise(names)
        for target in after
        for source, port in zip(before, ports, strict=True)
    ]
    return _segment(f"layers_{len(names)}", steps, edges)


def loop(passes: int) -> dict[str, Any]:
    """A counter that a condition sends round again until it has made its passes."""
    steps = [
        _step("count", "transform", {"expression": "get(input, 'n', 0) + 1"}),
        _step("pack", "transform", {"mapping": {"n": "input"}}),
        _step("again", "condition", {"expression": f"input.n < {passes}"}),
        _step("end", "transform", {"expression": "input"}),
    ]
    edges = [
        {"from": "count", "to": "pack"},
        {"from": "pack", "to": "again"},
        {"from": "again", "from_port": "true", "to": "count"},
        {"from": "again", "from_port": "false", "to": "end"},
    ]
    return _segment(f"loop_{passes}", steps, edges, max_activations=10_000)


def asking() -> dict[str, Any]:
    """One step that asks people, and one behind it."""
    steps = [
        _step("ask", "human_task", {"timeout_hours": 720}),
        _step("end", "transform", {"expression": "input.decision"}),
    ]
    return _segment("asking", steps, [{"from": "ask", "from_port": "approved", "to": "end"}])


def _step(step_id: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"step_id": step_id, "type": kind, "name": step_id, "config": config}


def _segment(
    segment_id: str, steps: Sequence[dict[str, Any]], edges: Sequence[dict[str, Any]], **params: Any
) -> dict[str, Any]:
    return {
        "version": "1.0",
        "segment_id": segment_id,
        "name": segment_id,
        "entrypoint": steps[0]["step_id"],
        "params": {"timeout_seconds": 300, **params},
        "steps": list(steps),
        "edges": list(edges),
    }
