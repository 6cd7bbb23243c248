"""Widgets: the one that can hold a value exactly, and the text in it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from typing import Final

from humantasks.inbox.fields import Absent, FieldKind, Option, Value
from kernel.numbers import is_large_integer, is_large_number
from kernel.schemas.reading import Schema, choices_of, number_of, sole_type, text_of
from kernel.types import Json
from kernel.values import dump_json

MAX_RADIOS: Final = 5
SHORT_TEXT: Final = 120


@dataclass(frozen=True, slots=True)
class AskedField:
    """Widget of a field; members and entries have their own."""

    kind: FieldKind
    texts: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    item: str = "string"


def as_json(value: Value) -> str:
    """Write a value as JSON for people: indented; nothing for one that is not there."""
    if isinstance(value, Absent):
        return ""
    return _indented(value, "")


def _indented(value: Json, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{dump_json(key)}: {_indented(member, inner)}" for key, member in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + indent + "}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + _indented(item, inner) for item in value) + "\n" + indent + "]"
    return dump_json(value)


def choice(choices: list[tuple[Json, str | None]], value: Value, *, is_required: bool) -> AskedField:
    """Ask for one of several values; one that is none of them is offered as it is."""
    options = [Option(dump_json(choice), choice, title or "") for choice, title in choices]
    texts = {option.text for option in options}
    if isinstance(value, Absent):
        chosen = options[0].text if is_required and len(options) == 1 else ""
    elif value is None and "null" not in texts:
        chosen = ""
    else:
        chosen = dump_json(value)
        if chosen not in texts:
            options.append(Option(chosen, value, is_allowed=False))
    few = is_required and len(options) <= MAX_RADIOS
    return AskedField(FieldKind.RADIO if few else FieldKind.SELECT, (chosen,), tuple(options))


def yes_or_no(value: Value, *, is_required: bool) -> AskedField | None:
    """Ask for yes or no; with a third answer where none is needed."""
    if isinstance(value, bool) or (isinstance(value, Absent) and is_required):
        return AskedField(FieldKind.CHECKBOX, ("true" if value is True else "",))
    if value is None or isinstance(value, Absent):
        return AskedField(FieldKind.SELECT, ("",), (Option("true", value=True), Option("false", value=False)))
    return None


def string(schema: Schema, value: Value, zone: tzinfo) -> AskedField | None:
    """Ask for a text; for an instant in the reader's zone."""
    if value is None or isinstance(value, Absent):
        text = ""
    elif isinstance(value, str):
        text = value
    else:
        return None
    special = _FORMATS.get(text_of(schema, "format"))
    if special is not None:
        kind, shown_by = special
        shown = shown_by(text, zone) if text else ""
        if shown is not None:
            return AskedField(kind, (shown,))
    longest = number_of(schema, "maxLength") or 0
    is_long = longest > SHORT_TEXT or len(text) > SHORT_TEXT or "\n" in text or "\r" in text
    return AskedField(FieldKind.LONG_TEXT if is_long else FieldKind.TEXT, (text,))


def number(kind: FieldKind, value: Value) -> AskedField | None:
    """Ask for a number; one that is kept as its digits is shown as these."""
    if isinstance(value, str) and (is_large_integer if kind is FieldKind.INTEGER else is_large_number)(value):
        return AskedField(kind, (value,))
    if value is None or isinstance(value, Absent):
        return AskedField(kind, ("",))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return AskedField(kind, (dump_json(value),))


def listed(items: Schema, value: Value) -> AskedField | None:
    """Ask for several values: ticked among choices, or one a line."""
    if not isinstance(value, Absent | list) and value is not None:
        return None
    given = value if isinstance(value, list) else []
    choices = choices_of(items)
    if choices:
        options = tuple(Option(dump_json(choice), choice, title or "") for choice, title in choices)
        chosen = tuple(dump_json(item) for item in given)
        fits = len(set(chosen)) == len(chosen) and set(chosen) <= {option.text for option in options}
        return AskedField(FieldKind.CHECKS, chosen, options) if fits else None
    type_name = sole_type(items) or ""
    if type_name not in {"string", "integer", "number"} or not all(_is_line(type_name, item) for item in given):
        return None
    lines = [item if isinstance(item, str) else dump_json(item) for item in given]
    return AskedField(FieldKind.LINES, ("\n".join(lines),), item=type_name)


def _is_line(type_name: str, item: Json) -> bool:
    if type_name == "string":
        return isinstance(item, str) and item != "" and item == item.strip() and len(item.splitlines()) == 1
    return is_large_number(item) or (isinstance(item, int | float) and not isinstance(item, bool))


def _shown_date(text: str, _zone: tzinfo) -> str | None:
    try:
        return text if date.fromisoformat(text).isoformat() == text else None
    except ValueError:
        return None


def _shown_date_time(text: str, zone: tzinfo) -> str | None:
    """Write an instant as a browser's widget does; None for what the widget cannot hold."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or at.microsecond:
            return None
        plain = at.astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return plain.isoformat(timespec="seconds" if plain.second else "minutes")


def _shown_time(text: str, _zone: tzinfo) -> str | None:
    """Write a time of day as a browser's widget does; None for one the widget cannot hold: with an offset."""
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return text if text in {f"{at:%H:%M}", f"{at:%H:%M:%S}"} else None


def _shown_line(text: str, _zone: tzinfo) -> str | None:
    return text if text == text.strip() and len(text.splitlines()) == 1 else None


_FORMATS: Final[Mapping[str, tuple[FieldKind, Callable[[str, tzinfo], str | None]]]] = {
    "date": (FieldKind.DATE, _shown_date),
    "date-time": (FieldKind.DATE_TIME, _shown_date_time),
    "time": (FieldKind.TIME, _shown_time),
    "email": (FieldKind.EMAIL, _shown_line),
    "idn-email": (FieldKind.EMAIL, _shown_line),
    "password": (FieldKind.PASSWORD, _shown_line),
    "uri": (FieldKind.URI, _shown_line),
    "iri": (FieldKind.URI, _shown_line),
}
