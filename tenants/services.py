"""Changes of tenants and their keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError

from audit.services import record
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.types import Json
from tenants.access import keys, tokens
from tenants.access.issuing import NewKey, create_api_key, revoke_api_key
from tenants.errors import ScopeMissing, TenantExists, TokenCannotMakeTokens
from tenants.models import Membership, Tenant
from tenants.types import SCOPES_BY_ROLE, Caller

__all__ = [
    "NewKey",
    "NewToken",
    "create_api_key",
    "create_tenant",
    "create_token",
    "hash_for_keeping",
    "revoke_api_key",
]


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made. ``text`` is its only copy."""

    text: str = field(repr=False)
    facts: tokens.TokenFacts


def create_tenant(*, slug: str, name: str, actor: str = "system") -> Tenant:
    """Add a tenant to the installation.

    Args:
        slug: Its short name.
        name: Its name.
        actor: For the audit.

    Raises:
        TenantExists: The short name is taken.
    """
    try:
        with unscoped("the tenant does not exist yet"):
            tenant = Tenant.objects.create(slug=slug, name=name)
            after: dict[str, Json] = {"slug": slug, "name": name}
            record("tenant.created", tenant, actor=actor, after=after)
            return tenant
    except IntegrityError as error:
        raise TenantExists(f"There is a tenant {slug!r} already.") from error


def create_token(*, caller: Caller, scopes: Sequence[str], seconds: int, member: Membership | None = None) -> NewToken:
    """Make a token that stands for the caller's key for a while, with no more rights. It is stored nowhere.

    It ends with its key, the secret that made it, or its tenant, and with its member: within 5 s in every process.

    Args:
        caller: Whose key.
        scopes: What it may do.
        seconds: How long.
        member: Whom it acts for, if anybody: what is done with it is theirs, and it may do no more than they.

    Raises:
        TokenCannotMakeTokens: The caller has no key, but a token or a session.
        ScopeMissing: A scope that the key, or the member's role, does not have; or the right to act for others.
    """
    if caller.is_token or caller.api_key is None:
        raise TokenCannotMakeTokens
    _check_scopes(scopes, caller.scopes, "The key lacks the scope")
    if member is not None:
        _check_scopes(["tenant:write"], caller.scopes, "To act for a member the key needs the scope")
        _check_scopes(scopes, SCOPES_BY_ROLE[member.role], f"The role {member.role} lacks the scope")
    expires_at = utc_now().replace(microsecond=0) + timedelta(seconds=seconds)
    member_id = None if member is None else member.id
    number = caller.secret_number or caller.api_key.secret_number
    facts = tokens.TokenFacts(caller.api_key.public_id, tuple(dict.fromkeys(scopes)), expires_at, member_id, number)
    after: dict[str, Json] = {"scopes": list(facts.scopes), "expires_at": expires_at.isoformat()}
    if member_id is not None:
        after["member_id"] = str(member_id)
    with tenant_scope(caller.tenant.id):
        record("token.created", caller.api_key, actor=caller.actor, after=after)
    return NewToken(tokens.write_token(facts, master=settings.SECRET_KEY), facts)


def _check_scopes(wanted: Sequence[str], has: Sequence[str], sentence: str) -> None:
    missing = tokens.lacking(wanted, has)
    if missing:
        raise ScopeMissing(f"{sentence} `{missing[0]}`.", extra={"scope": missing[0]})


def hash_for_keeping(*, text: str) -> bytes:
    """Hash a secret text that is shown once and compared later; keyed, so that a stolen table alone tells nothing."""
    return keys.hash_secret(text, master=settings.SECRET_KEY)
