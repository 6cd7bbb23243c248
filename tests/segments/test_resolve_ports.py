from typing import Any

import pytest

from segments.catalog import StepType
from segments.definition import SegmentDefinition, Step, read_segment
from segments.definition.ports import (
    EdgeIndex,
    StepPorts,
    branch_names,
    resolve_ports,
    resolve_source_ports,
    resolve_target_port,
)
from tests.support.stand_in_catalog import document, stand_in_catalog

CATALOG = stand_in_catalog()


def first_step(
    type_id: str, *edges: str, outputs: list[str] | None = None, **config: Any
) -> tuple[SegmentDefinition, Step, StepType, StepPorts]:
    """Step ``a`` of the type with edges to ``b`` and ``c``."""
    given = {**config, "step": {"ports": {"output": outputs or []}}}
    segment = read_segment(document({f"a:{type_id}": given, "b": {}, "c": {}}, list(edges))).segment
    assert segment is not None
    step = segment.steps[0]
    return segment, step, CATALOG[type_id], resolve_ports(segment, step, CATALOG[type_id])


def left_by(type_id: str, *edges: str, **more: Any) -> list[tuple[str, ...]]:
    segment, step, step_type, ports = first_step(type_id, *edges, **more)
    return [resolve_source_ports(edge, step, step_type, ports) for edge in segment.edges]


@pytest.mark.parametrize(
    ("type_id", "outputs", "edges", "expected"),
    [
        ("transform", None, ["a -> b", "a.output -> b", "a.error -> c"], [("output",), ("output",), ("error",)]),
        ("http_action", None, ["a -> b", "a.output -> b"], [("response",), ("response",)]),
        ("http_action", None, ["a.status -> b"], [("status",)]),
        ("http_action", ["result"], ["a.result -> b", "a.response -> b"], [("response",), ("response",)]),
        ("http_action", ["result", "code"], ["a.result -> b", "a.code -> c"], [("response",), ("status",)]),
        ("http_action", ["status", "result"], ["a.result -> b", "a.status -> c"], [("response",), ("status",)]),
        ("http_action", ["output", "code"], ["a.output -> b", "a.code -> c"], [("response",), ("status",)]),
        ("human_task", ["yes", "no"], ["a.yes -> b", "a.no -> c", "a.modified -> c"],
         [("approved",), ("rejected",), ("modified",)]),
        ("human_task", ["approved", "rejected"], ["a.approved -> b"], [("approved",)]),
        ("condition", ["yes", "no"], ["a.yes -> b", "a.no -> c"], [("true",), ("false",)]),
        ("llm_agent", ["answer"], ["a.answer -> b", "a -> b"], [("output",), ("output",)]),
        ("llm_agent", ["answer", "sources"], ["a.answer -> b", "a.sources -> c"], [("output",), ("sources",)]),
        ("llm_agent", ["output", "sources"], ["a.output -> b", "a.sources -> c"], [("output",), ("sources",)]),
        ("transform", None, ["a.other -> b"], [()]),
        ("human_task", ["u", "v", "w", "x", "y"], ["a.x -> b", "a.y -> c"], [("timeout",), ()]),
    ],
)  # fmt: skip
def test_names_of_outputs_mean_card_ports(
    type_id: str, outputs: list[str] | None, edges: list[str], expected: list[tuple[str, ...]]
):
    assert left_by(type_id, *edges, outputs=outputs) == expected


def test_further_names_of_a_type_with_one_data_port_are_keys_of_the_result():
    *_, ports = first_step("llm_agent", outputs=["answer", "sources", "score"])
    assert ports.key_ports == ("sources", "score")
    assert ports.outputs == ("output", "truncated", "error", "sources", "score")


@pytest.mark.parametrize(
    ("config", "edges", "expected"),
    [
        ({}, ["a -> b ? output.x", "a -> c ? else"], [("true", "false"), ("true", "false")]),
        ({}, ["a.output -> b ? output.x"], [("true", "false")]),
        ({"true_branch": "b", "false_branch": "c"}, ["a -> b", "a -> c"], [("true",), ("false",)]),
        ({"true_branch": "b", "false_branch": "c"}, ["a.output -> c"], [("false",)]),
        ({"true_branch": "b", "false_branch": "b"}, ["a -> b"], [("true", "false")]),
        ({"true_branch": ["b"]}, ["a -> b"], [()]),
        ({}, ["a -> b"], [()]),
        ({}, ["a.output -> b"], [("true",)]),
        ({}, ["a.true -> b ? output.x"], [("true",)]),
    ],
)
def test_an_edge_out_of_a_condition_without_a_port_leaves_by_what_else_is_said(
    config: dict[str, Any], edges: list[str], expected: list[tuple[str, ...]]
):
    assert left_by("condition", *edges, expression="input", **config) == expected


@pytest.mark.parametrize(
    ("outputs", "config", "edges", "expected"),
    [
        (None, {}, [], ("branch_1", "branch_2")),
        (None, {"branches": 3}, [], ("branch_1", "branch_2", "branch_3")),
        (None, {"branches": ["left", "right"]}, [], ("left", "right")),
        (["x", "y"], {"branches": 3}, [], ("x", "y")),
        (["x", "error"], {}, [], ("x",)),
        (None, {"branches": 2}, ["a.branch_7 -> b", "a.other -> c"], ("branch_1", "branch_2", "branch_7")),
        (None, {"branches": "many"}, [], ()),
    ],
)
def test_a_split_has_the_branches_it_names(
    outputs: list[str] | None, config: dict[str, Any], edges: list[str], expected: tuple[str, ...]
):
    *_, ports = first_step("parallel_split", *edges, outputs=outputs, **config)
    assert ports.outputs == expected


def test_an_edge_out_of_a_split_without_a_port_leaves_by_the_first_branch():
    assert left_by("parallel_split", "a -> b", "a.branch_2 -> c", "a.other -> c") == [("branch_1",), ("branch_2",), ()]


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        (2, ("branch_1", "branch_2")),
        (["a", "b", "a"], ("a", "b")),
        ([], ()),
        (["a", 1], None),
        (["a", ""], None),
        (1, None),
        (1001, None),
        (True, None),
        ("2", None),
        (None, None),
    ],
)
def test_branches_are_a_number_or_names(branches: Any, expected: tuple[str, ...] | None):
    assert branch_names(branches) == expected


@pytest.mark.parametrize(
    ("type_id", "inputs", "edge", "expected"),
    [
        ("transform", None, "s -> a", "input"),
        ("transform", None, "s -> a.left", "left"),
        ("transform", ["data"], "s -> a", "data"),
        ("transform", ["left", "right"], "s -> a", "input"),
        ("http_action", None, "s -> a", "body"),
        ("human_task", None, "s -> a", "data"),
        ("parallel_join", None, "s -> a", "input"),
        ("parallel_join", None, "s -> a.left", "left"),
    ],
)
def test_an_edge_leads_into_the_port_it_names_or_the_only_one(
    type_id: str, inputs: list[str] | None, edge: str, expected: str
):
    segment = read_segment(
        document({"s": {}, f"a:{type_id}": {"step": {"ports": {"input": inputs or []}}}}, [edge])
    ).segment
    assert segment is not None
    step = segment.steps[1]
    assert resolve_target_port(segment.edges[0], step, CATALOG[type_id]) == expected
    assert resolve_ports(segment, step, CATALOG[type_id], EdgeIndex(segment)).inputs == (expected,)
