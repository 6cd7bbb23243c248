"""Exports of other tools, known by their shape, and their words for what is written here. Pure."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from kernel.types import Json

_ITEMS_LOOKED_AT: Final = 50

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "steps": ("nodes", "states", "tasks", "modules", "actions", "flow"),
    "edges": ("connections", "links", "transitions", "wires"),
    "entrypoint": ("startat", "start", "start_at", "initial"),
    "step_id": ("id", "node_id", "key"),
    "config": ("parameters", "params", "data", "settings", "mapper", "inputs"),
}
_OURS: Final = {word: ours for ours, words in _KEYS.items() for word in words}


@dataclass(frozen=True, slots=True)
class ForeignExport:
    """Export of another tool.

    Attributes:
        tool: Its name.
        advice: What to do, as a hint.
    """

    tool: str
    advice: str


def foreign_export(document: Json) -> ForeignExport | None:
    """Recognise what is no segment but an export of another tool; None for all that has ``steps``."""
    if isinstance(document, dict) and document.get("steps") is not None:
        return None
    return next((export for is_one, export in _EXPORTS if is_one(document)), None)


def foreign_key_hint(key: str, known: Container[str]) -> str | None:
    """Say what another tool's name of a key is here; None where it is not known, or has no place there."""
    ours = _OURS.get(key.lower())
    return f"use `{ours}`" if ours in known and ours is not None else None


def _export_of(tool: str, part: str, way: str, more: str = "") -> ForeignExport:
    advice = (
        f"an export of {tool} is not read as it is: write each {part} as a step with `step_id`, `type` and `config`, "
        f"each {way} as an edge with `from` and `to`"
    )
    return ForeignExport(tool, advice + more)


def _at(value: Json, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _some(value: Json, key: str, kind: type) -> bool:
    """Whether a list has an object with such a member among its first items."""
    items = islice(value, _ITEMS_LOOKED_AT) if isinstance(value, list) else ()
    return any(isinstance(_at(item, key), kind) for item in items)


_GRAPH: Final = ("workflow", "graph", "nodes")
_BLUEPRINT: Final = ("blueprint", "flow")
_EXPORTS: Final[tuple[tuple[Callable[[Json], bool], ForeignExport], ...]] = (
    (
        lambda found: _some(_at(found, "flow") or _at(found, *_BLUEPRINT), "module", str),
        _export_of(
            "Make",
            "module of `flow`",
            "way from one to the next",
            ", a filter as the edge's `condition`; or have the scenario call a segment (docs/howto/make.md)",
        ),
    ),
    (
        lambda found: isinstance(_at(found, *_GRAPH), list),
        _export_of("Dify", "node of `workflow.graph`", "edge", "; `{{#node.text#}}` is `{{ steps.node.output }}` here"),
    ),
    (
        lambda found: isinstance(_at(found, "data", "nodes"), list),
        _export_of("Langflow", "node of `data.nodes`", "one of `data.edges`"),
    ),
    (
        lambda found: _some(found, "wires", list) or _some(_at(found, "flows"), "wires", list),
        _export_of("Node-RED", "node with `wires`", "wire", "; `msg.payload` is `input` here"),
    ),
    (
        lambda found: isinstance(_at(found, "States"), dict),
        _export_of(
            "Amazon States Language",
            "member of `States`",
            "`Next` or `Default`",
            ", `StartAt` as `entrypoint`: a Task is an `http_action`, a Choice a `condition`, a Pass a `transform`, "
            "a Map a `parallel_split`",
        ),
    ),
    (
        lambda found: all(isinstance(_at(found, "definition", key), dict) for key in ("triggers", "actions")),
        _export_of("Power Automate or Logic Apps", "member of `definition.actions`", "entry of its `runAfter`"),
    ),
    (
        lambda found: _at(found, "nodes") is not None or _some(found, "nodes", list),
        _export_of(
            "n8n or React Flow",
            "node",
            "connection",
            "; or have a workflow of n8n call a segment (docs/howto/n8n.md)",
        ),
    ),
)
