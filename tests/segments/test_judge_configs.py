import dataclasses
from typing import Any, Literal

import pytest
from pydantic import Field

from segments.catalog import Catalog, Port, StepConfig
from tests.support.stand_ins import document, judged, stand_in_catalog

CALL = {"url": "https://shop.example/orders"}
ASK = {"prompt": "Say hello", "llm_ref": "default"}


def test_integers_may_flow_into_numbers_but_not_lists_into_objects():
    transform = stand_in_catalog()["transform"]
    number = dataclasses.replace(transform, type_id="sum", input_ports=(Port("input", "number"),))
    catalog = Catalog({**stand_in_catalog(), "sum": number})
    fits = document({"a:http_action": CALL, "b:sum": {}}, ["a.status -> b"])
    assert judged(fits, catalog=catalog) == []
    misfit = document({"a:http_action": CALL, "b:sum": {}}, ["a.response -> b"])
    assert judged(misfit, catalog=catalog) == [("PORT_TYPE", "/edges/0")]


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
