"""Reads of tenants: the caller behind a key or token, members, keys that live."""

from collections.abc import Collection
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import models

from foundation.pages import newest_page
from foundation.scope import reading_scope, tenant_scope, unscoped
from kernel.admission import learn_tenant, stranger_served
from kernel.clock import utc_now
from kernel.paging import Page
from tenants.access import keys, tokens
from tenants.access.attempts import KEYS
from tenants.access.key_uses import key_uses
from tenants.access.known_callers import known_callers
from tenants.errors import KeyNotFound, KeyRefused, KeyWrong
from tenants.models import ApiKey, Membership, Tenant
from tenants.types import Caller, KeySecret
from tenants.walls.lookups import tenant_of_api_key, tenant_of_member

Row = TypeVar("Row", bound=models.Model)


def find_caller(*, key_text: str) -> Caller:
    """Find whose key or token this is. A process asks the database about one key at most every 4 s.

    So a key that another process has revoked, or whose tenant has become inactive, is let in for up to 4 s more.

    Raises:
        KeyRefused: Not a key, unknown, wrong, revoked, expired, or of an inactive tenant; the caller is not told which.
        TooManyAttempts: Too many made-up ones came from the caller's address, or name this key.
    """
    known = known_callers.find(key_text)
    if known is None or not known.is_live():
        begun = known_callers.begin()
        known = _look_up_counted(key_text)
        known_callers.remember(key_text, known, begun)
    learn_tenant(known.tenant.id)
    if known.api_key is not None:
        key_uses.note(known.api_key.id)
    return known


def _look_up_counted(key_text: str) -> Caller:
    """Look a key or token up; what strangers make up is counted, and not looked at where it is too much."""
    stranger = stranger_served()
    if stranger is not None:
        KEYS.check(stranger)
    learn_tenant(None)
    try:
        return _look_up_token(key_text) if key_text.startswith(tokens.PREFIX) else _look_up(key_text)
    except KeyWrong as wrong:
        if stranger is not None:
            KEYS.count(stranger, wrong.account)
        raise


def _look_up(key_text: str) -> Caller:
    key = keys.read_key(key_text)
    if key is None:
        raise KeyWrong
    api_key = _find_key(key.public_id)
    number = None if api_key is None else _number_of(key.secret, api_key)
    if api_key is None or number is None:
        raise KeyWrong(key.public_id)
    return _let_in(Caller(tenant=api_key.tenant, api_key=api_key, secret_number=number))


def _number_of(secret: str, api_key: ApiKey) -> int | None:
    """Tell which secret of a key this is, be its time over or not; None for neither. Always compares with both."""
    is_present = keys.same_secret(secret, bytes(api_key.secret_hash), master=settings.SECRET_KEY)
    is_old = keys.same_secret(secret, bytes(api_key.old_secret_hash or b""), master=settings.SECRET_KEY)
    if is_present:
        return api_key.secret_number
    return api_key.secret_number - 1 if is_old else None


def _let_in(caller: Caller) -> Caller:
    if not caller.is_live() or not caller.tenant.is_active:
        raise KeyRefused
    return caller


def _look_up_token(text: str) -> Caller:
    facts = tokens.read_token(text, master=settings.SECRET_KEY, now=utc_now())
    if facts is None:
        raise KeyRefused if tokens.is_ours(text, master=settings.SECRET_KEY) else KeyWrong
    api_key = _find_key(facts.public_id)
    if api_key is None:
        raise KeyRefused
    member = None if facts.member_id is None else find_member(facts.member_id)
    if facts.member_id is not None and (member is None or member.tenant_id != api_key.tenant_id):
        raise KeyRefused
    return _let_in(Caller(api_key.tenant, api_key, member, facts.scopes, facts.expires_at, facts.secret_number))


def find_member(member_id: UUID) -> Membership | None:
    """Read an active membership by its id alone: a token that we signed names it."""
    tenant_id = tenant_of_member(member_id)
    if tenant_id is None:
        return None
    with tenant_scope(tenant_id):
        found = Membership.objects.select_related("tenant", "user").filter(id=member_id, deactivated_at=None)
        return found.filter(user__is_active=True, tenant__is_active=True).first()


def _find_key(public_id: str) -> ApiKey | None:
    tenant_id = tenant_of_api_key(public_id)
    if tenant_id is None:
        return None
    with tenant_scope(tenant_id):
        return ApiKey.objects.select_related("tenant").filter(public_id=public_id).first()


def scopes_of_live_keys(secrets: Collection[KeySecret]) -> dict[KeySecret, list[str]]:
    """Read what keys may still do; absent is one that is revoked, expired, or of an inactive tenant.

    One whose secret that was shown has ended is absent with that secret only.
    """
    with unscoped("streams of all tenants ask together whether their keys live"):
        rows = ApiKey.objects.select_related("tenant").filter(id__in={key_id for key_id, _ in secrets}, revoked_at=None)
        found = {key.id: key for key in rows if key.is_live() and key.tenant.is_active}
    return {
        (key_id, number): found[key_id].scopes
        for key_id, number in secrets
        if key_id in found and (number is None or found[key_id].takes_secret(number))
    }


def list_keys(*, tenant: Tenant, cursor: str | None, limit: int) -> Page[ApiKey]:
    """Read one page of a tenant's keys, the newest first, those that ended too.

    Raises:
        CursorRefused: Not a cursor of this list.
    """
    with reading_scope(tenant.id):
        return newest_page(ApiKey.objects.all(), cursor=cursor, limit=limit)


def get_key(*, tenant: Tenant, key_id: UUID) -> ApiKey:
    """Find a tenant's key.

    Raises:
        KeyNotFound: The tenant has none with this id.
    """
    with reading_scope(tenant.id):
        found = ApiKey.objects.filter(id=key_id).first()
    if found is None:
        raise KeyNotFound
    return found
