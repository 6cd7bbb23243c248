"""Queries of what tenants may use."""

from uuid import UUID

from django.conf import settings

from foundation.scope import reading_scope
from tenants.entitlements.effective import Entitlements, OperatorChoices, effective_entitlements
from tenants.entitlements.kept import kept_entitlements
from tenants.licences.selectors import licence_of
from tenants.models import LimitOverride, Tenant


def entitlements_of(tenant_id: UUID) -> Entitlements:
    """Return what a tenant may use now; what changed less than 5 s ago may not be seen yet by other processes."""
    return kept_entitlements(tenant_id, read_entitlements)


def weight_of(tenant_id: UUID) -> float:
    """Return a tenant's share of the workers, as the next claim goes by it."""
    with reading_scope(tenant_id):
        return float(Tenant.objects.values_list("weight", flat=True).get(id=tenant_id))


def read_entitlements(tenant_id: UUID) -> Entitlements:
    """Read what a tenant may use now from its rows."""
    with reading_scope(tenant_id):
        tenant = Tenant.objects.get(id=tenant_id)
        overrides = dict(LimitOverride.objects.values_list("limit", "value"))
        terms = licence_of(tenant_id)
    choices = OperatorChoices(overrides, frozenset(tenant.allowed_step_types), frozenset(tenant.blocked_step_types))
    return effective_entitlements(
        choices=choices,
        terms=terms,
        default_tier=settings.DEFAULT_TIER,
        installation=settings.DEFAULT_LIMITS,
    )
