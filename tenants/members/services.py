"""Changes of members and invitations. Each is one transaction, with its audit entry."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from audit.services import record
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.errors import ErrorItem
from kernel.types import Json
from tenants.access.known_callers import forget_callers_of
from tenants.limits.room import BOUNDS, check_room
from tenants.members.errors import (
    InvitationClosed,
    InvitationNotFound,
    LastAdmin,
    MemberExists,
    MemberInvalid,
    MemberNotFound,
)
from tenants.members.limits import check_may_invite
from tenants.members.rules import ADMIN, AUDITOR, REVIEWER, absence_problems, email_problems, group_problems
from tenants.models import Invitation, Membership, Tenant, User

INVITATION_DAYS: Final = 14


def invite_member(*, tenant: Tenant, actor: str, email: str, role: str, groups: Sequence[str]) -> Invitation:
    """Invite somebody by e-mail, for 14 days. Inviting them again renews the open invitation, and mails again.

    A worker mails it, within a second or so. Who is a member already, of this tenant only, is invited to come with
    another account, as after a move to another provider: role and groups stay theirs.

    Raises:
        MemberInvalid: The e-mail or a group's name cannot be one.
        MemberExists: They are a member already, and cannot get another account this way: deactivated, never signed
            in, a member elsewhere too, or an operator.
        TooManyInvitations: Too many were sent, by the tenant or to this address.
        TooManyKept: It has as many members, with those invited, as it may.
    """
    if found := email_problems(email) + group_problems(groups):
        raise MemberInvalid(errors=found)
    address = email.strip().lower()
    check_may_invite(tenant, address)
    with tenant_scope(tenant.id):
        _lock(tenant)
        known = list(Membership.objects.select_related("user").filter(user__email__iexact=address)[:2])
        if known and not (len(known) == 1 and _has_account(known[0]) and may_get_account(known[0])):
            raise MemberExists
        row = Invitation.objects.filter(email=address, accepted_at=None, revoked_at=None).first()
        if row is None:
            check_room("members", members_and_invited())
        row = row or Invitation(tenant=tenant, email=address)
        row.role, row.groups, row.invited_by = role, _distinct(groups), actor
        row.expires_at = utc_now() + timedelta(days=INVITATION_DAYS)
        row.mailed_at, row.mail_error = None, ""
        row.save()
        after: dict[str, Json] = {"role": role, "groups": list(row.groups)}
        for member in known:
            after = {"to_link_an_account_of": str(member.id)}
        record("member.invited", row, actor=actor, after=after)
    return row


def may_get_account(member: Membership) -> bool:
    """Whether their tenant may let a member sign in with a further account.

    Never who may use the console, and never who belongs to another tenant too: the account would open that as well.
    """
    user = member.user
    if not user.is_active or user.is_staff or user.is_superuser or member.deactivated_at is not None:
        return False
    with unscoped("an account opens every tenant its person belongs to"):
        return not user.memberships.exclude(tenant_id=member.tenant_id).exists()


def revoke_invitation(*, tenant: Tenant, actor: str, invitation_id: UUID) -> None:
    """Take an invitation back.

    Raises:
        InvitationNotFound: The tenant has none with this id.
        InvitationClosed: It is not open.
    """
    with tenant_scope(tenant.id):
        row = Invitation.objects.select_for_update().filter(id=invitation_id).first()
        if row is None:
            raise InvitationNotFound
        if not row.is_open:
            raise InvitationClosed(f"The invitation is {row.status}.", extra={"state": row.status})
        row.revoked_at = utc_now()
        row.save(update_fields=["revoked_at"])
        record("invitation.revoked", row, actor=actor)


def accept_invitations(*, user: User, email: str, tenant: Tenant | None = None) -> list[Membership]:
    """Make somebody a member wherever an open invitation names their e-mail, which the caller has seen verified.

    Not where a member with another account has this e-mail: the invitation is that member's.

    Args:
        user: Who has signed in.
        email: Their verified e-mail.
        tenant: Only this one's invitations; None: every tenant's.
    """
    with unscoped("invitations of every tenant are looked for"):
        found = Invitation.objects.select_related("tenant").select_for_update(of=("self",))
        rows = [row for row in found.filter(email=email.lower(), accepted_at=None, revoked_at=None) if row.is_open]
        mine = [row for row in rows if tenant is None or row.tenant_id == tenant.id]
        others = Membership.objects.filter(user__email__iexact=email).exclude(user=user)
        taken = set(others.filter(tenant__in=[row.tenant_id for row in mine]).values_list("tenant_id", flat=True))
        return [_accept(row, user) for row in mine if row.tenant_id not in taken]


def members_and_invited() -> int:
    """Count the members of the tenant in scope, deactivated ones too, and its open invitations."""
    invited = Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=utc_now())
    return Membership.objects.count() + invited.count()


def join_by_domain(*, tenant: Tenant, user: User) -> Membership | None:
    """Make somebody a reviewer of a tenant that lets everybody of their e-mail's domain join; None without room."""
    with tenant_scope(tenant.id):
        _lock(tenant)
        member = Membership.objects.filter(tenant=tenant, user=user).first()
        if member is None and members_and_invited() >= BOUNDS["members"].most:
            return None
        member, created = Membership.objects.get_or_create(tenant=tenant, user=user, defaults={"role": REVIEWER})
        if created:
            record("member.joined", member, actor=f"member:{member.id}", after={"role": member.role})
    return member


