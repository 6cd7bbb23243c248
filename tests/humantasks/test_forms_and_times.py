"""Forms that are made of the data, and times that follow from the config: pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humantasks.forms import MAX_BYTES, check, default_form, read_only_changes
from humantasks.schedule import Escalate, Expire, at_deadline, first_reminder, next_look_at
from kernel.schemas import SchemaUnusable
from kernel.values import size_of

NOW = datetime(2026, 11, 27, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_the_form_of_a_review_takes_the_data_it_is_made_of(value: Any) -> None:
    assert check("acme", default_form("review", value), value) == []


def test_a_form_holds_edited_data_to_its_shape() -> None:
    form = default_form("review", {"name": "x", "lines": [{"n": 1}, {"n": 2}], "paid": True})
    assert check("acme", form, {"name": "y", "lines": [], "paid": False}) == []
    wrong = check("acme", form, {"name": 1, "lines": [{"n": "one"}]})
    assert {(item.pointer, item.code) for item in wrong} == {
        ("/data/paid", "REQUIRED"),
        ("/data/name", "TYPE"),
        ("/data/lines/0/n", "TYPE"),
    }


def test_an_input_without_data_asks_for_one_answer() -> None:
    form = default_form("input", {})
    assert check("acme", form, {"answer": "yes"}) == []
    assert [item.pointer for item in check("acme", form, {})] == ["/data/answer"]
    assert check("acme", default_form("input", {"city": "Riga"}), {"city": "Tartu"}) == []


LINE = {"type": "object", "properties": {"sku": {"type": "string", "readOnly": True}, "count": {"type": "integer"}}}
WHO = {"id": {"readOnly": True}, "name": {}, "boss": {"$ref": "#/$defs/who"}}
ORDER = {
    "type": "object",
    "$defs": {"who": {"type": "object", "properties": WHO}},
    "properties": {
        "total": {"type": "number", "readOnly": True},
        "state": {"readOnly": True, "default": "new"},
        "note": {"type": "string"},
        "by": {"anyOf": [{"$ref": "#/$defs/who"}, {"type": "null"}]},
        "lines": {"type": "array", "items": LINE},
    },
}
SHOWN = {
    "total": 5,
    "note": "x",
    "by": {"id": 7, "name": "Ann", "boss": {"id": 8}},
    "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}],
    "beside": 1,
}


@pytest.mark.parametrize(
    ("changed", "pointers"),
    [
        ({}, []),
        ({"note": "y", "beside": 2, "state": "new"}, []),
        ({"by": {"id": 7, "name": "Bob", "boss": {"id": 8, "name": "Eve"}}}, []),
        ({"lines": [{"sku": "b", "count": 9}]}, []),
        ({"lines": [{"sku": "b"}, {"sku": "a"}, {"count": 4}]}, []),
        ({"total": 500}, ["/data/total"]),
        ({"total": None}, ["/data/total"]),
        ({"state": "paid"}, ["/data/state"]),
        ({"by": None}, ["/data/by/id", "/data/by/boss/id"]),
        ({"by": {"id": 7, "boss": {"id": 9}}}, ["/data/by/boss/id"]),
        ({"lines": [{"sku": "a"}, {"sku": "c", "count": 2}]}, ["/data/lines/1/sku"]),
        ({"lines": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]}, ["/data/lines/2/sku"]),
    ],
)
def test_what_is_only_shown_is_not_changed(changed: dict[str, Any], pointers: list[str]) -> None:
    assert [one.pointer for one in read_only_changes(ORDER, SHOWN, {**SHOWN, **changed})] == pointers


def test_what_is_only_shown_is_not_left_out_and_forms_without_an_end_are_walked_once() -> None:
    left_out = {name: value for name, value in SHOWN.items() if name != "total"}
    assert [one.code for one in read_only_changes(ORDER, SHOWN, left_out)] == ["READ_ONLY"]
    members = {f"m{number}": {"$ref": "#"} for number in range(200)}
    endless = {"type": "object", "properties": {**members, "rows": {"type": "array", "items": {"$ref": "#"}}}}
    assert read_only_changes(endless, {"rows": [{}]}, {"rows": [{"m1": {}}]}) == []


def test_findings_name_the_rule_and_never_the_value() -> None:
    form = {"type": "object", "properties": {"iban": {"type": "string", "maxLength": 3, "format": "date"}}}
    found = check("acme", form, {"iban": "LV80BANK"})
    assert {item.code for item in found} == {"MAXLENGTH", "FORMAT"}
    assert "LV80" not in str(found)


@pytest.mark.parametrize("pattern", ["(", "(?P<n", "[", "(" * 50_000, "(?:" * 2_000], ids=lambda pattern: pattern[:9])
def test_a_pattern_that_is_none_is_a_finding_whatever_it_is(pattern: str) -> None:
    form = {"type": "object", "properties": {"rule": {"format": "regex"}}}
    assert check("acme", form, {"rule": "^[a-z]+$"}) == []
    assert check("acme", form, {"rule": "a{99999999999}"}) == [], "well written, if useless"
    assert [(item.pointer, item.code) for item in check("acme", form, {"rule": pattern})] == [("/data/rule", "FORMAT")]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-11-29", "29.11.2026"),
        ("date-time", "2026-11-29T10:30:00Z", "yesterday"),
        ("email", "ann@example.com", "ann"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "2001:db8::1", "2001:db8::1::2"),
        ("uuid", "01a20c5e-0f10-757c-bbf4-2950405a5b83", "01a20c5e"),
        ("uri", "https://example.com/a", "not a uri"),
        ("idn-hostname", "bücher.example", "-a-"),
        ("ours", "anything", None),
    ],
)
def test_a_form_checks_formats(name: str, good: str, bad: str | None) -> None:
    form = {"type": "object", "properties": {"a": {"format": name}}}
    assert check("acme", form, {"a": good}) == []
    if bad is not None:
        assert [item.detail for item in check("acme", form, {"a": bad})] == [f"This is no {name}."]


def test_the_form_of_large_data_is_bounded_and_takes_it() -> None:
    few = {f"member_{n}": {"a": n} for n in range(50)}
    assert default_form("review", few)["properties"]["member_7"]["properties"] == {"a": {"type": "number"}}
    data = {f"member_{n}": {"a": {"b": "x"}} for n in range(20_000)}
    form = default_form("review", data)
    assert size_of(form) <= MAX_BYTES
    assert check("acme", form, data) == []


def test_a_form_that_reaches_outside_is_refused() -> None:
    with pytest.raises(SchemaUnusable):
        check("acme", {"$ref": "https://example.com/schema"}, {})


@pytest.mark.parametrize(
    ("level", "chain", "on_timeout", "connected", "step"),
    [
        (0, ["a", "b"], "", [], Escalate("a", 1)),
        (1, ["a", "b"], "fail", [], Escalate("b", 2)),
        (2, ["a", "b"], "", ["timeout"], Expire("timeout")),
        (2, ["a", "b"], "escalate", [], Expire(None)),
        (0, [], "", [], Expire(None)),
        (0, [], "", ["timeout"], Expire("timeout")),
        (0, [], "fail", ["timeout"], Expire(None)),
        (0, [], "rejected", ["rejected"], Expire("rejected")),
    ],
)
def test_a_deadline_brings_the_chain_and_then_what_the_step_says(
    level: int, chain: list[str], on_timeout: str, connected: list[str], step: Escalate | Expire
) -> None:
    assert at_deadline(level=level, chain=chain, on_timeout=on_timeout, connected=connected) == step


def test_reminders_come_before_the_deadline_only() -> None:
    due = NOW + timedelta(hours=5)
    assert first_reminder(NOW, due, 2) == NOW + timedelta(hours=2)
    assert first_reminder(NOW, due, 5) is None
    assert first_reminder(NOW, due, None) is None
    assert next_look_at(due, NOW + timedelta(hours=2)) == NOW + timedelta(hours=2)
    assert next_look_at(due, None) == due
