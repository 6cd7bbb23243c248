"""Changes of callbacks beside their delivery: sent again, signed anew."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.egress import Target
from kernel.types import Json
from runs.callbacks.address import host_of
from runs.callbacks.lanes import dissolve_lane, give_up
from runs.callbacks.payload import TASKS
from runs.callbacks.sealing import Address, seal_address
from runs.callbacks.selectors import deliveries_with_log
from runs.callbacks.starting import CallbackSpec, check_callback, sign_for
from runs.errors import DeliveryNotFound, RunNotFound
from runs.models import Delivery, DeliveryStatus, DeliveryTarget, NotificationTarget, Run
from tenants.callback_signing.secrets import NewCallbackSecret, rotate_callback_secret
from tenants.models import Tenant


def redeliver(*, tenant: Tenant, actor: str, run_id: UUID | None, delivery_id: UUID, reason: str = "") -> Delivery:
    """Have a delivery sent again within a second, with the same id and the same bytes, and all its tries before it.

    One that is under way this very moment stays as it is; one that waits for its next try is tried now.

    Args:
        tenant: Owner of the run; a run of another tenant counts as absent.
        actor: For the audit.
        run_id: The run; None of what an endpoint is told of no run.
        delivery_id: The delivery.
        reason: For the audit.

    Returns:
        The delivery as it is now.

    Raises:
        RunNotFound: The tenant has no such run.
        DeliveryNotFound: The run has no such delivery.
    """
    with tenant_scope(tenant.id):
        if run_id is not None and not Run.objects.filter(id=run_id).exists():
            raise RunNotFound
        wanted: dict[str, Any] = {"run_id": run_id}
        delivery = Delivery.objects.select_for_update().defer("body").filter(id=delivery_id, **wanted).first()
        if delivery is None:
            raise DeliveryNotFound
        if not delivery.is_claimed:
            _begin_anew(delivery)
            after: dict[str, Json] = {"run_id": None if run_id is None else str(run_id), "reason": reason}
            record("delivery.redelivered", delivery, actor=actor, before={"status": delivery.status}, after=after)
        return deliveries_with_log().get(id=delivery_id)


def check_notifications(*, tenant: Tenant, address: Address) -> Target:
    """Judge where a tenant wants to be told what becomes of its human tasks, as a callback is judged.

    Raises:
        CallbackRefused: It may not be called, or not with these headers.
    """
    return check_callback(tenant=tenant, spec=CallbackSpec(address, [event.value for event in TASKS], ""), below="")


def set_notifications(*, tenant: Tenant, actor: str, address: Address, runs_url: str) -> NotificationTarget:
    """Say where a tenant is told what becomes of its human tasks: from the next event on, and what is pending.

    Sees to it that the tenant has something to sign with.

    Raises:
        CallbackRefused: It may not be called, or not with these headers.
    """
    target = check_notifications(tenant=tenant, address=address)
    with tenant_scope(tenant.id):
        Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
        row = NotificationTarget.objects.filter(tenant=tenant).first()
        before: Json = None if row is None else {"host": row.host}
        row = row or NotificationTarget(tenant=tenant)
        hash_before = row.url_hash
        row.host, row.runs_url, row.updated_at = host_of(target), runs_url, utc_now()
        seal_address(row, address)
        row.save()
        _pending_of(tenant).update(host=row.host, url_hash=row.url_hash, is_queued=False)
        dissolve_lane(tenant.id, hash_before)
        sign_for(tenant)
        _record_target(tenant, actor, "set", before, {"host": row.host})
    return row


def clear_notifications(*, tenant: Tenant, actor: str) -> None:
    """Tell a tenant nothing more; what is pending is given up, what is under way once its try has failed.

    Repeating it changes nothing.
    """
    with tenant_scope(tenant.id):
        row = NotificationTarget.objects.select_for_update().filter(tenant=tenant).first()
        if row is None:
            return
        give_up(_pending_of(tenant))
        dissolve_lane(tenant.id, row.url_hash)
        _record_target(tenant, actor, "cleared", {"host": row.host}, None)
        row.delete()


def _pending_of(tenant: Tenant) -> QuerySet[Delivery]:
    """Choose what is to be told the tenant. What is under way is left to the host that sends it."""
    return Delivery.objects.filter(
        tenant=tenant, target=DeliveryTarget.TENANT, status=DeliveryStatus.PENDING, is_claimed=False
    )


def _record_target(tenant: Tenant, actor: str, verb: str, before: Json, after: Json) -> None:
    target = AuditObject("notification_target", str(tenant.id), tenant.id)
    record(f"notifications.{verb}", target, actor=actor, before=before, after=after)


def rotate_secret(*, tenant: Tenant, actor: str) -> NewCallbackSecret:
    """Make a new secret for a tenant's callbacks; the one before it signs beside it for 24 hours."""
    with tenant_scope(tenant.id):
        made = rotate_callback_secret(tenant=tenant)
        record("callback_secret.rotated", AuditObject("callback_secret", str(tenant.id), tenant.id), actor=actor)
    return made


def _begin_anew(delivery: Delivery) -> None:
    Delivery.objects.filter(id=delivery.id).update(
        status=DeliveryStatus.PENDING, next_at=Now(), tries=0, ended_at=None, is_queued=False
    )