def change_member(
    *, tenant: Tenant, actor: str, member_id: UUID, role: str | None = None, groups: Sequence[str] | None = None
) -> Membership:
    """Change what somebody may do, or which reviewer groups they are in; holds everywhere within 5 s.

    What changes nothing is not told to the audit.

    Raises:
        MemberNotFound: The tenant has no such member.
        MemberInvalid: A group's name cannot be one.
        LastAdmin: They are the last active admin.
    """
    _check_groups(groups or ())
    with tenant_scope(tenant.id):
        member = _locked(tenant, member_id)
        before = _audit_facts(member)
        if role is not None and role != member.role:
            _check_other_admin(member)
            member.role = role
        if groups is not None:
            member.groups = _distinct(groups)
        if _audit_facts(member) == before:
            return member
        member.save(update_fields=["role", "groups"])
        record("member.changed", member, actor=actor, before=before, after=_audit_facts(member))
        forget_callers_of(tenant.id)
    return member


def require_other_admin(*, tenant: Tenant, member_id: UUID) -> None:
    """Make sure that somebody else can look after the tenant, until the transaction around this ends.

    Raises:
        MemberNotFound: The tenant has no such member.
        LastAdmin: They are the last active admin.
    """
    with tenant_scope(tenant.id):
        _check_other_admin(_locked(tenant, member_id))


def deactivate_member(*, tenant: Tenant, actor: str, member_id: UUID) -> Membership:
    """End somebody's rights in a tenant: their sessions and tokens are refused within 5 s. Repeating changes nothing.

    Raises:
        MemberNotFound: As ``change_member``; ``LastAdmin`` as well.
    """
    with tenant_scope(tenant.id):
        member = _locked(tenant, member_id)
        if member.deactivated_at is None:
            _check_other_admin(member)
            member.deactivated_at = utc_now()
            member.save(update_fields=["deactivated_at"])
            record("member.deactivated", member, actor=actor)
            forget_callers_of(tenant.id)
    return member


def reactivate_member(*, tenant: Tenant, actor: str, member_id: UUID) -> Membership:
    """Give somebody back what they could do. Repeating changes nothing.

    Raises:
        MemberNotFound: The tenant has no such member.
    """
    with tenant_scope(tenant.id):
        member = _locked(tenant, member_id)
        if member.deactivated_at is not None:
            member.deactivated_at = None
            member.save(update_fields=["deactivated_at"])
            record("member.reactivated", member, actor=actor)
            forget_callers_of(tenant.id)
    return member


