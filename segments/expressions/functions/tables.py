"""Functions that write and read JSON and CSV."""

import csv
import io
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final, cast

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import parse_json
from segments.expressions.errors import ExpressionFailed, LimitPassed
from segments.expressions.limits import MAX_TEXT, Fuel
from segments.expressions.values import MISSING, MadeList, MadeObject, json_text, kind_of, need, need_list, text_of

MAX_COLUMNS: Final = 1_000
_END: Final = "\0"
"""A line behind the last, which is a row of its own unless a quoted cell is open; no text holds it."""


def read_json(fuel: Fuel, text: Json, default: Json = MISSING, /) -> Json:
    """Read a text as JSON, integers beyond 2^53 as texts; with a default, that stands in for what is not JSON."""
    if default is not MISSING and not isinstance(text, str):
        return default
    source = cast("str", need("text", text, "`parse_json`"))
    if len(source) > MAX_TEXT:
        hint = "let the step that brings it read it"
        raise LimitPassed(f"`parse_json` reads at most {MAX_TEXT} characters.", hint=hint)
    fuel.spend_on_text(len(source) // 8)
    try:
        return parse_json(source, big_integers="text")
    except LlmteamError as error:
        if default is MISSING:
            reason = f"The text is not JSON: {error.detail}"
            raise ExpressionFailed(reason, hint="give a default: `parse_json(text, null)`") from None
        return default


def write_json(fuel: Fuel, value: Json, /) -> Json:
    """Write a value as compact JSON."""
    return json_text(fuel, value)


def write_csv(fuel: Fuel, rows: Json, columns: Json = None, /, *, delimiter: Json = ",", header: Json = True) -> Json:
    """Write a list of objects, or of lists, as CSV; columns are the keys, in the order in which they come first."""
    listed = need_list(fuel, rows, "`csv`")
    names = _columns(fuel, listed) if columns is None else _names(fuel, columns)
    made = io.StringIO()
    writer = csv.writer(made, delimiter=_delimiter(delimiter), lineterminator="\n")
    if header and names:
        writer.writerow(names)
    for row in listed:
        cells = [text_of(fuel, cell) for cell in _cells(row, names)]
        size = sum(map(len, cells))
        fuel.spend(3 + len(cells) // 2 + size // 16)
        writer.writerow(cells)
        if made.tell() > MAX_TEXT:
            break
    fuel.make_text(made.tell())
    return made.getvalue()


def read_csv(fuel: Fuel, text: Json, /, *, delimiter: Json = ",", header: Json = True) -> Json:
    """Read CSV as a list of objects by the names in its first line; without a header as a list of lists of texts."""
    source = cast("str", need("text", text, "`parse_csv`")).removeprefix("\ufeff")
    fuel.spend_on_text(len(source) // 16)
    rows = _read_rows(fuel, source, _delimiter(delimiter))
    if not header or not rows:
        return rows
    names = cast("list[str]", rows[0])
    if len(set(names)) < len(names):
        raise ExpressionFailed("Two columns of the CSV have one name.", hint="read it with `header=false`")
    return MadeList(_named_cells(fuel, names, cast("list[Json]", row), index) for index, row in enumerate(rows[1:], 1))


def _read_rows(fuel: Fuel, source: str, delimiter: str) -> MadeList:
    made = MadeList()
    try:
        for row in csv.reader(chain(io.StringIO(source, newline=""), [_END]), delimiter=delimiter):
            if row == [_END]:
                return made
            fuel.spend(2 + len(row) // 2)
            if row:
                made.append(MadeList(row))
                fuel.grow_list(len(made))
    except csv.Error:
        raise ExpressionFailed("The text cannot be read as CSV.") from None
    raise ExpressionFailed("The CSV ends within a quoted cell: a part of it is missing.")


def _named_cells(fuel: Fuel, names: list[str], row: list[Json], index: int) -> MadeObject:
    if len(row) > len(names):
        raise ExpressionFailed(f"Row {index} of the CSV has {len(row)} cells, and there are {len(names)} columns.")
    fuel.spend(1 + len(names) // 2)
    return MadeObject(zip(names, [*row, *[None] * (len(names) - len(row))], strict=True))


def _columns(fuel: Fuel, rows: Iterable[Json]) -> list[str]:
    found: dict[str, None] = {}
    for row in rows:
        if kind_of(row) == "object":
            fuel.spend(1 + len(cast("dict[str, Json]", row)) // 4)
            found.update(dict.fromkeys(cast("dict[str, Json]", row)))
            _bound(len(found))
    return list(found)


def _names(fuel: Fuel, columns: Json) -> list[str]:
    listed = need_list(fuel, columns, "The columns of `csv`")
    _bound(len(listed))
    return [str(need("text", name, "A column of `csv`")) for name in listed]


def _bound(columns: int) -> None:
    if columns > MAX_COLUMNS:
        hint = "name those you need: `csv(rows, ['a'])`"
        raise LimitPassed(f"`csv` writes at most {MAX_COLUMNS} columns.", hint=hint)


def _cells(row: Json, names: list[str]) -> list[Json]:
    if kind_of(row) == "object":
        return [cast("dict[str, Json]", row).get(name) for name in names]
    if isinstance(row, list):
        return row
    raise ExpressionFailed("`csv` needs a list of objects or of lists.")


def _delimiter(delimiter: Json) -> str:
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ExpressionFailed("The delimiter of CSV is one character.")
    return delimiter


TABLES: Final[dict[str, Callable[..., Json]]] = {
    "parse_json": read_json,
    "to_json": write_json,
    "json": write_json,
    "csv": write_csv,
    "parse_csv": read_csv,
}
