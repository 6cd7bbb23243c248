"""Changes of keys: made, rotated, revoked. Each is one transaction, with its audit entry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from audit.services import record
from foundation.idempotency import IdempotentRequest
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.errors import ErrorItem
from kernel.types import Json
from tenants.access import keys
from tenants.access.expiry_reminders import days_passed
from tenants.access.key_bounds import check_room_for_key, is_last_admin_key
from tenants.access.key_requests import find_made, keep_request
from tenants.access.key_rights import check_may_give, expiry_for
from tenants.access.known_callers import forget_callers_of
from tenants.errors import KeyEnded, KeyHasTwoSecrets, KeyInvalid, KeyNotFound, LastAdminKey, UnknownScope
from tenants.models import ApiKey, Tenant
from tenants.types import KNOWN_SCOPES, SCOPES, Caller

OLD_SECRET_SECONDS: Final = 24 * 3_600
MAX_OLD_SECRET_SECONDS: Final = 30 * 24 * 3_600
ROTATED: Final = (
    "secret_hash", "secret_number", "rotated_at", "old_secret_hash", "old_secret_ends_at", "expires_at", "reminded_days"
)  # fmt: skip
"""Columns that a rotation changes."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key with a secret just made. ``text`` is the only copy of it there will ever be."""

    api_key: ApiKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key as a caller is given it. ``text`` is None where an earlier request of the same name was shown it."""

    api_key: ApiKey
    text: str | None = field(repr=False)


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
        name: The program that uses it.
        scopes: What it may do; all by default.
        expires_at: When it stops working; never by default.
        actor: For the audit.

    Raises:
        UnknownScope: A scope that does not exist.
        TooManyKeys: 100 keys of the tenant live.
        TooManyKeysMade: 200 were made within 24 hours.
    """
    _check_known(scopes)
    key = keys.new_key()
    with tenant_scope(tenant.id):
        _lock(tenant)
        check_room_for_key()
        api_key = ApiKey.objects.create(
            tenant=tenant,
            name=name,
            public_id=key.public_id,
            secret_hash=_hash(key),
            scopes=list(dict.fromkeys(scopes)),
            created_by=actor,
            expires_at=expires_at,
            reminded_days=days_passed(expires_at, utc_now()),
        )
        after: dict[str, Json] = {"name": name, "scopes": list(api_key.scopes), "public_id": api_key.public_id}
        if expires_at is not None:
            after["expires_at"] = expires_at.isoformat()
        record("api_key.created", api_key, actor=actor, after=after)
    return NewKey(api_key, key.reveal())


def create_key_for_caller(
    *,
    caller: Caller,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    once: IdempotentRequest | None = None,
) -> IssuedKey:
    """Make a key as a caller asks, with no more rights than theirs, once for each idempotency key.

    Args:
        caller: Who asks.
        name: The program that uses it.
        scopes: What it may do.
        expires_at: When it stops working; None: with the calling key, or never if that has no end.
        once: The request's name.

    Raises:
        TokenCannotMakeKeys: As ``check_may_give``; ``ScopeMissing`` and ``KeyOutlivesCaller`` as well.
        KeyInvalid: It would have ended already.
        IdempotencyKeyReused: The name stands for another request.
        TooManyKeys: As ``create_api_key``; ``TooManyKeysMade`` as well.
    """
    ends = expiry_for(caller, expires_at)
    check_may_give(caller, scopes=scopes, expires_at=ends)
    _check_end(ends)
    with tenant_scope(caller.tenant.id):
        _lock(caller.tenant)
        earlier = find_made(once)
        if earlier is not None:
            return IssuedKey(earlier, None)
        made = create_api_key(tenant=caller.tenant, name=name, scopes=scopes, expires_at=ends, actor=caller.actor)
        keep_request(once, made.api_key)
    return IssuedKey(made.api_key, made.text)


def rotate_api_key(
    *,
    tenant: Tenant,
    api_key_id: UUID,
    old_secret_seconds: int = OLD_SECRET_SECONDS,
    expires_at: datetime | None = None,
    actor: str = "system",
) -> NewKey:
    """Make the next secret of a key; the present one works beside it for a while, or ends at once.

    An end holds from the next request on in this process, within 4 s in every other; tokens made with a secret, and
    streams opened with it, end with it.

    Args:
        tenant: Whose key.
        api_key_id: Which.
        old_secret_seconds: How long the present secret goes on working; 0: not at all.
        expires_at: The key's new end; None: it stays.
        actor: For the audit.

    Raises:
        KeyNotFound: The tenant has no such key.
        KeyEnded: It is revoked or expired.
        KeyHasTwoSecrets: The secret before the present one still works.
    """
    with tenant_scope(tenant.id):
        api_key = _locked(tenant, api_key_id)
        if not api_key.is_live():
            raise KeyEnded(f"The API key is {api_key.state}.", extra={"state": api_key.state})
        _check_one_secret(api_key)
        text, now = keys.new_key(api_key.public_id), utc_now()
        if expires_at is not None:
            api_key.expires_at, api_key.reminded_days = expires_at, days_passed(expires_at, now)
        ends = now + timedelta(seconds=old_secret_seconds)
        api_key.old_secret_hash = api_key.secret_hash if old_secret_seconds else None
        api_key.old_secret_ends_at = ends if old_secret_seconds else None
        api_key.secret_hash, api_key.rotated_at = _hash(text), now
        api_key.secret_number += 1
        api_key.save(update_fields=ROTATED)
        after: dict[str, Json] = {"secret_number": api_key.secret_number, "old_secret_ends_at": ends.isoformat()}
        if expires_at is not None:
            after["expires_at"] = expires_at.isoformat()
        record("api_key.rotated", api_key, actor=actor, after=after)
        forget_callers_of(tenant.id)
    return NewKey(api_key, text.reveal())


