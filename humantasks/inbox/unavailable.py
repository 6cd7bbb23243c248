"""Explanations for a task that a person may not see: reassigned, or asked in another tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext

from foundation.scope import reading_scope
from humantasks import selectors
from humantasks.errors import TaskNotFound
from humantasks.inbox.cards import asked_names, how_it_ended
from humantasks.models import HumanTask, NoticeKind
from humantasks.people import person_of
from humantasks.rules import Person
from tenants.models import Membership, Tenant


@dataclass(frozen=True, slots=True)
class UnavailableTask:
    """Explanation for a person who cannot see a task. ``switch_to`` is the membership they can see it with."""

    title: str
    detail: str
    switch_to: Membership | None = None


def why_unavailable(
    *, tenant: Tenant, person: Person, task_id: UUID, elsewhere: Sequence[Membership] = ()
) -> UnavailableTask | None:
    """Say why somebody does not see a task they have seen before, or see in another tenant; None for any other.

    Args:
        tenant: Where they look.
        person: Who.
        task_id: The task they may not see there.
        elsewhere: Their memberships, this tenant's may be among them.
    """
    with reading_scope(tenant.id):
        task = selectors.find_former_task(person=person, task_id=task_id)
        if task is not None:
            return UnavailableTask(gettext("You are no longer asked this"), _now(task))
    others = (member for member in elsewhere if member.tenant_id != tenant.id and _sees(member, task_id))
    member = next(others, None)
    if member is None:
        return None
    detail = gettext("You are working for %(here)s now.") % {"here": tenant.name}
    return UnavailableTask(gettext("This belongs to %(tenant)s") % {"tenant": member.tenant.name}, detail, member)


def _sees(member: Membership, task_id: UUID) -> bool:
    with reading_scope(member.tenant_id):
        person = person_of(member)
    try:
        selectors.get_task(tenant=member.tenant, person=person, task_id=task_id)
    except TaskNotFound:
        return False
    return True


def _now(task: HumanTask) -> str:
    if not task.is_open:
        return how_it_ended(task)
    whom = {"whom": ", ".join(asked_names(task))}
    last = selectors.last_move(task)
    if last == NoticeKind.ESCALATED:
        return gettext("Nobody answered in time. Now asked: %(whom)s.") % whom
    if last == NoticeKind.DELEGATED:
        return gettext("It was handed on. Now asked: %(whom)s.") % whom
    return gettext("Now asked: %(whom)s.") % whom
