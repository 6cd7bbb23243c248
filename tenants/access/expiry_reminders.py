"""Reminders of keys that end: to the tenant's admins and into its audit, 14, 3 and 1 days before, each once."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from audit.services import record
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.types import Json
from tenants.access.key_bounds import is_last_admin_key
from tenants.admin_mails.services import mail_admins
from tenants.models import ApiKey

DAYS: Final = (14, 3, 1)
AT_ONCE: Final = 1_000


def days_passed(expires_at: datetime | None, now: datetime) -> int | None:
    """Tell which reminder's time has come last; None while none has, and for a key without an end. Pure."""
    if expires_at is None:
        return None
    return min((days for days in DAYS if expires_at - now <= timedelta(days=days)), default=None)


def remind_of_ending_keys() -> int:
    """Remind the admins of keys that end soon; return how many were reminded of.

    Each reminder comes once, however many do this at once; of several whose time has passed unnoticed the last one.
    A key that was made, or given a new end, within a reminder's time has that one behind it.
    """
    with unscoped("keys of all tenants are looked through together"):
        rows = _due().filter(tenant__is_active=True).order_by("expires_at", "id").values_list("tenant_id", "id")
        found = list(rows[:AT_ONCE])
    return sum(_remind_of(tenant_id, key_id) for tenant_id, key_id in found)


def _due() -> QuerySet[ApiKey]:
    now = utc_now()
    is_due = Q(pk__in=[])
    for days in DAYS:
        is_due |= Q(expires_at__lte=now + timedelta(days=days)) & (Q(reminded_days=None) | Q(reminded_days__gt=days))
    return ApiKey.objects.filter(is_due, expires_at__gt=now, revoked_at=None)


def _remind_of(tenant_id: UUID, key_id: UUID) -> bool:
    """Remind of one; False where another process has done so, or is at it."""
    with tenant_scope(tenant_id):
        locked = _due().select_related("tenant").select_for_update(of=("self",), no_key=True, skip_locked=True)
        api_key = locked.filter(id=key_id).first()
        if api_key is None:
            return False
        api_key.reminded_days = days_passed(api_key.expires_at, utc_now())
        api_key.save(update_fields=["reminded_days"])
        facts: dict[str, Json] = {
            "name": api_key.name,
            "public_id": api_key.public_id,
            "days": api_key.reminded_days,
            "expires_at": str(api_key.expires_at and api_key.expires_at.isoformat()),
            "is_last_admin_key": is_last_admin_key(api_key),
        }
        mails = mail_admins(tenant=api_key.tenant, template="keys/ending", variables=facts)
        record("api_key.ending", api_key, actor="system", after={**facts, "mails": mails})
    return True
