"""Forms that are made of the data, and times that follow from the config: pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humantasks.forms import FormUnusable, check, default_form
from humantasks.schedule import Escalate, Expire, at_deadline, first_reminder, look_at

NOW = datetime(2026, 11, 27, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_the_form_of_a_review_takes_the_data_it_is_made_of(value: Any) -> None:
    assert check(default_form("review", value), value) == []


def test_a_form_holds_edited_data_to_its_shape() -> None:
    form = default_form("review", {"name": "x", "lines": [{"n": 1}, {"n": 2}], "paid": True})
    assert check(form, {"name": "y", "lines": [], "paid": False}) == []
    wrong = check(form, {"name": 1, "lines": [{"n": "one"}]})
    assert {(item.pointer, item.code) for item in wrong} == {
        ("/data/paid", "REQUIRED"),
        ("/data/name", "TYPE"),
        ("/data/lines/0/n", "TYPE"),
    }


def test_an_input_without_data_asks_for_one_answer() -> None:
    form = default_form("input", {})
    assert check(form, {"answer": "yes"}) == []
    assert [item.pointer for item in check(form, {})] == ["/data/answer"]
    assert check(default_form("input", {"city": "Riga"}), {"city": "Tartu"}) == []


def test_findings_name_the_rule_and_never_the_value() -> None:
    form = {"type": "object", "properties": {"iban": {"type": "string", "maxLength": 3, "format": "date"}}}
    found = check(form, {"iban": "LV80BANK"})
    assert {item.code for item in found} == {"MAXLENGTH", "FORMAT"}
    assert "LV80" not in str(found)


def test_a_form_that_reaches_outside_is_refused() -> None:
    with pytest.raises(FormUnusable):
        check({"$ref": "https://example.com/schema"}, {})


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
    assert look_at(due, NOW + timedelta(hours=2)) == NOW + timedelta(hours=2)
    assert look_at(due, None) == due
