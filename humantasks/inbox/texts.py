"""Inbox message catalogue: English and Russian."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from humantasks.inbox.fields import Field, FieldKind
from kernel.errors import ErrorItem
from kernel.schemas.reading import EMPTY, number_of, text_of

Words = str | Promise

TYPES: Final[Mapping[str, Words]] = {
    "approval": _("approval"),
    "review": _("review"),
    "input": _("input"),
    "choice": _("choice"),
}
PRIORITIES: Final[Mapping[str, Words]] = {"low": _("low priority"), "high": _("high priority"), "urgent": _("urgent")}
BUTTONS: Final[Mapping[tuple[str, str], tuple[Words, str]]] = {
    ("approval", "approved"): (_("Approve"), "yes"),
    ("approval", "rejected"): (_("Reject"), "no"),
    ("review", "approved"): (_("Approve as it is"), "yes"),
    ("review", "modified"): (_("Approve with changes"), "plain"),
    ("review", "rejected"): (_("Reject"), "no"),
    ("input", "approved"): (_("Send"), "yes"),
    ("choice", "approved"): (_("Send the choice"), "yes"),
}
DECISIONS: Final[Mapping[str, Words]] = {
    "approved": _("Approved"),
    "rejected": _("Rejected"),
    "modified": _("Changed"),
}
SENT: Final = _("Sent")
"""End of a task that asks for input: nobody approves anything there."""
SENT_ALREADY: Final = _("This was sent already")
ENDS: Final[Mapping[str, Words]] = {"timed_out": _("Timed out"), "cancelled": _("Cancelled")}
REASONS: Final[Mapping[str, Words]] = {
    "over": _("The task is over already."),
    "auditor": _("Auditors read tasks; they do not act on them."),
    "not_asked": _("You are not among those who are asked."),
    "four_eyes": _("You started this run, so somebody else has to decide."),
    "many_decide": _("Several people decide this one, so nobody can claim it."),
    "not_claimed": _("Nobody has claimed this task."),
    "not_yours": _("Somebody else has claimed this task."),
    "decided_already": _("You have decided already."),
    "cannot_take": _("That member reads tasks only, and cannot take one."),
}
OVER: Final[Mapping[str, Words]] = {
    "timed_out": _("The time for this is over"),
    "cancelled": _("This is not asked any more"),
}
"""Reasons why a task that ended without a decision takes no answer."""
REFUSED: Final[Mapping[str, Words]] = {
    "TASK_OVER": _("This was decided already"),
    "TASK_CHANGED": _("This has changed since you opened it"),
    "TASK_TAKEN": _("Somebody else has claimed this"),
    "TASK_REFUSED": _("You may not do that"),
    "TASK_NOT_FOUND": _("There is no such task"),
    "RUN_NOT_FOUND": _("There is no such run"),
}
_PROBLEMS: Final[Mapping[str, Words]] = {
    "REQUIRED": _("This is required."),
    "NOT_AN_INTEGER": _("Write a whole number, for example 12."),
    "NOT_A_NUMBER": _("Write a number, for example 12.5."),
    "AMBIGUOUS_NUMBER": _("Write the thousands without a comma, for example 1234.50."),
    "NUMBER_TOO_LARGE": _("This number is too large."),
    "NOT_A_DATE": _("Write a date as year-month-day, for example 2026-11-27."),
    "NOT_A_DATE_TIME": _("Write a date and a time, for example 2026-11-27T10:30."),
    "NOT_A_TIME": _("Write a time as hour:minute, for example 10:30."),
    "NOT_AN_EMAIL": _("Write an e-mail address, for example name@example.com."),
    "NOT_AN_ADDRESS": _("Write a whole address, for example https://example.com/page."),
    "NOT_A_UUID": _("Write an id such as 01a20c5e-0f10-757c-bbf4-2950405a5b83."),
    "NOT_A_CHOICE": _("Choose one of the values."),
    "ENUM": _("Choose one of the values."),
    "NOT_JSON": _("This cannot be read. Keep quotation marks, brackets and commas as they were."),
    "DECISION_UNKNOWN": _("This task does not allow that answer."),
    "CHANGES_WITHOUT_MODIFIED": _("You have changed the data. Approve with changes, or undo the changes."),
    "TOO_LONG": _("This is too long."),
    "ENDS_TOO_EARLY": _("This must be later than the beginning."),
    "IN_THE_PAST": _("This must be in the future."),
    "MEMBER_UNKNOWN": _("Choose one of the values."),
    "ONESELF": _("Members cannot stand in for themselves."),
    "UNIQUEITEMS": _("No two entries may be equal."),
    "PATTERN": _("This does not have the required format."),
    "FORMAT": _("This does not have the required format."),
    "ADDITIONALPROPERTIES": _("The form does not have this field."),
    "CONST": _("This must be the one value that is allowed."),
    "ANYOF": _("This is not what the form asks for."),
    "ONEOF": _("This is not what the form asks for."),
    "NOT": _("This is not what the form asks for."),
    "TYPE": _("This is not what the form asks for."),
}
_BOUNDED: Final[Mapping[str, tuple[str, Words]]] = {
    "MINIMUM": ("minimum", _("This must be at least %(bound)s.")),
    "MAXIMUM": ("maximum", _("This must be at most %(bound)s.")),
    "EXCLUSIVEMINIMUM": ("exclusiveMinimum", _("This must be more than %(bound)s.")),
    "EXCLUSIVEMAXIMUM": ("exclusiveMaximum", _("This must be less than %(bound)s.")),
    "MINLENGTH": ("minLength", _("This needs at least %(bound)s characters.")),
    "MAXLENGTH": ("maxLength", _("This may have at most %(bound)s characters.")),
    "MINITEMS": ("minItems", _("This needs at least %(bound)s entries.")),
    "MAXITEMS": ("maxItems", _("This may have at most %(bound)s entries.")),
    "MULTIPLEOF": ("multipleOf", _("This must be a multiple of %(bound)s.")),
}
_KINDS: Final[Mapping[FieldKind, str]] = {FieldKind.INTEGER: "NOT_AN_INTEGER", FieldKind.NUMBER: "NOT_A_NUMBER"}
_FORMATS: Final[Mapping[str, str]] = {
    "date": "NOT_A_DATE",
    "date-time": "NOT_A_DATE_TIME",
    "time": "NOT_A_TIME",
    "email": "NOT_AN_EMAIL",
    "idn-email": "NOT_AN_EMAIL",
    "uri": "NOT_AN_ADDRESS",
    "iri": "NOT_AN_ADDRESS",
    "uuid": "NOT_A_UUID",
}


def refused_title(code: str, title: str, status: str = "", task_type: str = "") -> str:
    """Say in a few words why nothing was done, to a task of this status and type."""
    over = OVER.get(status) or (SENT_ALREADY if task_type == "input" else None)
    return str(over if code == "TASK_OVER" and over else REFUSED.get(code, title))


def problem_text(problem: ErrorItem, field: Field | None = None) -> str:
    """Say what is wrong, with the field's own bounds; what has no sentence here is told as it was found."""
    schema = EMPTY if field is None else field.schema or EMPTY
    if problem.code in _BOUNDED:
        word, sentence = _BOUNDED[problem.code]
        bound = number_of(schema, word)
        return problem.detail if bound is None else str(sentence) % {"bound": bound}
    code = problem.code
    if code == "TYPE" and field is not None:
        code = _KINDS.get(field.kind, code)
    elif code == "FORMAT":
        code = _FORMATS.get(text_of(schema, "format"), code)
    return str(_PROBLEMS.get(code, problem.detail))


