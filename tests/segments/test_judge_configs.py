import dataclasses
from typing import Any, Literal

import pytest
from pydantic import Field

from segments.catalog import Catalog, Port, StepConfig
from tests.support.stand_in_catalog import document, judged, stand_in_catalog

CALL = {"url": "https://shop.example/orders", "method": "GET"}
ASK = {"prompt": "Say hello", "llm_ref": "default"}


def test_integers_may_flow_into_numbers_but_not_lists_into_objects():
    transform = stand_in_catalog()["transform"]
    number = dataclasses.replace(transform, type_id="sum", input_ports=(Port("input", "number"),))
    catalog = Catalog({**stand_in_catalog(), "sum": number})
    fits = document({"a:http_action": CALL, "b:sum": {}}, ["a.status -> b"])
    assert judged(fits, catalog=catalog) == []
    violation = document({"a:http_action": CALL, "b:sum": {}}, ["a.response -> b"])
    assert judged(violation, catalog=catalog) == [("PORT_TYPE", "/edges/0")]


LABEL = {"type": "object", "properties": {"label": {"type": "string"}}}


@pytest.mark.parametrize(
    ("steps", "edges"),
    [
        ({"a:llm_agent": ASK, "b:llm_agent": ASK}, ["a -> b"]),
        ({"a:llm_agent": {**ASK, "response_schema": LABEL}, "b:http_action": CALL}, ["a -> b"]),
        ({"a:llm_agent": ASK, "b:human_task": {"task_type": "approval"}, "c": {}}, ["a -> b", "b.approved -> c"]),
        ({"a:http_action": CALL, "b:llm_agent": ASK}, ["a.status -> b"]),
        ({"s": {}, "a:parallel_join": {}, "b:llm_agent": ASK}, ["s -> a", "a -> b"]),
        ({"s": {}, "a:parallel_join": {"merge_strategy": "any"}, "b:http_action": CALL}, ["s -> a", "a -> b"]),
    ],
)
def test_steps_that_take_any_value_are_warned_of_none(steps: Any, edges: list[str]):
    assert judged(document(steps, edges)) == []


@pytest.mark.parametrize(
    ("config", "takes", "is_fine"),
    [
        ({}, "array", True),
        ({}, "boolean", False),
        ({"response_as": "text"}, "string", True),
        ({"response_as": "text"}, "object", False),
        ({"pagination": {"next_link": True}}, "array", True),
        ({"pagination": {"next_link": True}}, "object", False),
        ({"select": "response.n"}, "boolean", True),
    ],
)
def test_an_answer_has_the_types_that_its_step_reads_it_as(config: Any, takes: str, is_fine: bool):
    strict = dataclasses.replace(stand_in_catalog()["transform"], type_id="strict", input_ports=(Port("input", takes),))
    catalog = Catalog({**stand_in_catalog(), "strict": strict})
    found = judged(document({"a:http_action": {**CALL, **config}, "b:strict": {}}, ["a -> b"]), catalog=catalog)
    assert found == ([] if is_fine else [("PORT_TYPE", "/edges/0")])


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("https://x.example/a", True),
        ("HTTP://x.example/{{ input.id }}", True),
        ("{{ input.url }}", True),
        ("{{ raw(input.base) }}/a", True),
        ("https{{ input.rest }}", True),
        ("x.example/a", False),
        ("x.example/{{ input.id }}", False),
        ("localhost:8080/a", False),
        ("//x.example/a", False),
        ("/a", False),
        ("ftp://x.example/a", False),
        ("https://x.example:x/a", False),
        ("https://[::1/a", False),
        ("https://x.example:99999/a", False),
        ("https://", False),
        ("https:///a", False),
        ("https://u:p@x.example/a", False),
        ("https://x .example/a", False),
    ],
)
def test_a_url_begins_with_its_scheme(url: str, is_fine: bool):
    found = judged(document({"a:http_action": {**CALL, "url": url}}))
    assert found == ([] if is_fine else [("SCHEMA_VIOLATION", "/steps/0/config/url")])


FORM = {"type": "object", "properties": {"a": {"type": "strin"}, "b": {"enum": 3}}, "required": "a"}


@pytest.mark.parametrize(
    ("name", "config", "place"),
    [
        ("a:llm_agent", {**ASK, "response_schema": FORM}, "/response_schema"),
        ("a:human_task", {"task_type": "input", "form": FORM}, "/form"),
        ("a:wait", {"call": {"schema": FORM}}, "/call/schema"),
    ],
)
def test_all_that_is_wrong_with_a_schema_is_told_at_its_place(name: str, config: Any, place: str):
    ends = [f"{place}/properties/a/type", f"{place}/properties/b/enum", f"{place}/required"]
    found = judged(document({name: config}), "error")
    assert sorted(found) == [("SCHEMA_VIOLATION", f"/steps/0/config{end}") for end in ends]
    inputs = judged({**document({"a": {}}), "input_schema": FORM}, "error")
    assert sorted(pointer for _, pointer in inputs) == [end.replace(place, "/input_schema") for end in ends]


class UnionConfig(StepConfig):
    """A config whose problems pydantic places below names of its own."""

    either: int | list[int] = 1
    kind: Literal["a"] = Field("a", validation_alias="sort")


def test_points_into_the_document_where_pydantic_names_branches_of_a_union():
    union = dataclasses.replace(stand_in_catalog()["transform"], type_id="union", config=UnionConfig)
    catalog = Catalog({"union": union})
    assert judged(document({"a:union": {"either": [1], "sort": "a"}}), catalog=catalog) == []
    assert judged(document({"a:union": {"either": ["x"], "sort": "b"}}), "error", catalog=catalog) == [
        ("SCHEMA_VIOLATION", "/steps/0/config/either"),
        ("SCHEMA_VIOLATION", "/steps/0/config/either/0"),
        ("SCHEMA_VIOLATION", "/steps/0/config/sort"),
    ]


class RequiredConfig(StepConfig):
    """A config that cannot do without a key."""

    needed: str


def test_says_which_key_of_a_config_is_missing():
    required = dataclasses.replace(stand_in_catalog()["transform"], type_id="required", config=RequiredConfig)
    catalog = Catalog({"required": required})
    assert judged(document({"a:required": {"needed": "x"}}), catalog=catalog) == []
    assert judged(document({"a:required": {}}), catalog=catalog) == [("MISSING_FIELD", "/steps/0/config/needed")]


@pytest.mark.parametrize(
    ("name", "config", "key"),
    [
        ("a:http_action", {**CALL, "retry_count": 2}, "retry_count"),
        ("a:parallel_split", {"branches": 2}, "branches"),
        ("a:parallel_join", {"merge_strategy": "all"}, "merge_strategy"),
        ("a:parallel_join", {"merge_strategy": "quorum", "count": 1}, "count"),
    ],
)
def test_what_the_plan_is_made_of_cannot_be_a_template_or_a_number_in_quotes(name: str, config: Any, key: str):
    assert judged(document({"s": {}, name: config}, ["s -> a"]), "error") == []
    for value in ("{{ input.n }}", "2"):
        flawed = document({"s": {}, name: {**config, key: value}}, ["s -> a"])
        assert judged(flawed, "error") == [("SCHEMA_VIOLATION", f"/steps/1/config/{key}")]
