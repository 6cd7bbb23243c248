"""A catalog in which every known type can run, and what a validation says in a form that is easily compared."""

from typing import Any

from humantasks.step import HumanTaskHandler
from runs.steps.condition import Condition
from runs.steps.fail import FailRun
from runs.steps.http_action import HttpAction
from runs.steps.llm_agent import LlmAgent
from runs.steps.parallel_join import ParallelJoin
from runs.steps.parallel_split import ParallelSplit
from runs.steps.transform import Transform
from runs.steps.wait import WaitStep
from segments.catalog import Catalog
from segments.validation import validate

KNOWN = (LlmAgent, HttpAction, HumanTaskHandler, Condition, ParallelSplit, ParallelJoin, Transform, WaitStep, FailRun)


def stand_in_catalog() -> Catalog:
    """The seven types, and two of ours."""
    return Catalog({known.step_type.type_id: known.step_type for known in KNOWN})


def judged(document: Any, *severities: str, catalog: Catalog | None = None) -> list[tuple[str, str]]:
    """The findings as (code, pointer); only those of the severities, if any are given."""
    findings = validate(document, catalog or stand_in_catalog()).findings
    return [(found.code, found.pointer) for found in findings if not severities or found.severity in severities]


def document(steps: dict[str, Any], edges: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """A segment in the canonical spelling.

    Args:
        steps: A config by id and type (``"fetch:http_action"``); without a type it is a transform. A value with the
            key ``step`` holds further keys of the step.
        edges: ``"a.port -> b.port ? condition"``, all but the ids optional.
        more: Further keys of the segment.
    """
    made = []
    for name, given in steps.items():
        step_id, _, type_id = name.partition(":")
        config = dict(given)
        made.append({"step_id": step_id, "type": type_id or "transform", **config.pop("step", {}), "config": config})
    first = made[0]["step_id"] if made else ""
    return {
        "version": "1.0",
        "segment_id": "sample",
        "name": "Sample",
        "entrypoint": first,
        "params": {"parallel_execution": True},
        "steps": made,
        "edges": [_edge(text) for text in edges or []],
        **more,
    }


def _edge(text: str) -> dict[str, str]:
    ends, _, condition = text.partition(" ? ")
    source, _, target = ends.partition(" -> ")
    edge = {}
    for key, end in (("from", source), ("to", target)):
        step_id, _, port = end.strip().partition(".")
        edge[key] = step_id
        if port:
            edge[f"{key}_port"] = port
    return {**edge, "condition": condition} if condition else edge