def rotate_key_for_caller(
    *,
    caller: Caller,
    api_key_id: UUID,
    old_secret_seconds: int = OLD_SECRET_SECONDS,
    expires_at: datetime | None = None,
    once: IdempotentRequest | None = None,
) -> IssuedKey:
    """Rotate a key as a caller asks, who has all the rights it has; arguments and errors as ``rotate_api_key``.

    Raises:
        TokenCannotMakeKeys: As ``create_key_for_caller``; ``ScopeMissing``, ``KeyOutlivesCaller``, ``KeyInvalid`` and
            ``IdempotencyKeyReused`` as well.
    """
    _check_end(expires_at)
    with tenant_scope(caller.tenant.id):
        api_key = _locked(caller.tenant, api_key_id)
        check_may_give(caller, scopes=api_key.scopes, expires_at=expires_at or api_key.expires_at)
        earlier = find_made(once)
        if earlier is not None:
            return IssuedKey(earlier, None)
        made = rotate_api_key(
            tenant=caller.tenant,
            api_key_id=api_key_id,
            old_secret_seconds=old_secret_seconds,
            expires_at=expires_at,
            actor=caller.actor,
        )
        keep_request(once, made.api_key)
    return IssuedKey(made.api_key, made.text)


def end_old_secret(*, tenant: Tenant, api_key_id: UUID, actor: str = "system") -> ApiKey:
    """End the previous secret now, as fast as ``rotate_api_key``. Repeating it changes nothing.

    Raises:
        KeyNotFound: The tenant has no such key.
    """
    with tenant_scope(tenant.id):
        api_key = _locked(tenant, api_key_id)
        if api_key.old_secret_until is not None:
            api_key.old_secret_hash = api_key.old_secret_ends_at = None
            api_key.save(update_fields=["old_secret_hash", "old_secret_ends_at"])
            record("api_key.old_secret_ended", api_key, actor=actor)
        forget_callers_of(tenant.id)
    return api_key


def revoke_api_key(*, tenant: Tenant, api_key_id: UUID, actor: str = "system", allow_last: bool = True) -> ApiKey:
    """Stop a key for good. Holds from the next request on in this process, within 4 s in every other.

    Repeating it changes nothing. The audit says where no key is left that may manage keys.

    Args:
        tenant: Whose key.
        api_key_id: Which.
        actor: For the audit.
        allow_last: Whether to revoke the last live key that may manage keys, too.

    Raises:
        KeyNotFound: The tenant has no such key.
        LastAdminKey: It is that one, and was not to be revoked then.
    """
    with tenant_scope(tenant.id):
        api_key = _locked(tenant, api_key_id)
        if api_key.revoked_at is None:
            is_last = is_last_admin_key(api_key)
            if is_last and not allow_last:
                raise LastAdminKey(
                    "Without it only a member who signs in as admin, or your operator, can make keys; send "
                    "`allow_last=true` to revoke it all the same.",
                    extra={"state": "live"},
                )
            api_key.revoked_at = utc_now()
            api_key.save(update_fields=["revoked_at"])
            record("api_key.revoked", api_key, actor=actor, after={"was_last_admin_key": True} if is_last else None)
        forget_callers_of(tenant.id)
    return api_key


def _lock(tenant: Tenant) -> None:
    """Have changes of a tenant's keys come one after the other."""
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)


def _locked(tenant: Tenant, api_key_id: UUID) -> ApiKey:
    _lock(tenant)
    api_key = ApiKey.objects.select_for_update(no_key=True).filter(id=api_key_id).first()
    if api_key is None:
        raise KeyNotFound
    return api_key


def _hash(key: keys.KeyText) -> bytes:
    return keys.hash_secret(key.secret, master=settings.SECRET_KEY)


def _check_known(scopes: Sequence[str]) -> None:
    hint = "One of " + ", ".join(KNOWN_SCOPES) + "."
    unknown = [
        ErrorItem(code="UNKNOWN_SCOPE", detail=f"There is no scope {scope!r}.", hint=hint)
        for scope in scopes
        if scope not in KNOWN_SCOPES
    ]
    if unknown:
        raise UnknownScope(errors=unknown)


def _check_end(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= utc_now():
        detail = "This is in the past, so the key would never work."
        raise KeyInvalid(detail, errors=[ErrorItem(code="IN_THE_PAST", detail=detail, pointer="/expires_at")])


def _check_one_secret(api_key: ApiKey) -> None:
    until = api_key.old_secret_until
    if until is not None:
        ends = until.isoformat().replace("+00:00", "Z")
        raise KeyHasTwoSecrets(
            f"The previous secret works until {ends}; end it first.",
            extra={"state": "two_secrets", "old_secret_ends_at": ends},
        )
