"""Pages of a list, and the opaque text that says where the next one starts."""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

import orjson

from kernel.errors import ErrorItem, Invalid
from kernel.ids import parse_id

Row = TypeVar("Row")
MAX_CURSOR_LENGTH = 200
PAGE_BYTES: Final = 1024 * 1024
"""Bytes after which a page ends, whatever number of rows was asked for; a row that is larger is a page of its own."""
READ_BYTES: Final = 4 * PAGE_BYTES
"""Most bytes read for one page: what is too large to be shown is read before it is left out."""


class CursorRefused(Invalid):
    """The text is no cursor of ours."""

    code = "INVALID_CURSOR"
    title = "The cursor is not one this list gave out"

    def __init__(self) -> None:
        hint = "Send `next_cursor` of the last answer unchanged, or leave it out to start again."
        super().__init__(errors=[ErrorItem(code=self.code, detail=f"{self.title}.", hint=hint)])


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and where the next page starts; None after the last.

    Attributes:
        cursor_of: Says where a page starts behind a row. Without it the page cannot end earlier.
    """

    rows: list[Row]
    next_cursor: str | None
    cursor_of: Callable[[Row], str] | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page, in a list ordered by time and id."""

    at: datetime
    id: UUID


def write_cursor(position: Position) -> str:
    """Write a position as opaque text that is safe in a URL."""
    plain = f"{position.at.astimezone(UTC).isoformat()} {position.id}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Position:
    """Read what ``write_cursor`` wrote.

    Raises:
        CursorRefused: Anything else, down to the last character.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        at_text, _, id_text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(" ")
        at, row_id = datetime.fromisoformat(at_text), parse_id(id_text)
    except (UnicodeError, binascii.Error, ValueError):
        raise CursorRefused from None
    if row_id is None or at.tzinfo is None or len(text) > MAX_CURSOR_LENGTH:
        raise CursorRefused
    position = Position(at=at, id=row_id)
    if write_cursor(position) != text:
        raise CursorRefused
    return position


def fitting(sizes: Iterable[int], most: int) -> int:
    """Count the rows that fit below a bound; the first always does."""
    count = total = 0
    for size in sizes:
        total += size
        if count and total > most:
            break
        count += 1
    return count


def page_body(page: Page[Row], show: Callable[[Row], Any], url: str, *, parameter: str = "cursor") -> dict[str, Any]:
    """Write a page as every list of the API looks. It ends at 1 MiB, if its rows say where the next one starts then.

    Args:
        page: The rows.
        show: Writes one row.
        url: The absolute address this page was asked at; the next page's is the same but for one parameter.
        parameter: Which parameter says where a page starts.
    """
    written: list[orjson.Fragment] = []
    size, next_cursor = 0, page.next_cursor
    for row in page.rows:
        text = orjson.dumps(show(row), option=orjson.OPT_UTC_Z)
        size += len(text)
        if written and size > PAGE_BYTES and page.cursor_of is not None:
            next_cursor = page.cursor_of(page.rows[len(written) - 1])
            break
        written.append(orjson.Fragment(text))
    return {
        "data": written,
        "next_cursor": next_cursor,
        "next_url": None if next_cursor is None else _with(url, parameter, next_cursor),
    }


def _with(url: str, parameter: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(name, text) for name, text in parse_qsl(parts.query, keep_blank_values=True) if name != parameter]
    return urlunsplit(parts._replace(query=urlencode([*query, (parameter, value)])))
