from typing import Any

import pytest

from segments.definition.config import ConfigInvalid, TextKind, config_expressions, config_texts, resolve_config
from segments.expressions import ExpressionError
from tests.support.stand_in_catalog import stand_in_catalog

CATALOG = stand_in_catalog()
NAMES: dict[str, Any] = {"input": {"id": 7, "name": "Ann", "list": [1, 2]}, "name": "Ann"}


def resolved(type_id: str, **config: Any) -> dict[str, Any]:
    return resolve_config(CATALOG[type_id], config, NAMES).model_dump(exclude_unset=True)


def test_fills_in_templates_wherever_they_stand():
    config = {
        "url": "https://shop.example/orders/{{ input.id }}",
        "headers": {"x-name": "{{ name }}"},
        "query": {"ids": ["{{ input.id }}", "b", 1]},
        "body": {"whole": "{{ input.list }}", "plain": "{name}"},
    }
    assert resolved("http_action", **config) == {
        "url": "https://shop.example/orders/7",
        "headers": {"x-name": "Ann"},
        "query": {"ids": [7, "b", 1]},
        "body": {"whole": [1, 2], "plain": "{name}"},
    }
    assert config["headers"] == {"x-name": "{{ name }}"}


def test_keeps_expressions_as_text():
    assert resolved("transform", mapping={"x": "{{ input.id }}"}) == {"mapping": {"x": "{{ input.id }}"}}


def test_a_template_may_give_a_value_of_another_type():
    assert resolved("llm_agent", llm_ref="a", max_tokens="{{ input.id }}")["max_tokens"] == 7


@pytest.mark.parametrize(
    ("type_id", "config", "expected"),
    [
        ("human_task", {"title": "{{ n }}"}, {"title": "4711"}),
        ("human_task", {"description": "{{ input }}"}, {"description": '{"a":[1]}'}),
        ("human_task", {"assignee_ref": "{{ n }}"}, {"assignee_ref": "4711"}),
        ("human_task", {"title": "{{ nothing }}"}, {"title": None}),
        ("human_task", {"escalation_chain": ["{{ n }}"]}, {"escalation_chain": ["4711"]}),
        ("human_task", {"escalation_chain": "{{ [n, 'a'] }}"}, {"escalation_chain": ["4711", "a"]}),
        ("human_task", {"timeout_hours": "{{ n }}"}, {"timeout_hours": 4711}),
        ("http_action", {"url": "https://{{ host }}/{{ n }}"}, {"url": "https://a.example:81/4711"}),
        ("http_action", {"headers": {"x": "{{ true }}"}}, {"headers": {"x": "true"}}),
        ("http_action", {"headers": "{{ {'x': n, 'y': null} }}"}, {"headers": {"x": "4711"}}),
        ("http_action", {"body": {"x": "{{ n }}"}}, {"body": {"x": 4711}}),
        ("llm_agent", {"model": "{{ n }}"}, {"model": "4711"}),
        ("llm_agent", {"fallback": [{"llm_ref": "{{ n }}"}]}, {"fallback": [{"llm_ref": "4711"}]}),
        (
            "llm_agent",
            {"tools": [{"name": "t", "client_ref": "c", "path": "/a/{{ slash }}"}]},
            {"tools": [{"name": "t", "client_ref": "c", "path": "/a/x%2Fy"}]},
        ),
    ],
)
def test_a_field_of_text_is_given_text(type_id: str, config: dict[str, Any], expected: dict[str, Any]) -> None:
    names = {"n": 4711, "input": {"a": [1]}, "nothing": None, "host": "a.example:81", "slash": "x/y"}
    target = {"url": "https://a.example/"} if type_id == "http_action" and "url" not in config else {}
    found = resolve_config(CATALOG[type_id], {**target, **config}, names).model_dump(exclude_unset=True)
    assert {name: found[name] for name in expected} == expected


def test_prompts_read_single_braces_and_other_texts_do_not():
    filled = resolved("llm_agent", prompt="{name} {other} {{ name }}", model="{name}")
    assert filled["prompt"] == "Ann {other} Ann"
    assert filled["model"] == "{name}"


def test_keeps_unknown_keys_as_they_are():
    assert resolved("transform", expression="1", note="{{ name }}")["note"] == "{{ name }}"


def test_refuses_what_does_not_fit_once_it_is_filled_in_and_shows_no_value():
    assert resolved("llm_agent", max_tokens="{{ input.id }}") == {"max_tokens": 7}
    with pytest.raises(ConfigInvalid) as caught:
        resolved("llm_agent", max_tokens="{{ input.name }}")
    assert caught.value.code == "CONFIG_INVALID"
    assert [item.pointer for item in caught.value.errors] == ["/config/max_tokens"]
    assert "Ann" not in str(caught.value)


@pytest.mark.parametrize(
    ("type_id", "config", "place"),
    [
        ("llm_agent", {"model": "{{ input.nothing }}"}, "model"),
        ("http_action", {"headers": {"a": "b", "x-id": "{{ input.nothing }}"}}, "headers.x-id"),
        ("http_action", {"body": {"lines": [1, {"id": "{{ input.nothing }}"}]}}, "body.lines[1].id"),
    ],
)
def test_the_error_of_a_template_names_its_field(type_id: str, config: dict[str, Any], place: str):
    with pytest.raises(ExpressionError) as caught:
        resolved(type_id, **config)
    assert caught.value.place == place
    assert caught.value.sentence().startswith(f"{place}: The object has no key `nothing`.")


def test_reads_a_key_under_its_other_spelling():
    assert resolved("parallel_join", strategy="any") == {"merge_strategy": "any"}
    assert resolved("transform", mappings={"a": "input"}) == {"mapping": {"a": "input"}}


def test_lists_texts_with_their_places_and_kinds():
    texts = list(config_texts(CATALOG["transform"], {"mappings": {"a": ["input", 1]}, "default": "x", "note": "y"}))
    assert [(text.path, text.text, text.kind) for text in texts] == [
        (("mappings", "a", 0), "input", TextKind.EXPRESSION),
        (("default",), "x", TextKind.TEMPLATE),
    ]


def test_lists_the_expressions_of_texts_of_every_kind():
    config = {"prompt": "{name} {{ steps.a.output }}", "model": "{{ steps.b.output }} {{ input.x }}"}
    found = list(config_expressions(CATALOG["llm_agent"], config))
    assert sorted(sorted(one.steps) for one in found) == [[], ["a"], ["b"]]
    assert [one.source for one in config_expressions(CATALOG["condition"], {"field": "input.x"})] == ["input.x"]
