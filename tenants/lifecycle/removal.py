"""Removal of a tenant: its runs are cancelled, it is closed, its rows go in batches, then the tenant itself.

Where it stands is in the tenant's row, and each batch is a transaction of its own: a worker that is killed at any
moment leaves the rest to the next.
"""

from collections.abc import Iterator
from datetime import timedelta
from graphlib import TopologicalSorter
from typing import Final
from uuid import UUID

from django.db.models import PROTECT, Model

from foundation.removal import all_rows, remove_rows
from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.types import Json
from tenants.access.known_callers import forget_callers_of
from tenants.lifecycle.background import one_at_a_time
from tenants.lifecycle.deletion import record_of_installation
from tenants.lifecycle.protocols import tenant_work
from tenants.lifecycle.tables import label_of, outlives_tenant, tenant_models
from tenants.models import Membership, RemovalStage, Tenant, User

ACTOR: Final = "system"
BATCH_ROWS: Final = 500
PATIENCE: Final = timedelta(minutes=10)
"""Time for runs to end, and for hosts to give them back: without a worker nobody does either."""
CALLERS_FORGET: Final = timedelta(seconds=10)
"""Time for every process to look up the tenant's keys again, and for requests under way to end."""


def advance_removals() -> int:
    """Take every removal that is due as far as it goes now; returns how many rows were removed.

    May be called any number of times, and be killed. Does nothing where this process does long work already.
    """
    removed = 0
    with one_at_a_time() as is_free:
        for tenant_id in _due() if is_free else ():
            while (batch := _advance(tenant_id)) is not None:
                removed += batch
    return removed


def _due() -> list[UUID]:
    with unscoped("removals of all tenants"):
        due = Tenant.objects.filter(deletion_due_at__lte=utc_now()).order_by("deletion_due_at")
        return list(due.values_list("id", flat=True))


def _advance(tenant_id: UUID) -> int | None:
    """Do the next thing; returns how many rows it removed, None where there is nothing to do but wait, or any more."""
    with unscoped("a removal"):
        tenant = Tenant.objects.filter(id=tenant_id, deletion_due_at__lte=utc_now()).first()
    if tenant is None:
        return None
    has_waited = tenant.removal_stage_at is not None and tenant.removal_stage_at < utc_now() - PATIENCE
    work = tenant_work()
    match tenant.removal_stage:
        case "":
            return _enter(tenant, RemovalStage.CANCELLING)
        case RemovalStage.CANCELLING:
            is_quiet = not work.cancel_runs(tenant_id)
            return _enter(tenant, RemovalStage.CLOSING) if is_quiet or has_waited else None
        case RemovalStage.CLOSING:
            since = tenant.removal_stage_at or utc_now()
            is_quiet = since < utc_now() - CALLERS_FORGET and not work.count_owned(tenant_id)
            return _enter(tenant, RemovalStage.REMOVING) if is_quiet or has_waited else None
    batch = _remove_batch(tenant)
    if not batch:
        _remove_tenant(tenant)
    return batch or None


def _enter(tenant: Tenant, stage: RemovalStage) -> int:
    """Begin a stage; closing it, nothing of the tenant is served or executed any more."""
    with unscoped("a removal"):
        tenant.removal_stage, tenant.removal_stage_at = stage.value, utc_now()
        tenant.is_active = tenant.is_active and stage is RemovalStage.CANCELLING
        tenant.save(update_fields=["removal_stage", "removal_stage_at", "is_active"])
        forget_callers_of(tenant.id)
        rows = _rows_by_table(tenant) if stage is RemovalStage.REMOVING else {}
        after: dict[str, Json] = {"stage": stage.value, **({"rows": rows} if rows else {})}
        record_of_installation("tenant.removal", tenant, actor=ACTOR, after=after)
    return 0


def _rows_by_table(tenant: Tenant) -> dict[str, Json]:
    counted = ((label_of(model), all_rows(model).filter(tenant=tenant).count()) for model in tenant_models())
    return {label: rows for label, rows in counted if rows}


def _remove_batch(tenant: Tenant) -> int:
    """Remove one batch of whatever is left of a tenant but its row; returns about how many rows, 0 where none is."""
    with unscoped("a removal"):
        runs = tenant_work().some_runs(tenant.id)
        if runs:
            tenant_work().record_ends(runs)
            return max(len(runs), remove_rows(tenant_work().run_model, runs))
        for model in _order():
            ids = list(all_rows(model).filter(tenant=tenant).values_list("pk", flat=True)[:BATCH_ROWS])
            if ids:
                people = list(all_rows(model).filter(pk__in=ids).values_list("user_id")) if model is Membership else []
                removed = remove_rows(model, ids)
                return max(len(ids), removed + _remove_people([user_id for (user_id,) in people]))
    return 0


def _remove_people(user_ids: list[UUID]) -> int:
    """Remove those who belong to no tenant any more; operators stay."""
    left = User.objects.filter(id__in=user_ids, is_staff=False, is_superuser=False)
    return remove_rows(User, list(left.exclude(memberships__isnull=False).values_list("id", flat=True)))


def _remove_tenant(tenant: Tenant) -> None:
    """Remove the tenant itself, with whatever a request that was under way has still written."""
    tenant_work().forget(tenant.id)
    with unscoped("a removal"):
        if remove_rows(Tenant, [tenant.id]):
            record_of_installation("tenant.deleted", tenant, actor=ACTOR, after={"name": tenant.name})


def _order() -> Iterator[type[Model]]:
    """Order the models so that none is removed before those whose rows protect its own."""
    sorter: TopologicalSorter[type[Model]] = TopologicalSorter()
    removed = [model for model in tenant_models() if not outlives_tenant(model)]
    for model in removed:
        sorter.add(model)
        for field in model._meta.concrete_fields:  # noqa: SLF001 - Django's documented way to a model's fields
            if field.remote_field is not None and field.remote_field.on_delete is PROTECT:
                sorter.add(field.remote_field.model, model)
    return iter([model for model in sorter.static_order() if model in removed])
