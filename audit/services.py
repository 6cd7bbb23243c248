"""Audit entries, each written in the transaction of the change it tells of."""

from collections.abc import Collection

from django.db import connection
from django.db.models import Model

from audit.models import Entry
from audit.personal import commit_to_personal
from audit.types import REQUEST, AuditObject
from foundation.inserts import insert_together
from foundation.nouns import noun_of
from kernel.types import Json


def record(
    action: str,
    target: Model | AuditObject,
    *,
    actor: str,
    before: Json = None,
    after: Json = None,
    outcome: str = "done",
    personal: Collection[str] = (),
) -> Entry:
    """Add an entry to the open transaction, so that both are kept or neither is. Never give it a secret.

    Request id and source address come from the request being served, if any.

    Args:
        action: What was done, ``noun.verb`` (``segment.saved``).
        target: The row it was done to, or what is no row. The entry belongs to the history of its tenant; without one,
            to the installation's.
        actor: Who did it (``key:<public id>``, ``user:<id>``, ``system``).
        before: The part that changed, as it was.
        after: The same part, as it is now.
        outcome: ``done``, or why not.
        personal: Members of ``before`` and ``after`` that a person wrote, or that tell of one: they can be erased.
            Names and e-mail addresses always are.

    Raises:
        RuntimeError: No transaction is open, so the entry could outlive a change that was rolled back.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an audit entry is written inside the transaction of its change")
    entry, *rows = new_rows(action, target, actor=actor, before=before, after=after, outcome=outcome, personal=personal)
    insert_together(entry, *rows)
    return entry


def new_rows(
    action: str,
    target: Model | AuditObject,
    *,
    actor: str,
    before: Json = None,
    after: Json = None,
    outcome: str = "done",
    personal: Collection[str] = (),
) -> tuple[Entry, *tuple[Model, ...]]:
    """Make an entry that is not written yet, and the rows that go with it, for those who insert them with others.

    Arguments as for ``record``.
    """
    about = target if isinstance(target, AuditObject) else object_of(target)
    request = REQUEST.get()
    entry = Entry(
        tenant_id=about.tenant_id,
        action=action,
        actor=actor,
        object_type=about.type,
        object_id=about.id,
        before=before,
        after=after,
        outcome=outcome,
        request_id=request.request_id,
    )
    return entry, *commit_to_personal(entry, source_address=request.source_address, personal=personal)


def object_of(row: Model) -> AuditObject:
    """Return how entries call a row: by its model's noun and primary key, unless the model says otherwise.

    A model says so with ``audit_type`` and ``audit_id``.
    """
    kind = getattr(row, "audit_type", None) or noun_of(type(row))
    return AuditObject(kind, str(getattr(row, "audit_id", row.pk)), getattr(row, "tenant_id", None))
