"""Cursors and pages."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import new_id
from kernel.paging import CursorRefused, Page, Position, page_body, read_cursor, write_cursor


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))])), st.uuids())
def test_a_cursor_reads_back_as_it_was_written(at: datetime, row_id: object) -> None:
    position = Position(at=at, id=row_id)  # type: ignore[arg-type]  # the strategy's type is wider
    text = write_cursor(position)
    assert read_cursor(text) == position
    assert text.isascii()
    assert set(text).isdisjoint("+/=&?# ")


@given(st.text(max_size=120) | st.text("MjAyNi0xMS0_yNFQwN==", max_size=120))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorRefused):
        read_cursor(text)


def test_a_cursor_changed_in_any_letter_is_another_or_none() -> None:
    position = Position(at=datetime(2026, 11, 24, 7, tzinfo=UTC), id=new_id())
    text = write_cursor(position)
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        try:
            assert read_cursor(changed) != position
        except CursorRefused:
            continue
    with pytest.raises(CursorRefused):
        read_cursor(text + "=")


def test_the_next_page_is_this_address_with_another_cursor() -> None:
    body = page_body(Page([1, 2], "next"), str, "https://host/list?status=a%2Cb&cursor=old&limit=2")
    assert orjson.loads(orjson.dumps(body)) == {
        "data": ["1", "2"],
        "next_cursor": "next",
        "next_url": "https://host/list?status=a%2Cb&limit=2&cursor=next",
    }
    assert page_body(Page([], None), str, "https://host/list")["next_url"] is None
