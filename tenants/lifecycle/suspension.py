"""Suspension of a tenant: nothing is started, while it reads, exports, cancels and decides as before.

``is_active`` is another thing: nothing of an inactive tenant is served or executed at all (docs/adr/0024-...).
"""

from typing import Final
from uuid import UUID

from audit.services import record
from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.types import Json
from tenants.access.known_callers import forget_callers_of
from tenants.errors import TenantNotFound, TenantSuspended
from tenants.models import RunsWhileSuspended, Tenant

FIELDS: Final = ("suspended_at", "suspended_runs", "suspension_reason")


def suspend_tenant(*, tenant_id: UUID, runs: RunsWhileSuspended, reason: str, actor: str) -> Tenant:
    """Refuse new starts of a tenant from now on: in this process at once, in others within 5 s.

    Its runs finish, or are paused within a minute; those that people have paused before are left alone, so that
    resuming the tenant undoes exactly this. Suspending again changes what happens to its runs, and the reason.

    Args:
        tenant_id: The tenant.
        runs: What becomes of the runs that are not over.
        reason: Shown to the tenant's callers with each refusal.
        actor: For the audit.

    Raises:
        TenantNotFound: There is no such tenant.
    """
    with unscoped("an operator suspends a tenant"):
        tenant = lock_tenant(tenant_id)
        before = _state(tenant)
        tenant.suspended_at = tenant.suspended_at or utc_now()
        tenant.suspended_runs, tenant.suspension_reason = runs.value, reason
        if _state(tenant) != before:
            _save(tenant, "tenant.suspended", before, actor)
        return tenant


def resume_tenant(*, tenant_id: UUID, actor: str) -> Tenant:
    """Let a tenant start runs again; those that its suspension has paused go on within a minute.

    Resuming one that is not suspended changes nothing.

    Raises:
        TenantNotFound: There is no such tenant.
    """
    with unscoped("an operator resumes a tenant"):
        tenant = lock_tenant(tenant_id)
        before = _state(tenant)
        tenant.suspended_at, tenant.suspended_runs, tenant.suspension_reason = None, "", ""
        if _state(tenant) != before:
            _save(tenant, "tenant.resumed", before, actor)
        return tenant


def check_may_start(tenant: Tenant) -> None:
    """Refuse to start anything for a tenant that is suspended, or whose deletion has been asked for.

    Reads the row as the caller has it, which is at most 4 s old: a start costs no query for it.

    Raises:
        TenantSuspended: It is.
    """
    if tenant.suspended_at is not None or tenant.deletion_due_at is not None:
        raise TenantSuspended(_sentence(tenant), extra={"state": state_of(tenant)})


def check_may_resume(tenant: Tenant) -> None:
    """Refuse to let a run go on that stands still because its tenant does.

    Raises:
        TenantSuspended: The tenant's runs are paused.
    """
    if tenant.suspended_runs == RunsWhileSuspended.PAUSE:
        raise TenantSuspended(_sentence(tenant), extra={"state": state_of(tenant)})


def state_of(tenant: Tenant) -> str:
    """Name the state of a tenant: active, suspended, to be deleted, inactive."""
    if tenant.deletion_due_at is not None:
        return "to_be_deleted"
    if not tenant.is_active:
        return "inactive"
    return "active" if tenant.suspended_at is None else "suspended"


def lock_tenant(tenant_id: UUID) -> Tenant:
    """Read a tenant and lock its row until the transaction ends; starts do not wait for it.

    Raises:
        TenantNotFound: There is no such tenant.
    """
    tenant = Tenant.objects.select_for_update(no_key=True).filter(id=tenant_id).first()
    if tenant is None:
        raise TenantNotFound
    return tenant


def get_tenant_by_slug(slug: str) -> Tenant:
    """Find a tenant by its short name.

    Raises:
        TenantNotFound: There is none.
    """
    with unscoped("an operator names a tenant"):
        tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise TenantNotFound(f"There is no tenant {slug!r}.")
    return tenant


def _sentence(tenant: Tenant) -> str:
    if tenant.deletion_due_at is not None:
        return (
            f"The tenant will be deleted at {tenant.deletion_due_at:%Y-%m-%d %H:%M} UTC: nothing is started any more. "
            "Reading, exporting, cancelling and deciding work until then; the operator can withdraw the deletion."
        )
    reason = f" The operator's reason: {tenant.suspension_reason}" if tenant.suspension_reason else ""
    return (
        "The tenant is suspended: nothing is started until the operator resumes it. Reading, exporting, cancelling and "
        f"deciding work.{reason}"
    )


def _state(tenant: Tenant) -> dict[str, Json]:
    since = tenant.suspended_at
    return {
        "suspended_at": None if since is None else since.isoformat(),
        "runs": tenant.suspended_runs,
        "reason": tenant.suspension_reason,
    }


def _save(tenant: Tenant, action: str, before: dict[str, Json], actor: str) -> None:
    tenant.save(update_fields=FIELDS)
    record(action, tenant, actor=actor, before=before, after=_state(tenant), personal=("reason",))
    forget_callers_of(tenant.id)
