"""Runs with callbacks, and what became of their deliveries."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.callbacks.payload import ENDS
from runs.callbacks.sealing import Address, hash_url
from runs.callbacks.starting import CallbackSpec
from runs.models import Delivery, DeliveryAttempt, Run, RunEvent
from runs.services import StartRequest, start_run
from tenants.callback_signing.secrets import rotate_callback_secret
from tenants.models import ApiKey, Tenant
from tenants.services import create_api_key
from tests.support.engine import wait_for
from tests.support.segments import segment, step

RUNS_URL = "https://llmteam.test/api/v1/runs"
DOCUMENT = segment(step("one", "transform", expression="input"))


def start_with_callback(
    tenant: Tenant,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    events: Iterable[str] = ENDS,
    document: dict[str, Any] = DOCUMENT,
    is_quick: bool = False,
    **spec: Any,
) -> UUID:
    """Start a run with a callback. Unless it is quick it began long ago, so that its end is told at once."""
    callback = CallbackSpec(Address(url, list((headers or {}).items())), [str(event) for event in events], RUNS_URL)
    fields = {"input": {"n": 1}, "definition": document, "callback": callback, **spec}
    key = a_key(tenant)
    with unscoped("a test sets the clock back before anybody sees the run"):
        started = start_run(tenant=tenant, api_key=key, spec=StartRequest(**fields))
        if not is_quick:
            Run.objects.filter(id=started.run.id).update(started_at=utc_now() - timedelta(seconds=60))
    return started.run.id


def a_key(tenant: Tenant) -> ApiKey:
    with unscoped("tests look everywhere"):
        key = ApiKey.objects.filter(tenant=tenant).first()
    return key or create_api_key(tenant=tenant, name="tests").api_key


def new_secret(tenant: Tenant) -> str:
    """The tenant's secret from now on."""
    return rotate_callback_secret(tenant=tenant).text


def deliveries_of(run_id: UUID) -> list[Delivery]:
    with unscoped("tests look everywhere"):
        return list(Delivery.objects.filter(run_id=run_id).order_by("seq"))


def delivery_of(run_id: UUID) -> Delivery:
    (delivery,) = deliveries_of(run_id)
    return delivery


def log_of(run_id: UUID) -> list[DeliveryAttempt]:
    with unscoped("tests look everywhere"):
        return list(DeliveryAttempt.objects.filter(delivery__run_id=run_id).order_by("delivery__seq", "number"))


def set_many_due(run_id: UUID, count: int, *, urls: int = 1) -> None:
    """Have a run tell more and more, as if it were so many runs with callbacks to so many URLs of one host."""
    with unscoped("rows for a test"):
        run = Run.objects.select_related("callback").get(id=run_id)
        facts = {"tenant_id": run.tenant_id, "run_id": run_id, "type": "segment.resumed"}
        others = (f"{run.callback.host}/{number}" for number in range(1, urls))
        hashes = [run.callback.url_hash, *(hash_url(run.tenant_id, url) for url in others)]
        seqs = range(1_000, 1_000 + count)
        RunEvent.objects.bulk_create(RunEvent(seq=seq, payload={}, **facts) for seq in seqs)
        Delivery.objects.bulk_create(
            Delivery(seq=seq, host=run.callback.host, url_hash=hashes[seq % urls], **facts) for seq in seqs
        )


def set_due(run_id: UUID) -> None:
    """Have the next try come now."""
    with unscoped("a test sets the clock"):
        Delivery.objects.filter(run_id=run_id, status="pending").update(next_at=utc_now() - timedelta(seconds=1))


def wait_for_status(run_id: UUID, *wanted: str, seconds: float = 10) -> list[Delivery]:
    """Wait until the run's deliveries have these statuses, in the order of their events."""
    wait_for(
        lambda: [delivery.status for delivery in deliveries_of(run_id)] == list(wanted),
        seconds=seconds,
        what=f"{[(one.status, one.attempts) for one in deliveries_of(run_id)]}",
    )
    return deliveries_of(run_id)


def wait_for_attempts(run_id: UUID, count: int, *, seconds: float = 10) -> list[DeliveryAttempt]:
    wait_for(lambda: len(log_of(run_id)) >= count, seconds=seconds, what=f"{len(log_of(run_id))} tries")
    return log_of(run_id)
