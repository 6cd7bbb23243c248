"""Sign-in of an account: the person it belongs to, and the changes it makes."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet

from audit.services import record
from audit.types import AuditObject
from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.ids import new_id, parse_id
from kernel.types import Json
from tenants.members.errors import LastAdmin
from tenants.members.selectors import memberships_of
from tenants.members.services import accept_invitations, change_member, join_by_domain, may_get_account
from tenants.models import Identity, Invitation, Membership, User
from tenants.sign_in.claims import (
    Claims,
    EmailFault,
    claimed_email,
    email_fault,
    listed_groups,
    mapped_groups,
    mapped_role,
    name_of,
    verified_email,
    why_no_groups,
)
from tenants.sign_in.errors import (
    Deactivated,
    EmailMalformed,
    EmailMissing,
    EmailUnverified,
    NotInvited,
    ProviderFailed,
    SignInRefused,
    TokenRefused,
)
from tenants.sign_in.providers import SignInProvider

log = logging.getLogger(__name__)

_WITHOUT_EMAIL: Final[Mapping[EmailFault, type[NotInvited]]] = {
    EmailFault.MISSING: EmailMissing,
    EmailFault.MALFORMED: EmailMalformed,
    EmailFault.UNVERIFIED: EmailUnverified,
}
_NOT_IN_NAMES: Final = re.compile(r"[^\w.@+-]")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person, where they may go, which is never empty, and the account they came with."""

    user: User
    members: list[Membership]
    identity: Identity


def sign_in(*, provider: SignInProvider, claims: Claims) -> SignedIn:
    """Find the person an account stands for, and bring their memberships up to date.

    An account is known by issuer and subject. An unknown one is let in only where its verified e-mail is invited (a
    member who is invited again gets it as a further account), is that of a member without an account, or is of a domain
    the provider's tenant lets join. If it is refused nothing stays written.

    Args:
        provider: Who vouches.
        claims: What it says, checked; of the ID token, and of userinfo where that says more.

    Raises:
        NotInvited: EmailMissing, EmailMalformed, EmailUnverified: the account is unknown, and so is its e-mail.
        NotInvited: Nobody has invited them.
        Deactivated: They were a member.
    """
    try:
        return _sign_in(provider, claims)
    except IntegrityError:
        return _sign_in(provider, claims)  # the same account came twice at once, and is known now


def rehearse_sign_in(*, provider: SignInProvider, claims: Claims) -> SignedIn:
    """Do what ``sign_in`` does, then take all of it back: nothing is written, and nobody is signed in.

    Raises:
        PersonRefused: As ``sign_in``.
    """
    with unscoped("a provider is tried with somebody's account"), transaction.atomic():
        found = _sign_in(provider, claims)
        transaction.set_rollback(True)
    return found


def refuse(*, provider: SignInProvider | None, error: SignInRefused) -> None:
    """Tell the audit that nobody was signed in: the tenant's if it has a part in it, else the installation's."""
    reason = error.reason if isinstance(error, TokenRefused) else None
    after: dict[str, Json] = {"code": error.code, "reason": reason}
    if isinstance(error, ProviderFailed | TokenRefused):
        after["detail"] = error.detail
        log.warning("identity provider %s failed: %s", "unknown" if provider is None else provider.key, error.detail)
    with unscoped("nobody is known"):
        target = AuditObject("identity_provider", "unknown", None) if provider is None else provider.audit_object
        record("sign_in.refused", target, actor="anonymous", after=after, outcome="refused")


def _sign_in(provider: SignInProvider, claims: Claims) -> SignedIn:
    with unscoped("a person signs in before a tenant is chosen"):
        email = verified_email(claims, trusted=provider.emails_verified)
        identity = Identity.objects.select_related("user").filter(issuer=provider.issuer, subject=claims["sub"]).first()
        if identity is None:
            identity = _new_identity(provider, claims, email)
        user = identity.user
        if not user.is_active:
            raise Deactivated(email)
        if email is not None:
            _join(provider, user, email)
        if provider.tenant is not None:
            _follow_groups(provider, user, claims)
        members = members_for(user=user, provider=provider)
        if not members:
            raise Deactivated(email) if _was_member(user, provider) else NotInvited(email)
        identity.last_used_at = utc_now()
        identity.save(update_fields=["last_used_at"])
        for member in members[:1] if provider.tenant is None else members:
            _audit(member, provider)
        return SignedIn(user, members, identity)


def account_of(*, user: User, account_id: object) -> Identity | None:
    """Read an account by its id, if it is this person's. To be called in ``unscoped``."""
    wanted = parse_id(account_id)
    return None if wanted is None else Identity.objects.select_related("user").filter(user=user, id=wanted).first()


def members_for(*, user: User, provider: SignInProvider) -> list[Membership]:
    """Read where somebody may go who was vouched for by a provider: a tenant's own opens this tenant only."""
    found = memberships_of(user=user)
    return [one for one in found if provider.tenant is None or one.tenant_id == provider.tenant.id]


def _was_member(user: User, provider: SignInProvider) -> bool:
    rows = user.memberships.all()
    return rows.exists() if provider.tenant is None else rows.filter(tenant=provider.tenant).exists()


