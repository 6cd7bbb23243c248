"""Any JSON value as a tree that can be read: labels and values, sections, tables; never a dump. Pure.

Nothing is thrown away in silence: what is over a bound is counted (``Node.more``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from kernel.schemas.reading import EMPTY, Schema, as_schema, choices_of, label_of, resolve
from kernel.types import Json
from kernel.values import dump_json

DEEPEST: Final = 6
MAX_ROWS: Final = 20
MAX_FOLDED: Final = 480
MAX_MEMBERS: Final = 200
MAX_NODES: Final = 4_000
MAX_COLUMNS: Final = 6
MAX_CELL_LENGTH: Final = 80
MAX_OPEN_SECONDS: Final = 400
LINES_OPEN: Final = 8
BEGINNING: Final = 160
MARKDOWN: Final = "text/markdown"
"""Media type by which a form's schema, in ``contentMediaType``, has a text shown as Markdown."""

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})")
_NAME_WORDS: Final = frozenset({
    "id", "ids", "no", "nr", "number", "code", "key", "year", "zip", "postcode", "phone", "account", "iban", "index",
    "port", "version", "номер", "код", "год", "индекс",
})  # fmt: skip


class Look(StrEnum):
    """Looks of a node."""

    TEXT = "text"
    FOLDED = "folded"
    MARKDOWN = "markdown"
    NUMBER = "number"
    NAME = "name"
    YES_NO = "yes_no"
    NOTHING = "nothing"
    DATE = "date"
    DATE_TIME = "date_time"
    MEMBERS = "members"
    TABLE = "table"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Node:
    """A value as it is shown.

    Attributes:
        look: What it looks like.
        value: A text, a number, a yes or no, a date or an instant.
        beginning: The first words of a text that is folded.
        members: Of an object.
        items: Of a list.
        columns: Of a table.
        rows: A table's cells, row by row; ``folded`` has the further ones, or the further items of a list.
        more: How many further ones are not shown at all.
    """

    look: Look
    value: str | int | float | bool | date | None = None
    beginning: str = ""
    members: tuple["Member", ...] = ()
    items: tuple["Node", ...] = ()
    columns: tuple["Column", ...] = ()
    rows: tuple[tuple["Node", ...], ...] = ()
    folded: tuple["Node", ...] = ()
    folded_rows: tuple[tuple["Node", ...], ...] = ()
    more: int = 0

    @property
    def is_short(self) -> bool:
        """Whether it fits on a line beside its label."""
        return self.look not in {Look.FOLDED, Look.MARKDOWN, Look.MEMBERS, Look.TABLE, Look.LIST}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's label. One of numbers is aligned as numbers are."""

    label: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A value and what it is called."""

    label: str
    node: Node


def show(value: Json, schema: Json = None, *, name: str = "") -> Node:
    """Make a value readable.

    Args:
        value: Any JSON.
        schema: What is known of it: its titles are used as labels, and the titles of choices instead of the values.
        name: The key it is kept under.
    """
    root = as_schema(schema)
    return _Showing(root).node(value, root, label=name, depth=0)


class _Showing:
    """Makes the tree of one value, and stops when it has grown too large."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = MAX_NODES

    def node(self, value: Json, schema: Schema, *, label: str, depth: int) -> Node:
        self._left -= 1
        schema = resolve(schema, self._root)
        titles = {dump_json(choice): title for choice, title in choices_of(schema) if title}
        if titles and (title := titles.get(dump_json(value))):
            return Node(Look.TEXT, title)
        if isinstance(value, dict):
            return self._members(value, schema, depth)
        if isinstance(value, list):
            return self._list(value, schema, label, depth)
        if isinstance(value, str) and value and schema.get("contentMediaType") == MARKDOWN:
            return Node(Look.MARKDOWN, value)
        return _scalar(value, label)

    def _members(self, value: dict[str, Json], schema: Schema, depth: int) -> Node:
        if not value:
            return Node(Look.NOTHING)
        if depth >= DEEPEST:
            return _text(_in_one_line(value))
        known = as_schema(schema.get("properties"))
        members: list[Member] = []
        for key, member in value.items():
            if len(members) == MAX_MEMBERS or self._left <= 0:
                break
            subschema = resolve(as_schema(known.get(key)), self._root)
            label = label_of(subschema, key)
            members.append(Member(label, self.node(member, subschema, label=key, depth=depth + 1)))
        return Node(Look.MEMBERS, members=tuple(members), more=len(value) - len(members))

    def _list(self, value: list[Json], schema: Schema, label: str, depth: int) -> Node:
        if not value:
            return Node(Look.NOTHING)
        if depth >= DEEPEST:
            return _text(_in_one_line(value))
        item_schema = resolve(as_schema(schema.get("items")), self._root)
        columns = _columns(value)
        if columns:
            return self._table(value, columns, as_schema(item_schema.get("properties")), depth)
        nodes = []
        for item in value[: MAX_ROWS + MAX_FOLDED]:
            if self._left <= 0:
                break
            nodes.append(self.node(item, item_schema, label=label, depth=depth + 1))
        more = len(value) - len(nodes)
        return Node(Look.LIST, items=tuple(nodes[:MAX_ROWS]), folded=tuple(nodes[MAX_ROWS:]), more=more)

    def _table(self, value: Sequence[Json], columns: list[str], known: Schema, depth: int) -> Node:
        schemas = {key: resolve(as_schema(known.get(key)), self._root) for key in columns}
        rows: list[tuple[Node, ...]] = []
        for item in value[: MAX_ROWS + MAX_FOLDED]:
            if self._left <= 0 or not isinstance(item, dict):
                break
            cells = (
                self.node(item[key], schemas[key], label=key, depth=depth + 1) if key in item else Node(Look.NOTHING)
                for key in columns
            )
            rows.append(tuple(cells))
        return Node(
            Look.TABLE,
            columns=tuple(
                Column(label_of(schemas[key], key), _are_numbers([row[place] for row in rows]))
                for place, key in enumerate(columns)
            ),
            rows=tuple(rows[:MAX_ROWS]),
            folded_rows=tuple(rows[MAX_ROWS:]),
            more=len(value) - len(rows),
        )


