"""Writing of the audit: an entry belongs to the transaction of the change it tells of."""

from django.db import connection

from audit.models import Entry
from audit.types import REQUEST
from kernel.values import Json
from tenants.models import Tenant


def record(
    *,
    tenant: Tenant | None,
    action: str,
    actor: str,
    object_type: str,
    object_id: str,
    before: Json = None,
    after: Json = None,
    outcome: str = "done",
) -> Entry:
    """Add an entry to the open transaction, so that both are kept or neither is.

    Request id and source address come from the request being served, if any.

    Args:
        tenant: Whose history it belongs to; None for the installation's own.
        action: What was done, ``noun.verb`` (``segment.saved``).
        actor: Who did it (``key:<public id>``, ``user:<id>``, ``system``).
        object_type: What kind of thing it was done to.
        object_id: Which one.
        before: The part of the object that changed, as it was.
        after: The same part, as it is now.
        outcome: ``done``, or why not.

    Raises:
        RuntimeError: No transaction is open, so the entry could outlive a change that was rolled back.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an audit entry is written inside the transaction of its change")
    entry = new_entry(
        tenant=tenant,
        action=action,
        actor=actor,
        object_type=object_type,
        object_id=object_id,
        before=before,
        after=after,
        outcome=outcome,
    )
    entry.save(force_insert=True)
    return entry


def new_entry(
    *,
    tenant: Tenant | None,
    action: str,
    actor: str,
    object_type: str,
    object_id: str,
    before: Json = None,
    after: Json = None,
    outcome: str = "done",
) -> Entry:
    """Make an entry that is not written yet, for those who insert it together with the row it tells of.

    Arguments as for ``record``.
    """
    request = REQUEST.get()
    return Entry(
        tenant=tenant,
        action=action,
        actor=actor,
        object_type=object_type,
        object_id=object_id,
        before=before,
        after=after,
        outcome=outcome,
        request_id=request.request_id,
        source_address=request.source_address,
    )
