"""Signing secrets of a tenant's callbacks: made, rotated, read by those who sign."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import models

from foundation.scope import reading_scope, tenant_scope
from kernel.clock import utc_now
from kernel.crypto import SealBroken
from tenants.models import CallbackSecret, Tenant
from tenants.sealing import open_from, seal_into

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
BOTH_SIGN_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewCallbackSecret:
    """A secret just made. ``text`` is shown once; the one before it signs as well until ``before_until``."""

    text: str = field(repr=False)
    created_at: datetime
    before_until: datetime | None


@dataclass(frozen=True, slots=True)
class CallbackSecretAge:
    """Since when a tenant's callbacks are signed with their secret, and until when the one before it signs too."""

    created_at: datetime
    before_until: datetime | None


def ensure_callback_secret(*, tenant: Tenant) -> bool:
    """Make a secret where the tenant has none, so that every callback is signed; return whether one was made.

    Nobody is shown it: to know one's secret is to rotate it. May be repeated, also by many at once.
    """
    with tenant_scope(tenant.id):
        if CallbackSecret.objects.exists():
            return False
        made = CallbackSecret(tenant=tenant)
        seal_into(made, "secret", new_secret())
        CallbackSecret.objects.bulk_create([made], ignore_conflicts=True)
    return True


def rotate_callback_secret(*, tenant: Tenant) -> NewCallbackSecret:
    """Make a new secret. The one it replaces signs beside it for 24 hours, whatever was before that no more."""
    text, now = new_secret(), utc_now()
    ensure_callback_secret(tenant=tenant)
    with tenant_scope(tenant.id):
        row = CallbackSecret.objects.select_for_update().get()
        seal_into(row, "secret_before", present_secret(row))
        seal_into(row, "secret", text)
        row.created_at = now
        row.save(update_fields=["secret", "secret_before", "created_at"])
    return NewCallbackSecret(text, now, now + BOTH_SIGN_FOR)


def callback_secret_age(*, tenant: Tenant) -> CallbackSecretAge | None:
    """Read how old a tenant's secret is; None when it has none yet."""
    with reading_scope(tenant.id):
        row = CallbackSecret.objects.first()
    if row is None:
        return None
    until = row.created_at + BOTH_SIGN_FOR
    return CallbackSecretAge(row.created_at, until if row.secret_before and until > utc_now() else None)


def signing_secrets(row: models.Model, *, made_at: datetime, now: datetime) -> list[str]:
    """Open what signs now: the secret of a row, and for 24 hours the one before it.

    Args:
        row: A tenant's, with the sealed fields ``secret`` and ``secret_before``.
        made_at: When the secret was made.
        now: The time.

    Raises:
        SealBroken: The key that sealed it is not on the installation's ring.
    """
    names = ["secret"]
    if getattr(row, "secret_before") and now < made_at + BOTH_SIGN_FOR:  # noqa: B009 - of either model
        names.append("secret_before")
    return [open_from(row, name) for name in names]


def new_secret() -> str:
    """Make a secret as Standard Webhooks write it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def present_secret(row: models.Model) -> str:
    """Open the present secret of a row; one that cannot be opened any more signs nothing."""
    try:
        return open_from(row, "secret")
    except SealBroken:
        return ""
