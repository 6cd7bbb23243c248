"""Queries of members and invitations."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from foundation.pages import newest_page
from foundation.scope import reading_scope, tenant_scope, unscoped
from kernel.ids import parse_id
from kernel.paging import Page
from tenants.members.errors import MemberNotFound
from tenants.models import Invitation, Membership, Tenant, User
from tenants.types import SCOPES_BY_ROLE
from tenants.walls.lookups import roles_of_members


def list_members(*, tenant: Tenant, cursor: str | None, limit: int) -> Page[Membership]:
    """Read one page of the members, newest first, those deactivated too.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    with tenant_scope(tenant.id):
        return newest_page(Membership.objects.select_related("user"), cursor=cursor, limit=limit)


def list_invitations(*, tenant: Tenant, cursor: str | None, limit: int) -> Page[Invitation]:
    """Read one page of the invitations, newest first; raises as ``list_members``."""
    with tenant_scope(tenant.id):
        return newest_page(Invitation.objects.all(), cursor=cursor, limit=limit)


def get_member(*, tenant: Tenant, member_id: UUID) -> Membership:
    """Read one member.

    Raises:
        MemberNotFound: The tenant has none with this id.
    """
    with reading_scope(tenant.id):
        member = Membership.objects.select_related("user").filter(id=member_id).first()
    if member is None:
        raise MemberNotFound
    return member


def find_active_member(*, tenant: Tenant, ref: str) -> Membership | None:
    """Find an active member by e-mail or id."""
    named = Q(user__email__iexact=ref) | Q(id=parse_id(ref))
    with reading_scope(tenant.id):
        return _active().filter(named).order_by("created_at").first()


def memberships_of(*, user: User) -> list[Membership]:
    """Read where somebody is an active member, in whichever tenants, by the tenants' names."""
    with unscoped("a person is signed in before a tenant is chosen"):
        found = _active().filter(user=user, tenant__is_active=True)
        return list(found.select_related("tenant", "user").order_by("tenant__name"))


def current_member(*, user: User, tenant_id: UUID, came_with: UUID | None = None) -> Membership | None:
    """Read somebody's active membership of one active tenant; None as soon as it is deactivated.

    Args:
        user: Who.
        tenant_id: Of which tenant.
        came_with: The account they came with, by its id: None as soon as that is unlinked.
    """
    with tenant_scope(tenant_id):
        found = _active().filter(user=user, tenant__is_active=True)
        found = found if came_with is None else found.filter(user__identities=came_with)
        return found.select_related("tenant", "user").first()


def scopes_of_active_members(member_ids: Iterable[UUID]) -> dict[UUID, tuple[str, ...]]:
    """Read what members may do by their roles; absent is one that is not active any more."""
    return {member_id: SCOPES_BY_ROLE[role] for member_id, role in roles_of_members(member_ids).items()}


def _active() -> QuerySet[Membership]:
    return Membership.objects.filter(deactivated_at=None, user__is_active=True)
