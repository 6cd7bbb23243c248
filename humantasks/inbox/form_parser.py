"""Readers of the inbox's posted forms: an answer, field by field. Pure.

A field that is posted as it was shown keeps its value to the last bit, whatever the widget made of it; what the form
does not show stays as it was.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from fractions import Fraction
from math import isfinite
from typing import Final, TypeAlias

from humantasks.inbox.fields import ABSENT, Absent, Field, FieldKind, Value
from kernel.errors import ErrorItem, LlmteamError
from kernel.schemas.reading import takes
from kernel.types import Json
from kernel.values import load_number, normalise, parse_json

Posted: TypeAlias = Mapping[str, Sequence[str]]

_SPACES: Final = re.compile(r"[\s\u00a0\u2009\u202f']")
_THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(?: [0-9]{3})+(?:[.,][0-9]*)?")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,3})?")
_AMBIGUOUS: Final = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_SIGN: Final = re.compile(r"^([+-]) ")
_NOT_ZERO: Final = re.compile(r"[^eE]*[1-9]")
_MAX_NUMBER_LENGTH: Final = 400
_BEGINS_JSON: Final = '{["'
_NOWHERE: Final = Field(pointer="", place="", kind=FieldKind.SHOWN, label="")


class UnreadableForm(Exception):
    """The typed text cannot be read as a value of its field; ``code`` says why (``humantasks.inbox.texts``)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class FormReading:
    """An answer, and the form with what was typed. The answer is whole only without problems."""

    value: Value
    form: Field
    problems: tuple[ErrorItem, ...]


def read_form(form: Field, posted: Posted) -> FormReading:
    """Read what was posted for a form.

    Args:
        form: As it was shown (``humantasks.inbox.fields.form_of``).
        posted: The texts by name. A field that was not posted counts as unchanged.
    """
    value, filled = _read(form, posted)
    return FormReading(value, filled, tuple(problems_in(filled)))


def recall(form: Field, posted: Posted) -> Field:
    """Put what was typed beside what is shown now, where they differ.

    For a form that has changed since: who posted the old one may not have touched a field at all, so what they sent is
    not what they want of the new one.
    """
    inner = tuple(recall(field, posted) for field in form.fields)
    texts = posted.get(form.name)
    if texts is None or form.kind in {FieldKind.GROUP, FieldKind.ITEMS, FieldKind.SHOWN}:
        return replace(form, fields=inner)
    typed = _typed(form, texts)
    if _is_as_shown(form, typed):
        return form
    names = {option.text: option.title or str(option.value) for option in form.options}
    return replace(form, recalled=", ".join(names.get(text, text) for text in typed) or "-")


def problems_in(form: Field) -> Iterable[ErrorItem]:
    """List what is wrong in a form, from its first field to its last."""
    yield from form.problems
    for field in form.fields:
        yield from problems_in(field)


def place_problems(form: Field, problems: Iterable[ErrorItem]) -> tuple[Field, list[ErrorItem]]:
    """Put findings where they belong: at the field they point at, else at the nearest one around it.

    What is found at a field that could not be read, or around it, is left out: it was judged without what was typed.

    Args:
        form: The form, as it was read.
        problems: Findings whose pointers begin at the value that was read.

    Returns:
        The form with the findings, and those that point at nothing it asks.
    """
    placed: dict[str, list[ErrorItem]] = {}
    unplaced = []
    shown = set(_pointers(form))
    unread = [problem.pointer or "" for problem in problems_in(form)]
    for problem in problems:
        pointer = _pointer_in(form, problem.pointer or "")
        if any(_is_around(pointer, other) or _is_around(other, pointer) for other in unread):
            continue
        while pointer and pointer not in shown:
            pointer = pointer.rpartition("/")[0]
        if pointer in shown:
            placed.setdefault(pointer, []).append(problem)
        else:
            unplaced.append(problem)
    return _with_problems(form, placed), unplaced


def _is_around(outer: str, inner: str) -> bool:
    return f"{inner}/".startswith(f"{outer}/")


def _pointer_in(form: Field, pointer: str) -> str:
    """Translate a place in the value that was read into the form's: removed entries of a list count there only."""
    field, found = form, form.pointer
    for token in pointer.split("/")[1:]:
        entries = (
            [inner for inner in field.fields if inner.name not in field.texts] if field.kind == FieldKind.ITEMS else []
        )
        if entries and token.isdecimal() and int(token) < len(entries):
            found = entries[int(token)].pointer
        else:
            found = f"{found}/{token}"
        field = next((inner for inner in field.fields if inner.pointer == found), _NOWHERE)
    return found


