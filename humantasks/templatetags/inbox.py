"""Template filters of the inbox: fields, figures and times."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from django import template
from django.utils import formats, numberformat
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext

from humantasks.inbox import texts
from humantasks.inbox.fields import Absent, Field, FieldKind, Option
from humantasks.inbox.material import links
from humantasks.inbox.material.markdown import rendered
from humantasks.inbox.value_view import Column, Node, show
from kernel.clock import utc_now
from kernel.errors import ErrorItem
from kernel.values import dump_json

register = template.Library()

MIN_GROUPED: Final = 10_000
MAX_ROWS: Final = 16
INPUT_TYPES: Final = {
    FieldKind.DATE: "date",
    FieldKind.DATE_TIME: "datetime-local",
    FieldKind.TIME: "time",
    FieldKind.EMAIL: "email",
    FieldKind.URI: "url",
    FieldKind.PASSWORD: "password",
}
INPUT_MODES: Final = {FieldKind.INTEGER: "numeric", FieldKind.NUMBER: "decimal"}


@register.filter
def html_id(field: Field) -> str:
    """Return the field's id in the page."""
    return f"field-{field.place}"


@register.filter
def hint(field: Field) -> str:
    """Say what helps to answer."""
    return texts.hint_of(field)


@register.filter
def described_by(field: Field) -> str:
    """List the ids of what describes a field: its hint and what is wrong with it."""
    parts = [f"{html_id(field)}-hint"] if hint(field) else []
    parts += [f"{html_id(field)}-error"] if field.problems else []
    parts += [f"{html_id(field)}-recalled"] if field.recalled else []
    return " ".join(parts)


@register.filter
def states(field: Field) -> SafeString:
    """Write the attributes that tell a widget's state to those who cannot see it."""
    attributes: dict[str, str] = {}
    if described_by(field):
        attributes["aria-describedby"] = described_by(field)
    if field.problems:
        attributes["aria-invalid"] = "true"
    if field.is_required:
        attributes["aria-required"] = "true"
    if field.kind in INPUT_MODES:
        attributes["inputmode"] = INPUT_MODES[field.kind]
    return format_html_join("", ' {}="{}"', attributes.items())


@register.filter
def input_type(field: Field) -> str:
    """Choose the browser's widget; numbers are plain text, so that nothing typed is thrown away unread.

    A date that was typed without the browser's help stays as it is; a password is hidden in any case.
    """
    is_open = field.problems and field.kind is not FieldKind.PASSWORD
    return "text" if is_open else INPUT_TYPES.get(field.kind, "text")


@register.filter
def rows(field: Field) -> int:
    """Say how high a text's widget is."""
    lines = field.text.count("\n") + len(field.text) // 80 + 1
    return min(MAX_ROWS, max(3, lines))


@register.filter
def option_label(option: Option) -> str:
    """Write what may be chosen."""
    if option.title:
        text = option.title
    elif isinstance(option.value, bool):
        text = gettext("Yes") if option.value else gettext("No")
    elif option.value is None:
        text = gettext("nothing")
    else:
        text = option.value if isinstance(option.value, str) else dump_json(option.value)
    return text if option.is_allowed else gettext("%(value)s (not among the choices)") % {"value": text}


@register.filter
def problem_text(problem: ErrorItem, field: Field) -> str:
    """Say what is wrong with a field."""
    return texts.problem_text(problem, field)


@register.filter
def shown(field: Field) -> Node:
    """Make a field's value readable, of one that cannot be changed."""
    value = None if isinstance(field.original, Absent) else field.original
    return show(value, dict(field.schema or {}), name=field.key)


@register.filter
def is_touched(field: Field) -> bool:
    """Whether something was typed into a field that was empty, or is wrong with it."""
    return bool(field.problems or any(field.texts)) or any(is_touched(member) for member in field.fields)


@register.filter
def at(columns: Sequence[Column], index: int) -> Column:
    """Return one of a table's columns."""
    return columns[index]


@register.filter
def figure(number: float) -> str:
    """Write a number as the reader's language does; thousands are parted from ten thousand on."""
    if isinstance(number, float) and (number.is_integer() or abs(number) >= 1e15):
        number = int(number) if abs(number) < 1e15 else number
    text = dump_json(number)
    if "e" in text:
        return text
    separators = formats.get_format("DECIMAL_SEPARATOR"), formats.get_format("THOUSAND_SEPARATOR")
    grouping = 3 if abs(number) >= MIN_GROUPED else 0
    return numberformat.format(
        text, separators[0], grouping=grouping, thousand_sep=separators[1], force_grouping=bool(grouping)
    )


@register.filter
def times(count: int) -> str:
    """Say how often."""
    return texts.times_text(count)


@register.filter
def unlocalized(value: object) -> str:
    """Write a text, or a number that names something, as it is."""
    return value if isinstance(value, str) else str(value)


@register.filter
def linked(text: object) -> SafeString:
    """Write a text in which web addresses are links."""
    return mark_safe(links.linked(str(text)))  # noqa: S308 - escaped there


@register.filter
def markdown(text: str) -> SafeString:
    """Write Markdown as it is meant."""
    return mark_safe(rendered(text))  # noqa: S308 - an allow-list goes over it


@register.filter
def day(value: date) -> str:
    """Write a date: 27 November 2026."""
    return formats.date_format(value, "j E Y")


@register.filter
def moment(value: datetime | None) -> str:
    """Write an instant: 27 November 2026, 10:30 UTC."""
    return texts.moment_text(value)


@register.filter
def due(value: datetime) -> str:
    """Say how long there is left, or since when it is late."""
    now = utc_now()
    if value > now:
        return gettext("due in %(time)s") % {"time": timesince(now, value, depth=1)}
    return gettext("overdue by %(time)s") % {"time": timesince(value, now, depth=1)}
