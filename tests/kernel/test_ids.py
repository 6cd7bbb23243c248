"""Identifiers and the clock."""

import uuid

import pytest

from kernel.clock import utc_now
from kernel.ids import new_id, parse_id


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = [new_id() for _ in range(1000)]
    assert made == sorted(made)
    assert {one.version for one in made} == {7}
    assert len(set(made)) == 1000


def test_an_id_is_read_back_in_either_case() -> None:
    one = new_id()
    assert parse_id(str(one)) == one == parse_id(str(one).upper())


@pytest.mark.parametrize(
    "text",
    ["", "x" * 36, "{%s}", "urn:uuid:%s", "%s ", "no-hyphens", "\0" * 36, "é" * 36, None, 7, b"x" * 36],
)
def test_another_spelling_is_no_id(text: object) -> None:
    one = str(uuid.UUID(int=7))
    assert parse_id(one) is not None
    assert parse_id(text % one if isinstance(text, str) and "%s" in text else text) is None
    assert parse_id(one.replace("-", "")) is None


def test_the_time_is_aware_and_utc() -> None:
    assert utc_now().utcoffset() is not None
    assert utc_now().utcoffset().total_seconds() == 0  # type: ignore[union-attr] # shown one line above