def _pointers(form: Field) -> Iterable[str]:
    """List where problems can be shown; a group of members at the top has no place of its own."""
    if form.pointer or form.kind != FieldKind.GROUP:
        yield form.pointer
    for field in form.fields:
        yield from _pointers(field)


def _with_problems(form: Field, placed: Mapping[str, list[ErrorItem]]) -> Field:
    return replace(
        form,
        problems=(*form.problems, *placed.get(form.pointer, ())),
        fields=tuple(_with_problems(field, placed) for field in form.fields),
    )


def _read(field: Field, posted: Posted) -> tuple[Value, Field]:
    if field.kind == FieldKind.GROUP:
        return _read_group(field, posted)
    if field.kind == FieldKind.ITEMS:
        return _read_items(field, posted)
    texts = posted.get(field.name)
    if field.kind == FieldKind.SHOWN or texts is None:
        return _unanswered(field)
    typed = _typed(field, texts)
    filled = replace(field, texts=typed)
    if _is_as_shown(field, typed) and not (isinstance(field.original, Absent) and field.is_required):
        return field.original, filled
    try:
        return _value(field, typed), filled
    except UnreadableForm as problem:
        return field.original, _with_problem(filled, problem.code)


def _unanswered(field: Field) -> tuple[Value, Field]:
    """Keep what a form did not ask, or a caller did not post."""
    if isinstance(field.original, Absent) and field.is_required and field.kind != FieldKind.SHOWN:
        return ABSENT, _with_problem(field, "REQUIRED")
    return field.original, field


def _read_group(field: Field, posted: Posted) -> tuple[Value, Field]:
    read = [(member, *_read(member, posted)) for member in field.fields]
    filled = replace(field, fields=tuple(after for _, _, after in read))
    may_be_none = field.original is None or not field.is_required
    if may_be_none and not isinstance(field.original, dict) and _same(field, filled):
        return field.original, _without_problems(filled)
    before = field.original if isinstance(field.original, dict) else {}
    answers = {member.key: value for member, value, _ in read}
    kept = {key: answers.get(key, value) for key, value in before.items()}
    return {key: value for key, value in {**kept, **answers}.items() if not isinstance(value, Absent)}, filled


def _read_items(field: Field, posted: Posted) -> tuple[Value, Field]:
    read = [(entry, *_read(entry, posted)) for entry in field.fields]
    dropped = [after.name for entry, _, after in read if entry.drop_name in posted]
    filled = replace(field, fields=tuple(after for _, _, after in read), texts=tuple(dropped))
    if not dropped and _same(field, filled) and not (isinstance(field.original, Absent) and field.is_required):
        return field.original, filled
    kept = [value for _, value, after in read if after.name not in dropped and not isinstance(value, Absent)]
    return kept, replace(filled, fields=tuple(_if_kept(after, dropped) for after in filled.fields))


def _if_kept(entry: Field, dropped: Sequence[str]) -> Field:
    """Take what is wrong with an entry away when the entry itself goes."""
    return _without_problems(entry) if entry.name in dropped else entry


def _same(before: Field, after: Field) -> bool:
    """Whether nothing was typed into a field or its members."""
    return _is_as_shown(before, after.texts) and all(
        _same(a, b) for a, b in zip(before.fields, after.fields, strict=True)
    )


def _without_problems(field: Field) -> Field:
    return replace(field, problems=(), fields=tuple(_without_problems(member) for member in field.fields))


def _with_problem(field: Field, code: str) -> Field:
    return replace(field, problems=(ErrorItem(code=code, detail=code, pointer=field.pointer),))


def _typed(field: Field, texts: Sequence[str]) -> tuple[str, ...]:
    """Take what counts of the texts: a box that can be ticked posts an empty text before it."""
    if field.kind == FieldKind.CHECKS:
        return tuple(text for text in dict.fromkeys(texts) if text)
    return (texts[-1].replace("\r\n", "\n").replace("\r", "\n"),) if texts else ("",)


def _is_as_shown(field: Field, typed: tuple[str, ...]) -> bool:
    if field.kind == FieldKind.CHECKS:
        return set(typed) == set(field.texts)
    return typed == tuple(text.replace("\r\n", "\n").replace("\r", "\n") for text in field.texts)


def _value(field: Field, typed: tuple[str, ...]) -> Value:
    if field.kind == FieldKind.CHECKS:
        return _chosen(field, typed)
    if field.kind == FieldKind.CHECKBOX:
        return typed[0] == "true"
    text = typed[0]
    if not text.strip():
        return _empty(field)
    if field.kind in {FieldKind.SELECT, FieldKind.RADIO}:
        return _chosen(field, typed)[0]
    return _READERS[field.kind](field, text)


