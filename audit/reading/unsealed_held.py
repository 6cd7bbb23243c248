"""Entries that no leaf seals: those that do not wait for one either, and those that have waited for too long.

Rows of leaves that are in no log, and would make an entry look sealed, are found with them.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from audit.models import Entry, SealedEntry
from audit.reading.files import is_sealed, is_waiting, latest_now
from audit.sealing.growth import log_name
from audit.verifier.signatures import Flaw
from kernel.clock import utc_now

LONGEST_WAIT: Final = timedelta(minutes=15)
"""Time for which an entry may wait: it takes a second, and what waits can be changed unseen."""


def flaw_of_unsealed(tenant_id: UUID | None, size: int) -> Flaw | None:
    """Find an entry of a tenant, or of the installation, that no leaf seals; to be called in a scope that sees the log.

    Args:
        tenant_id: Whose entries.
        size: Leaves of the log; what is not sealed is behind the last.
    """
    is_ours, names_it = Q(tenant_id=tenant_id), Q(log_id=log_name(tenant_id))
    if SealedEntry.objects.filter(is_ours & ~names_it | names_it & (~is_ours | Q(n__lt=0))).exists():
        return Flaw(size, "number", "a leaf is another log's than its owner's, or has no place in it")
    ours = Entry.objects.filter(Q(tenant_id=tenant_id))
    waiting = is_waiting(tenant_id)
    lost = ours.exclude(is_sealed(tenant_id)).exclude(waiting).order_by("id").first()
    if lost is not None:
        return Flaw(size, "unsealed", f"the entry {lost.id} is in no leaf, and does not wait for one")
    late = ours.filter(waiting, created_at__lt=utc_now() - LONGEST_WAIT).order_by("created_at").first()
    if late is not None:
        minutes = LONGEST_WAIT // timedelta(minutes=1)
        return Flaw(size, "unsealed", f"the entry {late.id} has waited for more than {minutes} minutes to be sealed")
    early = ours.filter(waiting, created_at__gt=latest_now()).order_by("created_at").first()
    if early is not None:
        return Flaw(size, "unsealed", f"the entry {early.id} is of a time to come, and is not sealed before")
    return None
