"""What changes about tenants and their keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from kernel.clock import utc_now
from kernel.errors import ErrorItem
from tenants import keys
from tenants.context import tenant_scope, unscoped
from tenants.errors import KeyNotFound, TenantExists, UnknownScope
from tenants.known_callers import forget_callers_of
from tenants.models import ApiKey, Tenant
from tenants.types import SCOPES


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``text`` is the only copy of its secret there will ever be."""

    api_key: ApiKey
    text: str = field(repr=False)


def create_tenant(*, slug: str, name: str) -> Tenant:
    """Add a tenant to the installation.

    Raises:
        TenantExists: The short name is taken.
    """
    try:
        with unscoped("the tenant does not exist yet"):
            return Tenant.objects.create(slug=slug, name=name)
    except IntegrityError as error:
        raise TenantExists(f"There is a tenant {slug!r} already.") from error


def create_api_key(
    *, tenant: Tenant, name: str, scopes: Sequence[str] = SCOPES, expires_at: datetime | None = None
) -> NewKey:
    """Make a key. Only a keyed hash of its secret is kept.

    Args:
        tenant: Whose key.
        name: What uses it.
        scopes: What it may do; all by default.
        expires_at: When it stops working; never by default.

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
    return NewKey(api_key, key.reveal())


def hash_for_keeping(*, text: str) -> bytes:
    """Hash a secret text that is shown once and compared later; keyed, so that a stolen table alone tells nothing."""
    return keys.hash_secret(text, master=settings.SECRET_KEY)


def revoke_api_key(*, tenant: Tenant, api_key_id: UUID) -> ApiKey:
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
        forget_callers_of(tenant.id)
    return api_key
