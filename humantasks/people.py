"""The people tasks are about: who acts, whom a name means, who is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Q

from humantasks.rules import AUDITOR, PROGRAM, Person
from humantasks.types import MAX_NAME
from kernel.clock import utc_now
from kernel.ids import parse_id
from kernel.values import shortened
from tenants.models import Membership, Tenant
from tenants.types import Caller


@dataclass(frozen=True, slots=True)
class Assignees:
    """People asked. ``is_flagged``: a name was unknown, so the tenant's default reviewers are asked."""

    ref: str = ""
    assignee: Membership | None = None
    groups: tuple[str, ...] = ()
    is_for_all: bool = False
    is_flagged: bool = False


def person_of(member: Membership) -> Person:
    """Describe a member who acts, with those they stand in for now. To be called inside the tenant's scope."""
    away = Membership.objects.filter(_away_now(), stands_in=member).values_list("id", flat=True)
    return replace(candidate(member), stands_in_for=frozenset(away))


def candidate(member: Membership) -> Person:
    """Describe a member a task may be handed on to; asks the database nothing."""
    return Person(
        actor=f"member:{member.id}",
        name=shown_name(member),
        role=member.role,
        member_id=member.id,
        groups=frozenset(member.groups),
        aliases=frozenset({f"user:{member.user_id}"}),
    )


def caller_as_person(caller: Caller) -> Person:
    """Describe who calls the API. To be called inside the tenant's scope."""
    if caller.member is not None:
        through = "" if caller.api_key is None else f"key:{caller.api_key.public_id}"
        return replace(person_of(caller.member), through=through)
    name = caller.api_key.name if caller.api_key is not None else ""
    return Person(actor=caller.actor, name=name, role=PROGRAM)


def shown_name(member: Membership) -> str:
    """Return the name by which other people know a member."""
    name = member.user.get_full_name() or member.user.email or member.user.get_username()
    return shortened(name, MAX_NAME)


def resolve_assignees(*, tenant: Tenant, ref: str | None, groups: Sequence[str] = ()) -> Assignees:
    """Find who is asked: by a name (group, e-mail, member id, in this order) and by groups.

    Nobody named: every reviewer. A name that means nobody who can answer: the tenant's default reviewers, flagged.
    """
    members = list(active_members())
    known = {group for member in members for group in member.groups}
    asked = _named(members, known, ref) if ref else Assignees()
    if asked is None:
        return _default(tenant, known, ref=ref or "", is_flagged=True)
    found = tuple(dict.fromkeys((*asked.groups, *(group for group in groups if group in known))))
    is_flagged = len(found) < len({*asked.groups, *groups})
    if asked.assignee is None and not found:
        return _default(tenant, known, ref=ref or ", ".join(groups), is_flagged=is_flagged)
    return Assignees(ref=ref or ", ".join(found), assignee=asked.assignee, groups=found, is_flagged=is_flagged)


def active_members() -> Iterable[Membership]:
    """Give the members who can answer, with their people. To be called inside the tenant's scope."""
    return (
        Membership.objects.filter(deactivated_at=None, user__is_active=True)
        .exclude(role=AUDITOR)
        .select_related("user", "stands_in__user")
        .order_by("created_at")
    )


def mail_recipients(asked: Assignees, *, but: UUID | None = None) -> list[Membership]:
    """List the members a mail about a task goes to; who is away has it go to their stand-in as well."""
    members = list(active_members())
    assignee_id = None if asked.assignee is None else asked.assignee.id
    chosen = [
        member
        for member in members
        if member.id == assignee_id or asked.is_for_all or not set(asked.groups).isdisjoint(member.groups)
    ]
    chosen += [member.stands_in for member in chosen if member.stands_in is not None and is_away(member)]
    return [member for member in {one.id: one for one in chosen}.values() if member.id != but]


def is_away(member: Membership) -> bool:
    """Whether a member is out of office now."""
    now = utc_now()
    return member.away_from is not None and member.away_from <= now and (member.away_until or now) >= now


def _named(members: Sequence[Membership], groups: set[str], ref: str) -> Assignees | None:
    if ref in groups:
        return Assignees(ref=ref, groups=(ref,))
    by_mail = next((member for member in members if member.user.email.casefold() == ref.casefold()), None)
    member_id = parse_id(ref)
    found = by_mail or next((member for member in members if member.id == member_id), None)
    return None if found is None else Assignees(ref=ref, assignee=found)


def _default(tenant: Tenant, known: set[str], *, ref: str, is_flagged: bool) -> Assignees:
    groups = tuple(group for group in tenant.default_reviewer_groups if group in known) if is_flagged else ()
    return Assignees(ref=ref, groups=groups, is_for_all=not groups, is_flagged=is_flagged)


def _away_now() -> Q:
    now = utc_now()
    return Q(away_from__lte=now) & (Q(away_until__isnull=True) | Q(away_until__gte=now))