def code_text(code: str) -> str:
    """Say what is wrong, by its code alone."""
    return str(_PROBLEMS[code])


def hint_of(field: Field) -> str:
    """Say what helps to answer: the schema's own words, the bounds, the form."""
    parts = [field.help] if field.help else []
    parts += _bounds(field)
    if field.kind == FieldKind.LINES:
        parts.append(gettext("One entry a line."))
    if field.kind == FieldKind.DATE_TIME:
        parts.append(in_zone_text())
    if field.kind == FieldKind.JSON:
        parts.append(gettext("Written as JSON: keep quotation marks, brackets and commas."))
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)


def quorum_text(approvals: int, needed: int, voters: int) -> str:
    """Say how many have approved of how many it takes; empty where one person decides."""
    if voters <= 1:
        return ""
    return gettext("%(approvals)s of %(needed)s approvals, %(voters)s may decide") % {
        "approvals": approvals,
        "needed": needed,
        "voters": voters,
    }


def moment_text(value: datetime | None) -> str:
    """Write an instant in the reader's zone, which is named: 27 November 2026, 10:30 UTC; nothing for none."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return f"{formats.date_format(local, 'j E Y, H:i')} {zone_text(local)}"


def zone_text(at: datetime) -> str:
    """Name the zone of an instant: UTC, CET; of one without a name, by how far it is from UTC."""
    name = at.tzname() or ""
    return name if name[:1].isalpha() else f"UTC{name}"


def in_zone_text() -> str:
    """Say in which zone times are written."""
    name = timezone.get_current_timezone_name()
    return gettext("In UTC.") if name == "UTC" else gettext("In the zone %(zone)s.") % {"zone": name.replace("_", " ")}


def times_text(count: int) -> str:
    """Say how often something was done."""
    return ngettext("%(count)s time", "%(count)s times", count) % {"count": count} if count else gettext("never")


def _bounds(field: Field) -> list[str]:
    if field.minimum is not None and field.maximum is not None:
        return [gettext("From %(least)s to %(most)s") % {"least": field.minimum, "most": field.maximum}]
    if field.minimum is not None:
        return [gettext("At least %(bound)s") % {"bound": field.minimum}]
    if field.maximum is not None:
        return [gettext("At most %(bound)s") % {"bound": field.maximum}]
    if field.max_length is not None and field.kind in {FieldKind.TEXT, FieldKind.LONG_TEXT}:
        return [gettext("At most %(bound)s characters") % {"bound": field.max_length}]
    return []