def _empty(field: Field) -> Value:
    if field.kind == FieldKind.LINES and (field.is_required or isinstance(field.original, list)):
        return []
    if field.is_nullable and (field.is_required or not isinstance(field.original, Absent)):
        return None
    if field.is_required:
        raise UnreadableForm("REQUIRED")
    return ABSENT


def _chosen(field: Field, typed: tuple[str, ...]) -> list[Json]:
    options = {option.text: option.value for option in field.options}
    if not set(typed) <= options.keys():
        raise UnreadableForm("NOT_A_CHOICE")
    return [value for text, value in options.items() if text in typed]


def _text(_field: Field, text: str) -> Json:
    return text


def _stripped(_field: Field, text: str) -> Json:
    return text.strip()


def _integer(_field: Field, text: str) -> Json:
    number = Fraction(_plain_number(text, unreadable="NOT_AN_INTEGER"))
    if number.denominator != 1:
        raise UnreadableForm("NOT_AN_INTEGER")
    return normalise(number.numerator, big_integers="text")


def _number(_field: Field, text: str) -> Json:
    plain = _plain_number(text, unreadable="NOT_A_NUMBER")
    if not any(mark in plain for mark in ".eE"):
        return normalise(int(plain), big_integers="text")
    number = float(plain)
    if not isfinite(number):
        raise UnreadableForm("NUMBER_TOO_LARGE")
    if number == 0 and _NOT_ZERO.match(plain):
        raise UnreadableForm("NOT_A_NUMBER")
    return load_number(plain)


def _plain_number(text: str, *, unreadable: str) -> str:
    """Write a number as programs do that is written as people do: spaces between thousands, a comma before decimals.

    Raises:
        Unreadable: With ``unreadable`` for what is not a number, and with a code of its own for one that may mean two:
            ``1,234`` is a thousand and more to some, and one and a bit to others.
    """
    spaced = _SIGN.sub(r"\1", _SPACES.sub(" ", text.strip()).replace("\u2212", "-"))
    if len(spaced) > _MAX_NUMBER_LENGTH or (" " in spaced and not _THOUSANDS.fullmatch(spaced)):
        raise UnreadableForm(unreadable)
    plain = spaced.replace(" ", "")
    if _AMBIGUOUS.fullmatch(plain):
        raise UnreadableForm("AMBIGUOUS_NUMBER")
    plain = plain.replace(",", ".", 1)
    if not _NUMBER.fullmatch(plain):
        raise UnreadableForm(unreadable)
    return plain


def _date(_field: Field, text: str) -> Json:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise UnreadableForm("NOT_A_DATE") from None


def _date_time(field: Field, text: str) -> Json:
    try:
        at = datetime.fromisoformat(text.strip())
        at = (at.replace(tzinfo=field.zone) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableForm("NOT_A_DATE_TIME") from None
    return at.isoformat().replace("+00:00", "Z")


def _time(_field: Field, text: str) -> Json:
    """Read a time of day. It has an offset only where one was typed: which one holds depends on the day."""
    try:
        return time.fromisoformat(text.strip()).isoformat().replace("+00:00", "Z")
    except ValueError:
        raise UnreadableForm("NOT_A_TIME") from None


def _lines(field: Field, text: str) -> Json:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if field.item == "string":
        return list(lines)
    read = _integer if field.item == "integer" else _number
    return [read(field, line) for line in lines]


def _json(field: Field, text: str) -> Json:
    """Read JSON; where a text would do as well, what does not begin as JSON, or is a number that would not, is one."""
    schema = field.schema or {}
    try:
        value = parse_json(text, big_integers="text")
    except LlmteamError:
        if takes(schema, "string") and text.strip()[0] not in _BEGINS_JSON:
            return text.strip()
        raise UnreadableForm("NOT_JSON") from None
    is_text = isinstance(value, float) and takes(schema, "string") and not takes(schema, "number")
    return text.strip() if is_text else value


_READERS: Final = {
    FieldKind.TEXT: _text,
    FieldKind.LONG_TEXT: _text,
    FieldKind.EMAIL: _stripped,
    FieldKind.PASSWORD: _text,
    FieldKind.URI: _stripped,
    FieldKind.INTEGER: _integer,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.DATE_TIME: _date_time,
    FieldKind.TIME: _time,
    FieldKind.LINES: _lines,
    FieldKind.JSON: _json,
}
