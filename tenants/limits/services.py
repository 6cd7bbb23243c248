"""Changes to the limits and the weight an operator has set for a tenant."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from django.db import transaction

from audit.services import record
from foundation.scope import tenant_scope
from kernel.errors import ErrorItem
from kernel.types import Json
from kernel.values import pointer_of
from tenants.access.known_callers import forget_callers_of
from tenants.entitlements.kept import forget_entitlements
from tenants.entitlements.tiers import LIMITS
from tenants.limits.errors import UnknownLimit
from tenants.models import LimitOverride, Tenant


def set_limits(
    *,
    tenant: Tenant,
    actor: str,
    limits: Mapping[str, int | None],
    inherited: frozenset[str] = frozenset(),
    weight: Decimal | None = None,
) -> None:
    """Set limits of a tenant in place of its licence's and tier's. They hold in every process within 5 s.

    Where only a weight is given the limits are as before, and the other way round.

    Args:
        tenant: Whose.
        actor: For the audit.
        limits: By name; None is unlimited, 0 is zero.
        inherited: Names of those no longer set here: the licence or the tier says them again.
        weight: Its share of the workers, from ``LEAST_WEIGHT`` to ``MOST_WEIGHT``; the next claim goes by it.

    Raises:
        UnknownLimit: A name is no limit's; nothing is changed.
    """
    _refuse_unknown(limits, inherited)
    with tenant_scope(tenant.id):
        if weight is not None:
            _set_weight(tenant, weight, actor)
        if limits or inherited or weight is None:
            _set_overrides(tenant, limits, inherited, actor)


def _refuse_unknown(limits: Mapping[str, int | None], inherited: frozenset[str]) -> None:
    named = [*((name, ("limits", name)) for name in limits), *((name, ("inherit",)) for name in inherited)]
    unknown = [(name, path) for name, path in named if name not in LIMITS]
    if unknown:
        hint = "One of " + ", ".join(LIMITS) + "."
        raise UnknownLimit(
            errors=[
                ErrorItem("UNKNOWN_LIMIT", f"There is no limit {name!r}.", pointer_of(path), hint=hint)
                for name, path in unknown
            ]
        )


def _set_overrides(tenant: Tenant, limits: Mapping[str, int | None], inherited: frozenset[str], actor: str) -> None:
    before: dict[str, Json] = dict(LimitOverride.objects.values_list("limit", "value"))
    LimitOverride.objects.filter(limit__in=inherited).delete()
    for name, value in limits.items():
        LimitOverride.objects.update_or_create(tenant=tenant, limit=name, defaults={"value": value})
    after: dict[str, Json] = dict(LimitOverride.objects.values_list("limit", "value"))
    record("tenant.limits_set", tenant, actor=actor, before=before, after=after)
    forget_entitlements(tenant.id)
    transaction.on_commit(partial(forget_entitlements, tenant.id))


def _set_weight(tenant: Tenant, weight: Decimal, actor: str) -> None:
    """Set the weight in the row that claims read; the same again changes nothing and tells nothing."""
    row = Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    if row.weight == weight:
        return
    before: dict[str, Json] = {"weight": _text(row.weight)}
    row.weight = weight
    row.save(update_fields=["weight"])
    record("tenant.weight_set", tenant, actor=actor, before=before, after={"weight": _text(weight)})
    forget_callers_of(tenant.id)


def _text(weight: Decimal) -> str:
    return format(weight.normalize(), "f")
