"""Segments drawn as text, for cases and pages.

    each = split items ['p', 'q']       a split; without items its branches get the input
    each -> left, right                 one edge to each; the edges of a split leave by branch_1, branch_2 ...
    left -> both:a                      into a port
    check = if input == 'x(p)'          a condition, with the ports true and false
    check.true -> next                  out of a port
    next -> last [output != '']         with a condition on the edge
    both -> all = join quorum 2         a join: all (without a word), any, first, quorum n; `all wait` has all finish
    bad = fails                         a step that fails
    fixed = do 'fixed'                  a transform with its expression

A step nothing is said of is a transform that writes its name around its input: ``left(p)``; with several ports it
writes ``both<...&...>`` in the order of their names, ``-`` where nothing came.
"""

import re
from collections.abc import Iterable
from typing import Any

PLAIN = "str(input).replace('\"', '')"
_EDGE_CONDITION = re.compile(r"\s*\[(.*)\]$")
Step = dict[str, Any]


def drawn(lines: Iterable[str]) -> dict[str, Any]:
    """The segment of a drawing; its first step is the one named first."""
    ids: list[str] = []
    kinds: dict[str, str] = {}
    edges: list[dict[str, str]] = []
    for line in lines:
        if line.strip():
            _read(line.strip(), ids, kinds, edges)
    for step_id, kind in kinds.items():
        if kind.startswith("split"):
            _number_branches([edge for edge in edges if edge["from"] == step_id])
    return {
        "version": "1.0",
        "segment_id": "drawn",
        "name": "Drawn",
        "entrypoint": ids[0],
        "params": {"max_retries": 0, "timeout_seconds": 300, "parallel_execution": True},
        "steps": [_step(step_id, kinds.get(step_id, ""), edges) for step_id in ids],
        "edges": edges,
    }


def _read(line: str, ids: list[str], kinds: dict[str, str], edges: list[dict[str, str]]) -> None:
    condition = _EDGE_CONDITION.search(line) if "->" in line else None
    if condition:
        line = line[: condition.start()]
    before: list[str] = []
    for stop in line.split("->"):
        name, _, kind = stop.partition(" = ")
        group = [one.strip() for one in name.split(",")]
        for one in group:
            step_id = re.split(r"[.:]", one)[0]
            if step_id not in ids:
                ids.append(step_id)
            if kind:
                kinds[step_id] = kind.strip()
        found = [_edge(source, target) for source in before for target in group]
        edges += [edge | {"condition": condition[1]} if condition else edge for edge in found]
        before = group


def _edge(source: str, target: str) -> dict[str, str]:
    source_id, _, source_port = source.partition(":")[0].partition(".")
    target_id, _, target_port = target.partition(".")[0].partition(":")
    ports = {"from_port": source_port, "to_port": target_port}
    return {"from": source_id, "to": target_id, **{key: port for key, port in ports.items() if port}}


def _number_branches(edges: list[dict[str, str]]) -> None:
    for number, edge in enumerate(edges, start=1):
        edge.setdefault("from_port", f"branch_{number}")


def _step(step_id: str, kind: str, edges: list[dict[str, str]]) -> Step:
    word, _, rest = kind.partition(" ")
    into = sorted({edge.get("to_port", "input") for edge in edges if edge["to"] == step_id})
    match word:
        case "split":
            step = _split(step_id, rest, edges)
        case "join":
            step = _plain(step_id, "parallel_join", _policy(rest.split()))
        case "if":
            step = _plain(step_id, "condition", {"expression": rest})
        case "fails" | "do":
            step = _plain(step_id, "transform", {"expression": rest or "input.nope"})
        case _:
            step = _named(step_id, into)
    return step


def _split(step_id: str, rest: str, edges: list[dict[str, str]]) -> Step:
    ports = list(dict.fromkeys(edge["from_port"] for edge in edges if edge["from"] == step_id))
    ports += [f"branch_{number}" for number in range(len(ports) + 1, 3)]
    items = {"items": rest.removeprefix("items ")} if rest else {}
    step = _plain(step_id, "parallel_split", {"branches": len(ports), **items})
    return {**step, "ports": {"input": ["input"], "output": ports}}


def _named(step_id: str, into: list[str]) -> Step:
    if len(into) < 2:
        return _plain(step_id, "transform", {"expression": f"'{step_id}(' + {PLAIN} + ')'"})
    parts = " + '&' + ".join(f"str(get(inputs, '{port}', '-')).replace('\"', '')" for port in into)
    step = _plain(step_id, "transform", {"expression": f"'{step_id}<' + {parts} + '>'"})
    return {**step, "ports": {"input": into, "output": ["output"]}}


def _policy(words: list[str]) -> Step:
    strategy = words[0] if words else "all"
    config: Step = {"merge_strategy": strategy}
    if strategy == "quorum":
        config["count"] = int(words[1])
    if "wait" in words:
        config["on_branch_failure"] = "wait"
    return config


def _plain(step_id: str, type_id: str, config: Step) -> Step:
    return {"step_id": step_id, "type": type_id, "name": step_id, "config": config}
