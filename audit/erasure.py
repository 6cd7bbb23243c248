"""Erasure of a person from the audit: their data goes, the entries and the log stay as they are."""

from uuid import UUID

from django.db.models import Q

from audit.known_sources import forget_sources
from audit.models import PersonalValue
from audit.services import record
from audit.types import AuditObject
from foundation.scope import unscoped


def erase_person(*, tenant_id: UUID | None, person: str, actor: str) -> int:
    """Delete what the audit keeps of a person: names, addresses, what they wrote. Repeating it finds nothing.

    An address is gone for all entries that commit to it. Other processes may commit to it again for up to an hour:
    those entries show it as erased too.

    Args:
        tenant_id: The tenant whose log it is; None for the installation's.
        person: As actors are named: ``member:<id>``, ``user:<id>``.
        actor: For the audit, which tells that it was done, of whom, and of how many values.

    Returns:
        How many values were erased.
    """
    with unscoped("an operator erases a person"):
        rows = PersonalValue.objects.filter(Q(tenant_id=tenant_id), person=person)
        erased, _ = rows.delete()
        forget_sources(tenant_id, person)
        if erased:
            about = AuditObject("person", person, tenant_id)
            record("person.erased", about, actor=actor, after={"values": erased})
        return erased
