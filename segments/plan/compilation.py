"""Compiler of a valid segment into a plan."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from kernel.types import Json
from segments.catalog import Catalog, Effect, Role, StepType
from segments.definition import Edge, SegmentDefinition, Step
from segments.definition.config import config_expressions, names_stored_prompt
from segments.definition.ports import EdgeIndex, StepPorts, resolve_ports, resolve_source_ports, resolve_target_port
from segments.expressions import Expression, parse
from segments.graph import Graph
from segments.plan.fan_outs import ELSE, FanOuts, Way
from segments.plan.model import (
    FIRST_SEMANTICS,
    FOURTH_SEMANTICS,
    SEMANTICS,
    GatherGroup,
    GatherPoint,
    JoinPolicy,
    OnUnknown,
    Plan,
    PlanEdge,
    PlanStep,
    RetryPolicy,
    Strategy,
    fails_early,
)
from segments.plan.points import (
    dominator_spans,
    gather_points,
    joins_of_empty_splits,
    points_on_every_way,
    reach_of_tokens,
    sources_of_gatherings,
)


def compile_plan(segment: SegmentDefinition, catalog: Catalog, *, semantics: int = SEMANTICS) -> Plan:
    """Compile a segment that validation found without errors.

    Steps the entrypoint does not lead to are left out, with their edges.

    Args:
        segment: The segment.
        catalog: The step types it uses, and more.
        semantics: The rules of the run, one of ``KNOWN_SEMANTICS``.

    Returns:
        The plan; equal segments and catalogs give equal plans.
    """
    step_types = {step.step_id: catalog[step.type] for step in segment.steps}
    by_step = EdgeIndex(segment)
    ports = {step.step_id: resolve_ports(segment, step, step_types[step.step_id], by_step) for step in segment.steps}
    by_id = {step.step_id: step for step in segment.steps}
    graph = Graph(list(by_id), [(edge.source, edge.target) for edge in segment.edges], segment.entrypoint)
    edges = _edges(segment, step_types, ports, graph)
    order = [step_id for step_id in graph.order if step_id in graph.reachable]
    entry_port = _entry_port(by_id[segment.entrypoint], edges)
    connected = _connected_ports(order, edges, segment.entrypoint, entry_port)
    fan_outs = _fan_outs(segment, step_types, edges, graph)
    points, groups = gather_points(order, list(by_id), connected, fan_outs, semantics)
    own = {step_id: _own_facts(segment, by_id[step_id], step_types[step_id], ports[step_id]) for step_id in order}
    steps = _steps(own, connected, edges, points)
    early = [one for one in points if semantics != FIRST_SEMANTICS and fails_early(own[one.step_id]["join"])]
    by_items = [step_id for step_id in order if own[step_id]["items"]]
    referenced = _referenced(segment, step_types, edges)
    waits_for_call = {one for one in order if step_types[one].waits_for_call(by_id[one].config)}
    reach = reach_of_tokens(order, edges, points, groups, graph)
    return Plan(
        semantics=semantics,
        segment_id=segment.segment_id,
        entrypoint=segment.entrypoint,
        entry_port=entry_port,
        steps=steps,
        exits=tuple(step_id for step_id, step in steps.items() if not step.edges),
        points=points,
        groups=groups,
        **reach,
        comes_from=sources_of_gatherings(order, points, reach["reaches"]),
        leads_only_to=points_on_every_way(order, early, graph),
        empty_joins=joins_of_empty_splits(by_items, points, groups, graph, semantics),
        spans=dominator_spans(order, graph),
        dominators=_dominators(groups) if semantics > FOURTH_SEMANTICS else frozenset(),
        referenced=referenced | waits_for_call,
        called=referenced & waits_for_call,
        max_activations_per_step=segment.params.max_activations_per_step,
        max_activations_per_run=segment.params.max_activations_per_run,
        max_parallel_steps=segment.params.max_parallel_steps,
        timeout_seconds=segment.params.timeout_seconds,
    )


def _dominators(groups: Sequence[GatherGroup]) -> frozenset[str]:
    return frozenset(group.dominator for group in groups if group.dominator is not None)


def _steps(
    own: Mapping[str, "_OwnFacts"],
    connected: Mapping[str, tuple[str, ...]],
    edges: Sequence[PlanEdge],
    points: Sequence[GatherPoint],
) -> dict[str, PlanStep]:
    leaving: dict[str, list[PlanEdge]] = {step_id: [] for step_id in own}
    for edge in edges:
        leaving[edge.source].append(edge)
    waits: dict[str, list[GatherPoint]] = {step_id: [] for step_id in own}
    for point in points:
        waits[point.step_id].append(point)
    return {
        step_id: PlanStep(
            order=number,
            input_ports=connected[step_id],
            edges=tuple(leaving[step_id]),
            points=tuple(waits[step_id]),
            gathers=sum(1 << point.index for point in waits[step_id]),
            **facts,
        )
        for number, (step_id, facts) in enumerate(own.items())
    }


def _edges(
    segment: SegmentDefinition, step_types: Mapping[str, StepType], ports: Mapping[str, StepPorts], graph: Graph
) -> tuple[PlanEdge, ...]:
    by_id = {step.step_id: step for step in segment.steps}

    def compiled(index: int, edge: Edge) -> PlanEdge:
        source = by_id[edge.source]
        is_else = edge.condition is not None and edge.condition.strip() == ELSE
        return PlanEdge(
            index=index,
            source=edge.source,
            source_ports=resolve_source_ports(edge, source, step_types[edge.source], ports[edge.source]),
            target=edge.target,
            target_port=resolve_target_port(edge, by_id[edge.target], step_types[edge.target]),
            condition=None if edge.condition is None or is_else else parse(edge.condition),
            is_else=is_else,
        )

    return tuple(compiled(index, edge) for index, edge in enumerate(segment.edges) if edge.source in graph.reachable)


def _entry_port(entrypoint: Step, edges: Sequence[PlanEdge]) -> str:
    """The port the run's input comes in by: that of the loop back, if there is one; else the first declared."""
    looping = list(dict.fromkeys(edge.target_port for edge in edges if edge.target == entrypoint.step_id))
    if len(looping) == 1:
        return looping[0]
    declared = entrypoint.ports.input
    return declared[0] if declared else "input"


