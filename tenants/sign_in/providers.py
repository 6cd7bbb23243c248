"""The providers people can sign in with: the installation's from the settings, and each tenant's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.conf import settings

from audit.types import AuditObject
from foundation.scope import tenant_scope
from kernel.egress import Policy
from kernel.ids import parse_id
from tenants.connections.egress_policy import egress_policy_of, egress_policy_with
from tenants.models import IdentityProvider, Tenant
from tenants.sealing import open_from
from tenants.walls.lookups import tenant_of_provider, tenants_called

INSTALLATION: Final = "installation"


@dataclass(frozen=True, slots=True)
class SignInProvider:
    """A provider as a sign-in needs it.

    Attributes:
        key: What a sign-in under way is bound to: ``installation``, or the id of a tenant's provider.
        tenant: The only one it signs people into; None for the installation's.
        policy: What may be called on its behalf.
        emails_verified: Whether its e-mails count as verified where it does not say so itself.
        is_active: Whether people may sign in through it.
        groups_claim: Where its tokens list groups; the map says what they mean. ``roles_claim`` and its map alike.
    """

    key: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    policy: Policy
    emails_verified: bool = False
    is_active: bool = True
    tenant: Tenant | None = None
    groups_claim: str = ""
    roles_claim: str = ""
    group_map: Mapping[str, str] = field(default_factory=dict)
    role_map: Mapping[str, str] = field(default_factory=dict)
    allowed_domains: tuple[str, ...] = ()

    @property
    def audit_object(self) -> AuditObject:
        """The object it is in the audit: the tenant's if there is one, else the installation's."""
        return AuditObject("identity_provider", self.key, None if self.tenant is None else self.tenant.id)


def installation_provider() -> SignInProvider | None:
    """Give the installation's provider; None when none is set up."""
    if not settings.OIDC_ISSUER:
        return None
    return SignInProvider(
        key=INSTALLATION,
        issuer=settings.OIDC_ISSUER,
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET,
        scopes=settings.OIDC_SCOPES,
        policy=egress_policy_with(),
        emails_verified=settings.OIDC_EMAILS_VERIFIED,
    )


def provider_of_tenant(slug: str) -> SignInProvider | None:
    """Find a tenant's own provider by its short name as people write it; None when there is none that is active.

    Where two names differ by their case only, each is found as it is written.
    """
    wanted = slug.strip()
    if not wanted or "\x00" in wanted:
        return None
    found = tenants_called(wanted)
    tenant_id = next(iter(found.values())) if len(found) == 1 else found.get(wanted)
    return None if tenant_id is None else _find(tenant_id, is_active=True)


def provider_by_key(key: object) -> SignInProvider | None:
    """Find the provider a sign-in was begun with; None when it is not there any more."""
    provider = provider_to_try(key)
    return provider if provider is not None and provider.is_active else None


def provider_to_try(key: object) -> SignInProvider | None:
    """Find a provider by its key, an inactive one too: it is tried before people may use it."""
    if key == INSTALLATION:
        return installation_provider()
    row_id = parse_id(key)
    tenant_id = None if row_id is None else tenant_of_provider(row_id)
    return None if tenant_id is None else _find(tenant_id, id=row_id)


def _find(tenant_id: UUID, **wanted: object) -> SignInProvider | None:
    with tenant_scope(tenant_id):
        row = IdentityProvider.objects.select_related("tenant").filter(tenant__is_active=True, **wanted).first()
    if row is None:
        return None
    return SignInProvider(
        key=str(row.id),
        issuer=row.issuer,
        client_id=row.client_id,
        client_secret=open_from(row, "client_secret"),
        scopes=row.scopes,
        policy=egress_policy_of(row.tenant),
        emails_verified=row.emails_verified,
        is_active=row.is_active,
        tenant=row.tenant,
        groups_claim=row.groups_claim,
        roles_claim=row.roles_claim or row.groups_claim,
        group_map=row.group_map,
        role_map=row.role_map,
        allowed_domains=tuple(domain.lower() for domain in row.allowed_domains),
    )
