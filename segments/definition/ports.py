"""Ports of a segment's steps, resolved against their step types' cards: one rule for validation and the plan."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kernel.types import Json
from segments.catalog import ERROR_PORT, Role, StepType
from segments.definition.model import Edge, SegmentDefinition, Step

BRANCH_NAME = re.compile(r"branch_[0-9A-Za-z_]+")
DEFAULT_BRANCHES = 2
MIN_BRANCHES = 2
MAX_BRANCHES = 1_000


@dataclass(frozen=True, slots=True)
class StepPorts:
    """The ports of one step.

    Attributes:
        aliases: Each name the step declares or its edges use, and the card's port it means.
        key_ports: Names emitted when the result is an object with that key.
        outputs: What the step can emit, in order: the card's ports, or a split's branches, then the key ports.
        inputs: The input ports edges lead into, in the order of the edges.
    """

    aliases: Mapping[str, str]
    key_ports: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]


class EdgeIndex:
    """The edges of a segment by the step they leave and enter, made once so that a rule costs what it looks at."""

    def __init__(self, segment: SegmentDefinition) -> None:
        self.leaving: dict[str, list[Edge]] = {}
        self.entering: dict[str, list[Edge]] = {}
        for edge in segment.edges:
            self.leaving.setdefault(edge.source, []).append(edge)
            self.entering.setdefault(edge.target, []).append(edge)


def resolve_ports(
    segment: SegmentDefinition, step: Step, step_type: StepType, edges: EdgeIndex | None = None
) -> StepPorts:
    """Say which ports a step has, and what the names it uses mean.

    Args:
        segment: The segment the step is part of.
        step: The step.
        step_type: Its type.
        edges: The segment's edges, when the caller asks for many steps.

    Returns:
        The ports; unknown names are simply not among them.
    """
    edges = edges or EdgeIndex(segment)
    entering = edges.entering.get(step.step_id, ())
    inputs = tuple(dict.fromkeys(resolve_target_port(edge, step, step_type) for edge in entering))
    if step_type.role is Role.SPLIT:
        return _split_ports(step, edges.leaving.get(step.step_id, ()), inputs)
    card = tuple(port.name for port in step_type.output_ports)
    aliases = {name: name for name in card}
    key_ports: list[str] = []
    own = _config_ports(step, step_type, edges.leaving.get(step.step_id, ()), aliases)
    aliases.update((name, name) for name in own)
    _name_declared(step, step_type, aliases, key_ports)
    if card:
        aliases.setdefault("output", step_type.primary_port)
    return StepPorts(MappingProxyType(aliases), tuple(key_ports), (*card, *own, *key_ports), inputs)


def resolve_source_ports(edge: Edge, step: Step, step_type: StepType, ports: StepPorts) -> tuple[str, ...]:
    """Say by which of its step's ports an edge leaves.

    Args:
        edge: The edge.
        step: The step it leaves.
        step_type: That step's type.
        ports: That step's ports.

    Returns:
        One port; both outcomes for an edge out of a condition that has a condition of its own and no ``from_port``
        (or the contract's default, "output"); nothing when the name means no port, or when nothing says which outcome
        is meant.
    """
    if step_type.role is Role.CONDITION and edge.source_port in {None, "output"}:
        outcomes = _outcomes(edge, step)
        if outcomes or edge.source_port is None:
            return outcomes
    name = edge.source_port or "output"
    if name in ports.key_ports:
        return (name,)
    port = ports.aliases.get(name)
    return () if port is None else (port,)


def resolve_target_port(edge: Edge, step: Step, step_type: StepType) -> str:
    """Say into which input port of its target an edge leads.

    The name that is written counts. Else it is the one port the step declares or its card has; else ``input``.
    """
    if edge.target_port is not None:
        return edge.target_port
    declared = step.ports.input or tuple(port.name for port in step_type.input_ports)
    return declared[0] if len(declared) == 1 else "input"


def branch_names(branches: Json) -> tuple[str, ...] | None:
    """Read a split's ``branches``: a number of them or a list of their names; None when it is neither."""
    if isinstance(branches, list):
        names = [name for name in branches if isinstance(name, str) and name]
        return tuple(dict.fromkeys(names)) if len(names) == len(branches) else None
    if isinstance(branches, bool) or not isinstance(branches, int) or not MIN_BRANCHES <= branches <= MAX_BRANCHES:
        return None
    return tuple(f"branch_{number}" for number in range(1, branches + 1))


def _config_ports(step: Step, step_type: StepType, leaving: Iterable[Edge], card: Mapping[str, str]) -> tuple[str, ...]:
    """Give the ports a step has by its config: those it declares, or its edges leave by."""
    named = {*(step.ports.output or ()), *(edge.source_port for edge in leaving)}
    return tuple(name for name in step_type.config_ports(step.config) if name in named and name not in card)


def _name_declared(step: Step, step_type: StepType, aliases: dict[str, str], key_ports: list[str]) -> None:
    """Give the declared names the card does not know a meaning.

    Names the card knows mean that port. With one data port the first other name means it, unless the step declares
    that port itself; every further one is a key of the result. With several the others alias the remaining card
    ports in order. The error port, and one that stands in for the others, are meant only by their own names.
    """
    declared = step.ports.output or ()
    others = [name for name in declared if name not in aliases]
    data = step_type.data_ports
    free = [name for name in data if name not in declared]
    if data and "output" in others and "output" not in aliases:
        others.remove("output")
        aliases["output"] = step_type.primary_port
        free = [name for name in free if name != step_type.primary_port]
    aliases.update(zip(others, free, strict=False))
    if len(data) == 1:
        key_ports += others[len(free) :]


def _split_ports(step: Step, leaving: Iterable[Edge], inputs: tuple[str, ...]) -> StepPorts:
    """Give a split's branches: what it declares, else its config, and what its edges call ``branch_…``."""
    names = step.ports.output or branch_names(step.config.get("branches", DEFAULT_BRANCHES)) or ()
    used = [edge.source_port for edge in leaving if edge.source_port and BRANCH_NAME.fullmatch(edge.source_port)]
    outputs = tuple(dict.fromkeys((*(name for name in names if name != ERROR_PORT), *used)))
    aliases = {name: name for name in outputs}
    if outputs:
        aliases.setdefault("output", outputs[0])
    return StepPorts(MappingProxyType(aliases), (), outputs, inputs)


def _outcomes(edge: Edge, step: Step) -> tuple[str, ...]:
    if edge.condition is not None:
        return ("true", "false")
    named = (("true", step.config.get("true_branch")), ("false", step.config.get("false_branch")))
    return tuple(port for port, target in named if target == edge.target)
