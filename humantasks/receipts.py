"""Receipts of people's own decisions: proofs, from the audit's log, that verify offline."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from audit.errors import NotSealed
from audit.models import Entry
from audit.reading.files import LogFiles, leaves_of
from foundation.nouns import noun_of
from foundation.scope import reading_scope
from humantasks.errors import DecisionNotFound
from humantasks.models import HumanTask
from humantasks.rules import Person
from tenants.models import Tenant

_DECIDED: Final = "task.decided"


def receipt_numbers(tasks: Sequence[HumanTask], person: Person) -> dict[UUID, int | None]:
    """Find the entries of somebody's own decisions, with one look-up for all tasks.

    To be called inside the tenant's scope.

    Returns:
        By task that they have decided, the number in the log; None until the entry is sealed, about a second.
    """
    own = {task.id: one for task in tasks for one in task.decisions.all() if person.is_self(one.actor)}
    if not own:
        return {}
    entries = Entry.objects.filter(
        object_type=noun_of(HumanTask),
        object_id__in=map(str, own),
        action=_DECIDED,
        actor__in={one.actor for one in own.values()},
    )
    found = {(one.object_id, one.actor): one.id for one in entries.only("id", "object_id", "actor")}
    tenant_id = next(task.tenant_id for task in tasks if task.id in own)
    numbers = dict(leaves_of(tenant_id).filter(entry_id__in=found.values()).values_list("entry_id", "n"))
    entry_ids = {task_id: found.get((str(task_id), one.actor)) for task_id, one in own.items()}
    return {task_id: None if one is None else numbers.get(one) for task_id, one in entry_ids.items()}


def own_receipt(*, tenant: Tenant, person: Person, task_id: UUID) -> tuple[int, str]:
    """Give the receipt of somebody's own decision, and its number in the log.

    Raises:
        DecisionNotFound: They have not decided such a task.
        LogEmpty: Nothing is sealed yet.
        NotSealed: The decision is not sealed yet, or was pruned.
    """
    with reading_scope(tenant.id):
        task = HumanTask.objects.prefetch_related("decisions").filter(id=task_id).first()
        numbers = {} if task is None else receipt_numbers([task], person)
        if task_id not in numbers:
            raise DecisionNotFound
        n = numbers[task_id]
        if n is None:
            raise NotSealed
        return n, LogFiles(tenant.id).proof(n)
