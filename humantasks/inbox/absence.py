"""The page of a member's absence: from when until when, and the member who stands in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, cast

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timezone import get_current_timezone, localtime
from django.utils.translation import gettext

from foundation.scope import reading_scope
from humantasks.inbox import texts
from humantasks.inbox.responses import MemberRequest, go_to, inbox_page, page, take_confirmations
from humantasks.people import active_members, person_of, shown_name
from kernel.ids import parse_id
from tenants.members.errors import MemberInvalid
from tenants.members.services import clear_absence, set_absence
from tenants.models import Membership

FIELDS: Final = ("away_from", "away_until", "stands_in")
LOCAL: Final = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, slots=True)
class AbsenceRequest:
    """An absence as it was typed, and what is wrong with it by field."""

    away_from: str = ""
    away_until: str = ""
    stands_in: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


@inbox_page("GET", "HEAD", "POST")
def absence(request: HttpRequest) -> HttpResponse:
    """Show when the member is away; a POST changes it."""
    member = cast("MemberRequest", request).member
    if request.method != "POST":
        return _shown(request, member, _absence_of(member))
    if "back" in request.POST:
        clear_absence(tenant=member.tenant, actor=_actor(member), member_id=member.id)
        return go_to(request, reverse("inbox:absence"), message=gettext("You are back."))
    absence = _kept(member, read_absence(request.POST))
    if absence.problems:
        return _shown(request, member, absence, status=422)
    return go_to(request, reverse("inbox:absence"), message=gettext("Your absence is saved."))


def read_absence(post: Mapping[str, str]) -> AbsenceRequest:
    """Read what was typed, and say what cannot be read."""
    away_from, away_until, stands_in = (str(post.get(name, "")).strip() for name in FIELDS)
    problems = {
        name: texts.code_text("NOT_A_DATE_TIME")
        for name, text in (("away_from", away_from), ("away_until", away_until))
        if text and _moment(text) is None
    }
    if not away_from:
        problems["away_from"] = texts.code_text("REQUIRED")
    if stands_in and parse_id(stands_in) is None:
        problems["stands_in"] = texts.code_text("NOT_A_CHOICE")
    return AbsenceRequest(away_from, away_until, stands_in, problems)


def _kept(member: Membership, absence: AbsenceRequest) -> AbsenceRequest:
    """Send an absence to the service, unless it cannot be read; with what is wrong with it."""
    away_from = _moment(absence.away_from)
    if absence.problems or away_from is None:
        return absence
    try:
        set_absence(
            tenant=member.tenant,
            actor=_actor(member),
            member_id=member.id,
            away_from=away_from,
            away_until=_moment(absence.away_until),
            stands_in=parse_id(absence.stands_in),
        )
    except MemberInvalid as error:
        found = {(item.pointer or "").strip("/"): texts.problem_text(item) for item in error.errors}
        return replace(absence, problems=found)
    return absence


def _shown(request: HttpRequest, member: Membership, absence: AbsenceRequest, *, status: int = 200) -> HttpResponse:
    with reading_scope(member.tenant_id):
        others = [other for other in active_members() if other.id != member.id]
    context = {
        "absence": absence,
        "others": [{"id": str(other.id), "name": shown_name(other)} for other in others],
        "is_set": member.away_from is not None,
        "said": take_confirmations(request),
        "place": "absence",
        "in_zone": texts.in_zone_text(),
    }
    return page(request, "absence", context, status=status)


def _actor(member: Membership) -> str:
    with reading_scope(member.tenant_id):
        return person_of(member).actor


def _absence_of(member: Membership) -> AbsenceRequest:
    stands_in = "" if member.stands_in_id is None else str(member.stands_in_id)
    return AbsenceRequest(_written(member.away_from), _written(member.away_until), stands_in)


def _written(at: datetime | None) -> str:
    return "" if at is None else localtime(at).strftime(LOCAL)


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at.replace(tzinfo=get_current_timezone()) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
