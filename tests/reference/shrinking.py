"""Makes a segment that shows a difference as small as it can be, one change after the other."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Segment = Mapping[str, Any]
MOST_TRIES = 2_000


def shrink(segment: Segment, differs: Callable[[Segment], bool]) -> Segment:
    """Return the smallest segment found that still differs."""
    tries = 0
    smaller: Segment | None = segment
    while smaller is not None:
        segment, smaller = smaller, None
        for variant in _variants(segment):
            tries += 1
            if tries > MOST_TRIES:
                return segment
            if differs(variant):
                smaller = variant
                break
    return segment


def _variants(segment: Segment) -> Iterator[Segment]:
    steps, edges = segment["steps"], segment["edges"]
    removable = [step["step_id"] for step in steps if step["step_id"] != segment["entrypoint"]]
    for step_id in removable:
        left = [edge for edge in edges if step_id not in {edge["from"], edge["to"]}]
        yield _without(segment, step_id, left)
    for step_id in removable:
        yield from _bypassed(segment, step_id)
    for place in range(len(edges)):
        yield {**segment, "edges": edges[:place] + edges[place + 1 :]}
    for place, edge in enumerate(edges):
        if "condition" in edge:
            plain = {key: value for key, value in edge.items() if key != "condition"}
            yield {**segment, "edges": [*edges[:place], plain, *edges[place + 1 :]]}
    for place, step in enumerate(steps):
        expression = step["config"].get("expression", "")
        if "nope" not in expression and "inputs" not in expression and expression not in {"input", ""}:
            plain = {**step, "config": {"expression": "input"}}
            yield {**segment, "steps": [*steps[:place], plain, *steps[place + 1 :]]}


def _bypassed(segment: Segment, step_id: str) -> Iterator[Segment]:
    """Lead what came into a step to where its only edge led."""
    out = [edge for edge in segment["edges"] if edge["from"] == step_id and edge.get("from_port") != "error"]
    if len(out) != 1 or out[0]["to"] == step_id:
        return
    left = []
    for edge in segment["edges"]:
        if edge["to"] == step_id and edge["from"] not in {step_id, out[0]["to"]}:
            kept = {key: edge[key] for key in ("from", "from_port", "condition") if key in edge}
            left.append(kept | {key: out[0][key] for key in ("to", "to_port") if key in out[0]})
        elif step_id not in {edge["from"], edge["to"]}:
            left.append(edge)
    yield _without(segment, step_id, left)


def _without(segment: Segment, step_id: str, edges: list[Any]) -> Segment:
    return {**segment, "steps": [step for step in segment["steps"] if step["step_id"] != step_id], "edges": edges}


def picture(segment: Segment) -> str:
    """The segment in a few lines of text."""
    lines = []
    for step in segment["steps"]:
        leaving = [edge for edge in segment["edges"] if edge["from"] == step["step_id"]]
        targets = [
            f"{edge.get('from_port', '')}{'?' + edge['condition'] if 'condition' in edge else ''}"
            f"->{edge['to']}{'.' + edge['to_port'] if 'to_port' in edge else ''}"
            for edge in leaving
        ]
        config = ", ".join(f"{key}={value}" for key, value in step["config"].items())
        lines.append(
            f"{step['step_id']} {step['type']} ({config}) {' '.join(targets)}".replace(".replace('\"', '')", "")
        )
    return "\n".join(lines)