def _are_numbers(cells: Sequence[Node]) -> bool:
    looks = {cell.look for cell in cells} - {Look.NOTHING}
    return looks == {Look.NUMBER}


def _columns(value: Sequence[Json]) -> list[str]:
    """Return the columns of a list of like, flat, small objects; empty when it is no such list."""
    keys: dict[str, None] = {}
    for item in value:
        if not isinstance(item, dict) or not all(_is_cell(member) for member in item.values()):
            return []
        keys.update(dict.fromkeys(item))
        if len(keys) > MAX_COLUMNS:
            return []
    return list(keys)


def _is_cell(value: Json) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_CELL_LENGTH and "\n" not in value
    return not isinstance(value, dict | list)


def _scalar(value: str | float | bool | None, label: str) -> Node:
    if value is None or value == "":
        return Node(Look.NOTHING)
    if isinstance(value, bool):
        return Node(Look.YES_NO, value)
    if isinstance(value, str):
        return _dated(value) or _text(value)
    return Node(Look.NAME if _is_name(label) else Look.NUMBER, value)


def _is_name(label: str) -> bool:
    """Whether a number under this key names something: such a number is not counted, so it is not grouped."""
    words = label_of(EMPTY, label).lower().split()
    return not _NAME_WORDS.isdisjoint(words)


def _dated(text: str) -> Node | None:
    try:
        if _DATE.fullmatch(text):
            return Node(Look.DATE, date.fromisoformat(text))
        if _DATE_TIME.fullmatch(text):
            return Node(Look.DATE_TIME, datetime.fromisoformat(text))
    except ValueError:
        return None
    return None


def _text(text: str) -> Node:
    lines = text.count("\n") + 1
    if len(text) <= MAX_OPEN_SECONDS and lines <= LINES_OPEN:
        return Node(Look.TEXT, text)
    beginning = " ".join(text[: 4 * BEGINNING].split())
    return Node(Look.FOLDED, text, beginning=_shortened(beginning))


def _shortened(text: str) -> str:
    if len(text) <= BEGINNING:
        return text
    words = text[: BEGINNING + 1].rpartition(" ")[0]
    return (words or text[:BEGINNING]).rstrip(" ,;:.") + "…"


def _in_one_line(value: Json) -> str:
    """Write what is too deep for sections in words: ``name: value``, parted by semicolons."""
    if isinstance(value, Mapping):
        return "; ".join(f"{label_of(EMPTY, key)}: {_in_one_line(member)}" for key, member in value.items())
    if isinstance(value, list):
        return ", ".join(_in_one_line(item) for item in value)
    return value if isinstance(value, str) else "-" if value is None else dump_json(value)
