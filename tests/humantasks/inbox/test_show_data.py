"""Data is shown readable, whole or with a count of what is left out, and never as a dump."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humantasks.inbox.value_view import DEEPEST, MAX_FOLDED, MAX_MEMBERS, MAX_NODES, MAX_ROWS, Column, Look, Node, show

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | st.text(max_size=600),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=60,
)


def nodes_of(node: Node) -> list[Node]:
    inner = [member.node for member in node.members]
    inner += [*node.items, *node.folded]
    inner += [cell for row in (*node.rows, *node.folded_rows) for cell in row]
    return [node, *(found for part in inner for found in nodes_of(part))]


@pytest.mark.parametrize(
    ("value", "look", "shown"),
    [
        ("yes", Look.TEXT, "yes"),
        ("", Look.NOTHING, None),
        (None, Look.NOTHING, None),
        ([], Look.NOTHING, None),
        ({}, Look.NOTHING, None),
        (True, Look.YES_NO, True),
        (False, Look.YES_NO, False),
        (0, Look.NUMBER, 0),
        (12.5, Look.NUMBER, 12.5),
        ("2026-11-27", Look.DATE, date(2026, 11, 27)),
        ("2026-11-27T10:00:00Z", Look.DATE_TIME, datetime(2026, 11, 27, 10, tzinfo=UTC)),
        ("2026-02-31", Look.TEXT, "2026-02-31"),
        ("on 2026-11-27", Look.TEXT, "on 2026-11-27"),
        ("https://evil.test/pixel.png", Look.TEXT, "https://evil.test/pixel.png"),
        ("<script>alert(1)</script>", Look.TEXT, "<script>alert(1)</script>"),
    ],
)
def test_a_single_value_looks_like_what_it_is(value: Any, look: Look, shown: Any) -> None:
    node = show(value)
    assert (node.look, node.value) == (look, shown)


def test_an_object_is_labels_and_values_in_its_order() -> None:
    node = show({"orderId": "A-1", "total_amount": 1250.5, "customer": {"first-name": "Ann"}})
    assert [member.label for member in node.members] == ["Order id", "Total amount", "Customer"]
    assert node.members[2].node.members[0].label == "First name"


def test_titles_of_the_form_are_the_labels() -> None:
    schema = {"properties": {"amt": {"title": "Amount, EUR"}, "kind": {"oneOf": [{"const": "r", "title": "Refund"}]}}}
    node = show({"amt": 3, "kind": "r"}, schema)
    assert [member.label for member in node.members] == ["Amount, EUR", "Kind"]
    assert node.members[1].node.value == "Refund"


def test_numbers_that_name_something_are_not_grouped() -> None:
    node = show({"order_id": 1234567, "year": 2026, "amount": 1234567})
    assert [member.node.look for member in node.members] == [Look.NAME, Look.NAME, Look.NUMBER]


def test_a_list_of_like_objects_is_a_table() -> None:
    node = show([{"sku": "a", "price": 1}, {"sku": "b", "price": 2, "note": None}])
    assert node.look == Look.TABLE
    assert node.columns == (Column("Sku", False), Column("Price", True), Column("Note", False))
    assert [[cell.value for cell in row] for row in node.rows] == [["a", 1, None], ["b", 2, None]]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([{"a": [1]}], id="deep"),
        pytest.param([{"a": "x" * 200}], id="long"),
        pytest.param([{f"k{n}": n for n in range(9)}], id="wide"),
        pytest.param([{"a": 1}, 2], id="mixed"),
        pytest.param([{}], id="empty"),
    ],
)
def test_other_lists_are_lists(value: Any) -> None:
    assert show(value).look == Look.LIST


def test_a_long_table_folds_and_counts_the_rest() -> None:
    node = show([{"n": n} for n in range(MAX_ROWS + MAX_FOLDED + 7)])
    assert (len(node.rows), len(node.folded_rows), node.more) == (MAX_ROWS, MAX_FOLDED, 7)


def test_a_long_list_folds_and_counts_the_rest() -> None:
    node = show(list(range(MAX_ROWS + MAX_FOLDED + 7)))
    assert (len(node.items), len(node.folded), node.more) == (MAX_ROWS, MAX_FOLDED, 7)


def test_a_large_object_counts_the_rest() -> None:
    node = show({f"k{n}": n for n in range(MAX_MEMBERS + 3)})
    assert (len(node.members), node.more) == (MAX_MEMBERS, 3)


def test_a_long_text_is_folded_with_its_beginning_and_kept_whole() -> None:
    text = "word " * 400
    node = show(text)
    assert node.look == Look.FOLDED
    assert node.value == text
    assert node.beginning.endswith("word…")
    assert len(node.beginning) < 170


def test_what_is_very_deep_is_told_in_words() -> None:
    value: Any = {"a": [1, "x", None, {"b": True}]}
    for _ in range(DEEPEST - 1):
        value = {"in": value}
    deepest = nodes_of(show(value))[-1]
    assert deepest.value == "1, x, -, B: true"


def test_a_value_of_any_size_stays_bounded() -> None:
    value: Any = [[["x"] * 100 for _ in range(50)] for _ in range(50)]
    node = show(value)
    assert len(nodes_of(node)) <= MAX_NODES + 1
    assert sum(part.more for part in nodes_of(node)) > 0


@settings(max_examples=150)
@given(VALUES)
def test_anything_can_be_shown_and_is_no_dump(value: Any) -> None:
    for node in nodes_of(show(value)):
        if isinstance(value, dict | list) and value and isinstance(node.value, str):
            assert node.value != json.dumps(value)
        assert node.value is None or not isinstance(node.value, dict | list)
        assert node.more == 0 or node.look in {Look.TABLE, Look.LIST, Look.MEMBERS}


@settings(max_examples=100)
@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=1000), max_size=8))
def test_no_text_is_lost(value: dict[str, str]) -> None:
    shown = [member.node for member in show(value).members]
    assert len(shown) == len(value)
    for node, text in zip(shown, value.values(), strict=True):
        assert node.value == text or node.look in {Look.DATE, Look.DATE_TIME}
