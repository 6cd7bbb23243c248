"""Changes of tenants and their keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from audit.services import record
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.errors import ErrorItem
from kernel.types import Json
from tenants.access import keys, tokens
from tenants.access.known_callers import forget_callers_of
from tenants.errors import KeyNotFound, ScopeMissing, TenantExists, TokenMakesNone, UnknownScope
from tenants.models import ApiKey, Membership, Tenant
from tenants.types import SCOPES, SCOPES_BY_ROLE, Caller


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``text`` is the only copy of its secret there will ever be."""

    api_key: ApiKey
    text: str = field(repr=False)


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


def create_api_key(
    *,
    tenant: Tenant,
    name: str,
    scopes: Sequence[str] = SCOPES,
    expires_at: datetime | None = None,
    actor: str = "system",
) -> NewKey:
    """Make a key. Only a keyed hash of its secret is kept.

    Args:
        tenant: Whose key.
        name: What uses it.
        scopes: What it may do; all by default.
        expires_at: When it stops working; never by default.
        actor: For the audit.

    Raises:
        UnknownScope: A scope that does not exist.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        hint = "One of " + ", ".join(SCOPES) + "."
        raise UnknownScope(
            errors=[
                ErrorItem(code="UNKNOWN_SCOPE", detail=f"There is no scope {scope!r}.", hint=hint) for scope in unknown
            ]
        )
    key = keys.new_key()
    with tenant_scope(tenant.id):
        api_key = ApiKey.objects.create(
            tenant=tenant,
            name=name,
            public_id=key.public_id,
            secret_hash=keys.hash_secret(key.secret, master=settings.SECRET_KEY),
            scopes=list(dict.fromkeys(scopes)),
            expires_at=expires_at,
        )
        after: dict[str, Json] = {"name": name, "scopes": list(api_key.scopes), "public_id": api_key.public_id}
        record("api_key.created", api_key, actor=actor, after=after)
    return NewKey(api_key, key.reveal())


def create_token(*, caller: Caller, scopes: Sequence[str], seconds: int, member: Membership | None = None) -> NewToken:
    """Make a token that stands for the caller's key for a while, with no more rights. It is stored nowhere.

    It ends with its key or its tenant, and with its member: within 5 s in every process.

    Args:
        caller: Whose key.
        scopes: What it may do.
        seconds: How long.
        member: Whom it acts for, if anybody: what is done with it is theirs, and it may do no more than they.

    Raises:
        TokenMakesNone: The caller has no key, but a token or a session.
        ScopeMissing: A scope that the key, or the member's role, does not have; or the right to act for others.
    """
    if caller.is_token or caller.api_key is None:
        raise TokenMakesNone
    _check_scopes(scopes, caller.scopes, "The key lacks the scope")
    if member is not None:
        _check_scopes(["tenant:write"], caller.scopes, "To act for a member the key needs the scope")
        _check_scopes(scopes, SCOPES_BY_ROLE[member.role], f"The role {member.role} lacks the scope")
    expires_at = utc_now().replace(microsecond=0) + timedelta(seconds=seconds)
    member_id = None if member is None else member.id
    facts = tokens.TokenFacts(caller.api_key.public_id, tuple(dict.fromkeys(scopes)), expires_at, member_id)
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


def revoke_api_key(*, tenant: Tenant, api_key_id: UUID, actor: str = "system") -> ApiKey:
    """Stop a key for good. Holds from the next request on in this process, within 4 s in every other.

    Repeating it changes nothing.

    Raises:
        KeyNotFound: The tenant has no such key.
    """
    with tenant_scope(tenant.id):
        api_key = ApiKey.objects.select_for_update().filter(id=api_key_id).first()
        if api_key is None:
            raise KeyNotFound
        if api_key.revoked_at is None:
            api_key.revoked_at = utc_now()
            api_key.save(update_fields=["revoked_at"])
            record("api_key.revoked", api_key, actor=actor)
        forget_callers_of(tenant.id)
    return api_key
