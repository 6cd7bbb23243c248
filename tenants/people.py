"""People of a tenant who can be asked, by all the names they can be called."""

from foundation.scope import reading_scope
from tenants.models import MemberRole, Membership, Tenant


def people_of(*, tenant: Tenant) -> frozenset[str]:
    """Give the groups, e-mails and ids of the active members who can be asked."""
    with reading_scope(tenant.id):
        rows = Membership.objects.filter(deactivated_at=None, user__is_active=True).exclude(role=MemberRole.AUDITOR)
        found: set[str] = set()
        for member_id, email, groups in rows.values_list("id", "user__email", "groups"):
            found |= {str(member_id), email, *groups}
    return frozenset(found - {""})
