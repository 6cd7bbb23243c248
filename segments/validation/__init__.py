"""Validation of a segment before it runs, with all findings at once. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel.types import Json
from segments.catalog import Catalog
from segments.definition import Finding, SegmentDefinition
from segments.definition.findings import Findings
from segments.definition.reading import read_draft
from segments.validation.addresses import check_addresses
from segments.validation.config_refs import (
    check_assignee_refs,
    check_connection_refs,
    check_port_refs,
    check_prompt_refs,
    check_tool_connections,
)
from segments.validation.configs import check_configs
from segments.validation.context import NOTHING_KNOWN, Context, KnownNames
from segments.validation.edges import (
    check_conditions_on_items,
    check_declared_outputs,
    check_else_edges,
    check_missing_else,
    check_mixed_conditions,
    check_port_types,
    check_source_ports,
    check_split_branches,
    check_target_ports,
)
from segments.validation.expressions import check_expressions
from segments.validation.flow import (
    check_double_merges,
    check_fan_outs,
    check_loops,
    check_reachability,
    check_self_loops,
)
from segments.validation.identity import (
    check_duplicates,
    check_entrypoint,
    check_ids,
    check_references,
    check_types,
)
from segments.validation.joins import check_joins
from segments.validation.repeated_calls import check_calls_are_repeated
from segments.validation.repeated_joins import check_joins_fire_once
from segments.validation.run_schemas import check_run_schemas

RULES: tuple[Callable[[Context], None], ...] = (
    check_ids,
    check_duplicates,
    check_types,
    check_entrypoint,
    check_references,
    check_source_ports,
    check_split_branches,
    check_declared_outputs,
    check_target_ports,
    check_port_types,
    check_else_edges,
    check_mixed_conditions,
    check_conditions_on_items,
    check_missing_else,
    check_configs,
    check_addresses,
    check_calls_are_repeated,
    check_connection_refs,
    check_tool_connections,
    check_prompt_refs,
    check_assignee_refs,
    check_port_refs,
    check_expressions,
    check_self_loops,
    check_reachability,
    check_loops,
    check_joins,
    check_joins_fire_once,
    check_fan_outs,
    check_double_merges,
    check_run_schemas,
)


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict. ``segment`` is there when the document could be read without errors, even if it is not valid."""

    findings: tuple[Finding, ...]
    segment: SegmentDefinition | None
    valid: bool


def validate(document: Json, catalog: Catalog, known: KnownNames = NOTHING_KNOWN) -> Validation:
    """Judge a document as a segment.

    Args:
        document: Any JSON value.
        catalog: The step types it may use.
        known: What its owner has.

    Returns:
        At most 500 findings, errors first. Never raises; the time it takes is bounded, whatever the document.
    """
    findings = Findings()
    draft = read_draft(document, findings)
    is_readable = draft is not None and not findings.failed
    if draft is not None:
        context = Context(draft, catalog, findings, known)
        for rule in RULES:
            rule(context)
    return Validation(findings.all(), draft.segment if draft and is_readable else None, not findings.failed)


__all__ = ["NOTHING_KNOWN", "Finding", "KnownNames", "Validation", "validate"]
