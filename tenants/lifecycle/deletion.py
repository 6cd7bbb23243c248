"""Deletion of a tenant in two steps: asked for, then confirmed by another act or by time, or withdrawn until then."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings

from audit.services import record
from audit.types import AuditObject
from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.types import Json
from tenants.access.known_callers import forget_callers_of
from tenants.errors import TenantStateRefused
from tenants.lifecycle.suspension import lock_tenant, state_of
from tenants.models import Tenant


def request_deletion(*, tenant_id: UUID, reason: str, actor: str) -> Tenant:
    """Ask for a tenant to be deleted: it starts nothing any more, and is removed ``DELETION_GRACE_DAYS`` from now.

    Until then it reads, exports, cancels and decides. Asking again changes nothing.

    Raises:
        TenantNotFound: There is no such tenant.
    """
    with unscoped("an operator deletes a tenant"):
        tenant = lock_tenant(tenant_id)
        if tenant.deletion_due_at is None:
            tenant.deletion_requested_at = utc_now()
            tenant.deletion_due_at = utc_now() + timedelta(days=settings.DELETION_GRACE_DAYS)
            facts: dict[str, Json] = {"due_at": tenant.deletion_due_at.isoformat(), "reason": reason}
            _save(tenant, "tenant.deletion_requested", actor, **facts)
        return tenant


def confirm_deletion(*, tenant_id: UUID, actor: str) -> Tenant:
    """Have the removal of a tenant begin at once; its deletion must have been asked for before, in an act of its own.

    Raises:
        TenantNotFound: There is no such tenant.
        TenantStateRefused: Nobody has asked for its deletion.
    """
    with unscoped("an operator deletes a tenant"):
        tenant = lock_tenant(tenant_id)
        if tenant.deletion_due_at is None:
            raise TenantStateRefused("Nobody has asked for its deletion.", extra={"state": state_of(tenant)})
        if tenant.deletion_due_at > utc_now():
            tenant.deletion_due_at = utc_now()
            _save(tenant, "tenant.deletion_confirmed", actor)
        return tenant


def withdraw_deletion(*, tenant_id: UUID, actor: str) -> Tenant:
    """Take a request back, as long as the removal has not begun: the tenant is as it was before.

    Where nobody has asked for its deletion nothing changes.

    Raises:
        TenantNotFound: There is no such tenant.
        TenantStateRefused: Its removal has begun.
    """
    with unscoped("an operator keeps a tenant"):
        tenant = lock_tenant(tenant_id)
        if tenant.removal_stage:
            raise TenantStateRefused("The removal has begun.", extra={"state": tenant.removal_stage})
        if tenant.deletion_due_at is not None:
            tenant.deletion_requested_at = tenant.deletion_due_at = None
            _save(tenant, "tenant.deletion_withdrawn", actor)
        return tenant


def record_of_installation(action: str, tenant: Tenant, *, actor: str, after: dict[str, Json]) -> None:
    """Tell the installation's own log, which outlives the tenant, which tenant it is about."""
    about = AuditObject("tenant", str(tenant.id), None)
    record(action, about, actor=actor, after={"slug": tenant.slug, **after}, personal=("reason",))


def _save(tenant: Tenant, action: str, actor: str, **facts: Json) -> None:
    tenant.save(update_fields=["deletion_requested_at", "deletion_due_at"])
    record_of_installation(action, tenant, actor=actor, after=facts)
    forget_callers_of(tenant.id)
