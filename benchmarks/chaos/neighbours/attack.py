"""An attack: what one tenant does, and what makes it bite."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.chaos.neighbours.attacker import Attacker


@dataclass(frozen=True)
class Attack:
    """One attack: work that a tenant makes flat out, and the bound that stands against it.

    Attributes:
        does: In a few words.
        go: Does it; calls ``Attacker.begin`` when it is prepared.
        settings: With these the platform is without the attack's bound.
        without: The same for bounds that are no settings; see ``without.py``.
        stays: Why the bound cannot be removed, where it cannot; then only the attack with its bound is measured.
    """

    does: str
    go: Callable[[Attacker], Awaitable[None]]
    settings: Mapping[str, str] = field(default_factory=dict)
    without: Mapping[str, Any] = field(default_factory=dict)
    stays: str = ""


def step(step_id: str, kind: str, **config: Any) -> dict[str, Any]:
    """A step of a segment."""
    return {"step_id": step_id, "type": kind, "config": config}


def edge(source: str, target: str, port: str = "", to_port: str = "", condition: str = "") -> dict[str, Any]:
    """An edge of a segment."""
    found = {"from": source, "to": target, "from_port": port, "to_port": to_port, "condition": condition}
    return {name: text for name, text in found.items() if text}


def segment(
    segment_id: str, steps: list[dict[str, Any]], edges: list[dict[str, Any]] | None = None, **fields: Any
) -> dict[str, Any]:
    """A segment that begins with its first step."""
    return {
        "version": "1.0",
        "segment_id": segment_id,
        "name": segment_id,
        "entrypoint": steps[0]["step_id"],
        "steps": steps,
        "edges": edges or [],
        **fields,
    }


def per_item(segment_id: str, items: str, kind: str, *, joined: bool = False, **config: Any) -> dict[str, Any]:
    """A segment that does one step for each item of a list, and gathers them where that is asked for."""
    steps = [step("split", "parallel_split", items=items), step("each", kind, **config)]
    edges = [edge("split", "each", port="branch_1")]
    if joined:
        steps.append(step("join", "parallel_join"))
        edges.append(edge("each", "join", to_port="branch_1"))
    return segment(segment_id, steps, edges, params={"parallel_execution": True, "max_parallel_steps": 64})