def set_absence(
    *,
    tenant: Tenant,
    actor: str,
    member_id: UUID,
    away_from: datetime,
    away_until: datetime | None = None,
    stands_in: UUID | None = None,
) -> Membership:
    """Say when somebody is out of office, and who is asked in their place meanwhile.

    Args:
        tenant: Owner.
        actor: For the audit.
        member_id: Who is away.
        away_from: From when on.
        away_until: Until when; None: until they say otherwise.
        stands_in: An active member who can decide; None: nobody.

    Raises:
        MemberNotFound: The tenant has no such member.
        MemberInvalid: The times or the stand-in cannot be.
    """
    with tenant_scope(tenant.id):
        member = _locked(tenant, member_id)
        found = absence_problems(away_from, away_until, utc_now()) + _stand_in_problems(member, stands_in)
        if found:
            raise MemberInvalid(errors=found)
        member.away_from, member.away_until, member.stands_in_id = away_from, away_until, stands_in
        member.save(update_fields=["away_from", "away_until", "stands_in"])
        record("member.away", member, actor=actor, after=_absence(member))
    return member


def clear_absence(*, tenant: Tenant, actor: str, member_id: UUID) -> Membership:
    """Say that somebody is back. Repeating changes nothing.

    Raises:
        MemberNotFound: The tenant has no such member.
    """
    with tenant_scope(tenant.id):
        member = _locked(tenant, member_id)
        if member.away_from is not None:
            before = _absence(member)
            member.away_from = member.away_until = member.stands_in = None
            member.save(update_fields=["away_from", "away_until", "stands_in"])
            record("member.back", member, actor=actor, before=before)
    return member


def _accept(row: Invitation, user: User) -> Membership:
    member, created = Membership.objects.get_or_create(
        tenant=row.tenant, user=user, defaults={"role": row.role, "groups": row.groups}
    )
    row.accepted_at = utc_now()
    row.save(update_fields=["accepted_at"])
    after: dict[str, Json] = {"invitation_id": str(row.id), "joined": created, **_audit_facts(member)}
    record("invitation.accepted", member, actor=f"member:{member.id}", after=after)
    return member


def _has_account(member: Membership) -> bool:
    return member.user.identities.exists()


def _locked(tenant: Tenant, member_id: UUID) -> Membership:
    """Lock the tenant's row and a member's: of two changes at once the second sees the first."""
    _lock(tenant)
    rows = Membership.objects.select_for_update(of=("self",)).select_related("tenant", "user", "stands_in")
    member = rows.filter(id=member_id).first()
    if member is None:
        raise MemberNotFound
    return member


def _lock(tenant: Tenant) -> None:
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)


def _check_other_admin(member: Membership) -> None:
    """Keep the last active admin. To be called with the tenant's row locked."""
    if member.role != ADMIN or member.deactivated_at is not None:
        return
    others = Membership.objects.filter(role=ADMIN, deactivated_at=None, user__is_active=True).exclude(id=member.id)
    if not others.exists():
        raise LastAdmin("Make somebody else an admin first.")


def _stand_in_problems(member: Membership, stands_in: UUID | None) -> list[ErrorItem]:
    if stands_in is None:
        return []
    if stands_in == member.id:
        return [ErrorItem(code="ONESELF", detail="Members cannot stand in for themselves.", pointer="/stands_in")]
    able = Membership.objects.filter(id=stands_in, deactivated_at=None, user__is_active=True).exclude(role=AUDITOR)
    if able.exists():
        return []
    detail = "There is no active member with this id who can decide."
    return [ErrorItem(code="MEMBER_UNKNOWN", detail=detail, pointer="/stands_in")]


def _check_groups(groups: Sequence[str]) -> None:
    found = group_problems(groups)
    if found:
        raise MemberInvalid(errors=found)


def _distinct(groups: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(groups))


def _audit_facts(member: Membership) -> dict[str, Json]:
    return {"role": member.role, "groups": list(member.groups)}


def _absence(member: Membership) -> dict[str, Json]:
    return {
        "away_from": None if member.away_from is None else member.away_from.isoformat(),
        "away_until": None if member.away_until is None else member.away_until.isoformat(),
        "stands_in": None if member.stands_in_id is None else str(member.stands_in_id),
    }