def _new_identity(provider: SignInProvider, claims: Claims, email: str | None) -> Identity:
    if email is None:
        raise _WITHOUT_EMAIL[email_fault(claims)](claimed_email(claims))
    found = _without_account(provider, email) or _invited_again(provider, email)
    if found is None and not (_is_invited(provider, email) or _may_join(provider, email)):
        raise NotInvited(email)
    user = found or _new_user(claims, email)
    identity = Identity.objects.create(user=user, issuer=provider.issuer, subject=str(claims["sub"]))
    if found is not None:
        _audit_link(provider, identity)
    return identity


def _open_invitations(provider: SignInProvider, email: str) -> QuerySet[Invitation]:
    found = Invitation.objects.filter(email=email, accepted_at=None, revoked_at=None, expires_at__gt=utc_now())
    return found if provider.tenant is None else found.filter(tenant=provider.tenant)


def _is_invited(provider: SignInProvider, email: str) -> bool:
    """Whether somebody new is invited: not to a tenant that knows the e-mail as a member's."""
    invited = set(_open_invitations(provider, email).values_list("tenant", flat=True))
    known = Membership.objects.filter(user__email__iexact=email, tenant__in=invited)
    return bool(invited - set(known.values_list("tenant", flat=True)))


def _may_join(provider: SignInProvider, email: str) -> bool:
    """Whether the e-mail's domain opens the tenant: not again to somebody who is known there under another account."""
    if provider.tenant is None or email.rpartition("@")[2] not in provider.allowed_domains:
        return False
    return not Membership.objects.filter(tenant=provider.tenant, user__email__iexact=email).exists()


def _without_account(provider: SignInProvider, email: str) -> User | None:
    """Find the one member with this e-mail who has no account: an operator made them, or their accounts were unlinked.

    Never one who may use the console: an account would open that too. Never one of another tenant as well, for a
    tenant's own provider.
    """
    people = User.objects.filter(email__iexact=email, is_staff=False, is_superuser=False, identities=None)
    rows = list(people.annotate(places=Count("memberships")).filter(places__gt=0)[:2])
    if len(rows) != 1:
        return None
    tenants = {one.tenant_id for one in rows[0].memberships.all()}
    return rows[0] if provider.tenant is None or tenants == {provider.tenant.id} else None


def _invited_again(provider: SignInProvider, email: str) -> User | None:
    """Find the member whom their tenant, the only one they belong to, has invited to come with another account."""
    tenants = _open_invitations(provider, email).values("tenant")
    for member in Membership.objects.select_related("user").filter(user__email__iexact=email, tenant__in=tenants):
        if may_get_account(member):
            return member.user
    return None


def _new_user(claims: Claims, email: str) -> User:
    user_id = new_id()
    first, last = name_of(claims)
    username = f"{_NOT_IN_NAMES.sub('_', email)[:100]}+{user_id.hex[-12:]}"
    user = User(id=user_id, username=username, email=email, first_name=first, last_name=last)
    user.set_unusable_password()
    user.save(force_insert=True)
    return user


def _join(provider: SignInProvider, user: User, email: str) -> None:
    accept_invitations(user=user, email=email, tenant=provider.tenant)
    if provider.tenant is not None and _may_join(provider, email):
        join_by_domain(tenant=provider.tenant, user=user)
    if user.email != email:
        user.email = email
        user.save(update_fields=["email"])


def _follow_groups(provider: SignInProvider, user: User, claims: Claims) -> None:
    """Take over what the provider says of somebody's groups and role, save that the last admin stays one.

    What it does not tell stays, and the audit is told why.
    """
    for member in members_for(user=user, provider=provider):
        listed = _told(provider, member, claims, provider.groups_claim, provider.group_map, kept="groups")
        if listed is not None:
            groups = mapped_groups(listed, provider.group_map)
            if sorted(groups) != sorted(member.groups):
                change_member(tenant=member.tenant, actor=_actor(provider), member_id=member.id, groups=groups)
        listed = _told(provider, member, claims, provider.roles_claim, provider.role_map, kept="role")
        if listed is not None:
            role = mapped_role(listed, provider.role_map)
            if role != member.role:
                _change_role(provider, member, role)


def _told(
    provider: SignInProvider, member: Membership, claims: Claims, claim: str, meaning: Mapping[str, str], *, kept: str
) -> list[str] | None:
    """Read what a claim tells, if it means anything here; None: what the member has stays, and the audit knows why."""
    if not meaning:
        return None
    listed = listed_groups(claims, claim, known=meaning)
    if listed is not None:
        return listed
    after: dict[str, Json] = {"claim": claim, "reason": why_no_groups(claims, claim)}
    record(f"sign_in.{kept}_kept", member, actor=_actor(provider), after=after)
    return None


def _change_role(provider: SignInProvider, member: Membership, role: str) -> None:
    try:
        change_member(tenant=member.tenant, actor=_actor(provider), member_id=member.id, role=role)
    except LastAdmin:
        return


def _actor(provider: SignInProvider) -> str:
    return f"identity_provider:{provider.key}"


def _audit_link(provider: SignInProvider, identity: Identity) -> None:
    for member in members_for(user=identity.user, provider=provider):
        after: dict[str, Json] = {"identity_provider": provider.key, "issuer": identity.issuer}
        record("member.account_linked", member, actor=f"member:{member.id}", after=after)


def _audit(member: Membership, provider: SignInProvider) -> None:
    record("sign_in.done", member, actor=f"member:{member.id}", after={"identity_provider": provider.key})
