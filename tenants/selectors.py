"""Reads of tenants: the caller behind a key or token, members, keys that live."""

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import models

from foundation.scope import unscoped
from kernel.admission import learn_tenant, stranger_served
from kernel.clock import utc_now
from tenants.access import keys, tokens
from tenants.access.attempts import KEYS
from tenants.access.known_callers import known_callers
from tenants.errors import KeyRefused, KeyWrong
from tenants.models import ApiKey, Membership
from tenants.types import Caller

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
    if api_key is None or not keys.same_secret(key.secret, bytes(api_key.secret_hash), master=settings.SECRET_KEY):
        raise KeyWrong(key.public_id)
    if not api_key.is_live() or not api_key.tenant.is_active:
        raise KeyRefused
    return Caller(tenant=api_key.tenant, api_key=api_key)


def _look_up_token(text: str) -> Caller:
    facts = tokens.read_token(text, master=settings.SECRET_KEY, now=utc_now())
    if facts is None:
        raise KeyRefused if tokens.is_ours(text, master=settings.SECRET_KEY) else KeyWrong
    api_key = _find_key(facts.public_id)
    if api_key is None or not api_key.is_live() or not api_key.tenant.is_active:
        raise KeyRefused
    member = None if facts.member_id is None else find_member(facts.member_id)
    if facts.member_id is not None and (member is None or member.tenant_id != api_key.tenant_id):
        raise KeyRefused
    return Caller(api_key.tenant, api_key, member, facts.scopes, facts.expires_at)


def find_member(member_id: UUID) -> Membership | None:
    """Read an active membership by its id alone: a token that we signed names it."""
    with unscoped("a token's member is looked up like its key"):
        found = Membership.objects.select_related("tenant", "user").filter(id=member_id, deactivated_at=None)
        return found.filter(user__is_active=True, tenant__is_active=True).first()


def _find_key(public_id: str) -> ApiKey | None:
    with unscoped("a key is looked up before its tenant is known"):
        return ApiKey.objects.select_related("tenant").filter(public_id=public_id).first()


def scopes_of_live_keys(api_key_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Read what keys may still do; absent is one that is revoked, expired, or of an inactive tenant."""
    with unscoped("streams of all tenants ask together whether their keys live"):
        found = ApiKey.objects.select_related("tenant").filter(id__in=list(api_key_ids), revoked_at=None)
        return {key.id: key.scopes for key in found if key.is_live() and key.tenant.is_active}
