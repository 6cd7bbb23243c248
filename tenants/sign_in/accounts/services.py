"""Changes of the accounts members sign in with. Each is one transaction, with its audit entry."""

from typing import Final
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Model

from audit.services import record
from foundation.scope import unscoped
from kernel.types import Json
from tenants.members.selectors import get_member
from tenants.members.services import may_get_account
from tenants.models import Identity, Membership, Tenant, User
from tenants.sign_in.accounts.errors import (
    LAST_ACCOUNT,
    AccountNotFound,
    AccountOfAnotherEmail,
    AccountShared,
    AccountTaken,
    LastAccount,
    TooManyAccounts,
)
from tenants.sign_in.claims import Claims, readable_email, verified_email
from tenants.sign_in.providers import SignInProvider
from tenants.sign_in.services import account_of

MAX_ACCOUNTS: Final = 10


def list_accounts(*, tenant: Tenant, member_id: UUID) -> list[Identity]:
    """Read the accounts a member signs in with, the newest first.

    Raises:
        MemberNotFound: The tenant has no such member.
    """
    member = get_member(tenant=tenant, member_id=member_id)
    with unscoped("accounts belong to people, who may be in several tenants"):
        return list(Identity.objects.filter(user=member.user).order_by("-id"))


def unlink_account(*, tenant: Tenant, actor: str, member_id: UUID, account_id: str, allow_last: bool = False) -> None:
    """Unlink an account of a member of one tenant; sessions begun with it are refused from then on.

    Args:
        tenant: Whose admin asks.
        actor: For the audit.
        member_id: Whose account it is.
        account_id: Which.
        allow_last: Whether it may be the only one.

    Raises:
        MemberNotFound: The tenant has no such member.
        AccountNotFound: They have no such account.
        AccountShared: They are in another tenant too, or operators.
        LastAccount: It is the only one, and ``allow_last`` is false.
    """
    member = get_member(tenant=tenant, member_id=member_id)
    with unscoped("accounts belong to people, who may be in several tenants"):
        identity = account_of(user=member.user, account_id=account_id)
        if identity is None:
            raise AccountNotFound
        if not (member.deactivated_at is not None and _is_only_here(member)) and not may_get_account(member):
            raise AccountShared("They belong to another tenant too, or run the installation: its operators unlink it.")
        unlink(identity=identity, actor=actor, allow_last=allow_last)


def unlink(*, identity: Identity, actor: str, allow_last: bool) -> None:
    """Unlink an account, whoever's it is; the tenants of its person are told. To be called in ``unscoped``.

    Raises:
        LastAccount: It is the only one, and ``allow_last`` is false. Of two at once the second sees the first.
    """
    User.objects.select_for_update(no_key=True).get(pk=identity.user_id)
    if not allow_last and not Identity.objects.filter(user=identity.user_id).exclude(pk=identity.pk).exists():
        raise LastAccount(f"{LAST_ACCOUNT} Send `allow_last=true` to go on.")
    _audit(identity, "member.account_unlinked", actor)
    identity.delete()


def link_account(*, member: Membership, provider: SignInProvider, claims: Claims) -> Identity:
    """Link an account to a member who has just signed in with it to that end. Repeating changes nothing.

    Raises:
        AccountTaken: It is somebody else's.
        AccountOfAnotherEmail: Its verified e-mail, if it has one, is not theirs.
        TooManyAccounts: They have ten.
    """
    try:
        return _link(member, provider, claims)
    except IntegrityError:
        return _link(member, provider, claims)  # the same account came twice at once, and is known now


def _link(member: Membership, provider: SignInProvider, claims: Claims) -> Identity:
    with unscoped("accounts belong to people, who may be in several tenants"):
        user = User.objects.select_for_update(no_key=True).get(pk=member.user_id)
        known = Identity.objects.filter(issuer=provider.issuer, subject=claims["sub"]).first()
        if known is not None and known.user_id != user.pk:
            raise AccountTaken(readable_email(claims))
        if known is not None:
            return known
        email = verified_email(claims, trusted=provider.emails_verified)
        if email is None or email != user.email.lower():
            raise AccountOfAnotherEmail(readable_email(claims))
        if Identity.objects.filter(user=user).count() >= MAX_ACCOUNTS:
            raise TooManyAccounts
        identity = Identity.objects.create(user=user, issuer=provider.issuer, subject=str(claims["sub"]))
        _audit(identity, "member.account_linked", f"member:{member.id}", identity_provider=provider.key)
        return identity


def _is_only_here(member: Membership) -> bool:
    return not (member.user.is_staff or member.user.memberships.exclude(tenant_id=member.tenant_id).exists())


def _audit(identity: Identity, action: str, actor: str, **more: Json) -> None:
    members: list[Model] = [*Membership.objects.filter(user=identity.user_id)]
    for place in members or [identity.user]:
        record(action, place, actor=actor, after={"issuer": identity.issuer, **more})