def _connected_ports(
    order: Sequence[str], edges: Sequence[PlanEdge], entrypoint: str, entry_port: str
) -> dict[str, tuple[str, ...]]:
    connected: dict[str, dict[str, None]] = {step_id: {} for step_id in order}
    connected[entrypoint][entry_port] = None
    for edge in edges:
        connected[edge.target][edge.target_port] = None
    return {step_id: tuple(ports) for step_id, ports in connected.items()}


def _fan_outs(
    segment: SegmentDefinition, step_types: Mapping[str, StepType], edges: Sequence[PlanEdge], graph: Graph
) -> FanOuts:
    ways = (
        Way(edge.source, edge.target, edge.source_ports, edge.target_port, segment.edges[edge.index].condition)
        for edge in edges
    )
    over_items = {step.step_id for step in segment.steps if _splits_items(step, step_types[step.step_id])}
    return FanOuts(graph, ways, step_types, over_items)


def _splits_items(step: Step, step_type: StepType) -> bool:
    return step_type.role is Role.SPLIT and step.config.get("items") is not None


def _referenced(
    segment: SegmentDefinition, step_types: Mapping[str, StepType], edges: Sequence[PlanEdge]
) -> frozenset[str]:
    expressions: list[Expression] = [edge.condition for edge in edges if edge.condition is not None]
    for step in segment.steps:
        expressions.extend(config_expressions(step_types[step.step_id], step.config))
    reads_prompts = any(names_stored_prompt(step_types[step.step_id], step.config) for step in segment.steps)
    if reads_prompts or any(expression.dynamic_steps for expression in expressions):
        return frozenset(step.step_id for step in segment.steps)
    return frozenset(step_id for expression in expressions for step_id in expression.steps | expression.called_steps)


class _OwnFacts(TypedDict):
    step_id: str
    type_id: str
    version: str
    role: Role
    effect: Effect
    config: Mapping[str, Json]
    retry: RetryPolicy
    timeout_seconds: float | None
    on_unknown: OnUnknown
    primary_port: str
    port_aliases: Mapping[str, str]
    key_ports: tuple[str, ...]
    fact_ports: tuple[str, ...]
    join: JoinPolicy | None
    items: bool


def _own_facts(segment: SegmentDefinition, step: Step, step_type: StepType, ports: StepPorts) -> _OwnFacts:
    """Give the facts a compiled step has of its own, whatever the graph around it."""
    return {
        "step_id": step.step_id,
        "type_id": step.type,
        "version": step_type.version,
        "role": step_type.role,
        "effect": step_type.effect,
        "config": step.config,
        "retry": retry_policy(segment, step, step_type),
        "timeout_seconds": step.timeout_seconds,
        "on_unknown": OnUnknown(step.on_unknown or OnUnknown.RETRY),
        "primary_port": ports.outputs[0] if step_type.role is Role.SPLIT else step_type.primary_port,
        "port_aliases": ports.aliases,
        "key_ports": ports.key_ports,
        "fact_ports": step_type.fact_ports,
        "join": _join(step, step_type),
        "items": _splits_items(step, step_type),
    }


def retry_policy(segment: SegmentDefinition, step: Step, step_type: StepType) -> RetryPolicy:
    """Say how often and when a step is tried again: as it says itself, else its config, else the segment."""
    if step.retry is None:
        return RetryPolicy(max_attempts=_retries(segment, step, step_type) + 1)
    return RetryPolicy(
        max_attempts=step.retry.max_attempts,
        initial_seconds=step.retry.initial_seconds,
        factor=step.retry.factor,
        max_seconds=step.retry.max_seconds,
    )


def _retries(segment: SegmentDefinition, step: Step, step_type: StepType) -> int:
    """Retries by ``config.retry_count``, else by the segment; a pure step that failed fails again."""
    if step_type.effect is Effect.PURE:
        return 0
    asked = step.config.get("retry_count")
    return asked if isinstance(asked, int) and not isinstance(asked, bool) else segment.params.max_retries


def _join(step: Step, step_type: StepType) -> JoinPolicy | None:
    if step_type.role is not Role.JOIN:
        return None
    strategy = step.config.get("merge_strategy", step.config.get("strategy", Strategy.ALL))
    count = step.config.get("count")
    fails_early = step.config.get("on_branch_failure") != "wait"
    return JoinPolicy(Strategy(str(strategy)), count if isinstance(count, int) else None, fails_early)
