"""Rows for the operator console's tests, written past the services: what is shown matters here, not how it came."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group

from audit.models import Entry
from audit.reading.jobs import request_verification
from audit.sealing.sealer import seal_entries
from foundation.scope import unscoped
from humantasks.models import HumanTask, Notice
from kernel.clock import utc_now
from runs.callbacks.sealing import Address, seal_address
from runs.models import (
    Delivery,
    DeliveryAttempt,
    ModelPrice,
    NotificationTarget,
    Run,
    RunEvent,
    RunStatus,
    UsageDay,
    UsageEntry,
    WebhookEndpoint,
    Worker,
)
from segments.models import PromptTemplate, PromptVersion, Revision, Segment
from tenants.models import (
    Connection,
    Identity,
    IdentityProvider,
    InstalledLicence,
    Invitation,
    LimitOverride,
    Membership,
    RetentionFigure,
    Tenant,
    TenantExport,
    TenantTrial,
    User,
)
from tenants.sealing import seal_into
from tenants.services import create_api_key

DEFINITION = {"segment_id": "greet", "name": "Greet", "steps": [{"step_id": "hello", "type": "transform"}]}


@dataclass(frozen=True, slots=True)
class World:
    """A row of every kind, of one tenant."""

    tenant: Tenant
    segment: Segment
    revision: Revision
    run: Run


def a_world(tenant: Tenant, *, name: str = "greet") -> World:
    """Write a row of every kind for a tenant; installation-wide kinds too."""
    with unscoped("rows for a test"):
        person = User.objects.create(username=f"reader-of-{tenant.slug}")
        Membership.objects.create(tenant=tenant, user=person, groups=["finance"])
        Identity.objects.create(user=person, issuer=f"https://login.{tenant.slug}.example", subject="reader")
        IdentityProvider.objects.create(tenant=tenant, issuer="https://login.example", client_id="c", client_secret="s")
        Invitation.objects.create(
            tenant=tenant, email=f"new@{tenant.slug}.example", role="reviewer", invited_by="system",
            expires_at=utc_now() + timedelta(days=1),
        )  # fmt: skip
        Group.objects.get_or_create(name="readers")
        create_api_key(tenant=tenant, name=f"key of {tenant.slug}")
        Entry.objects.create(
            tenant=tenant, action="segment.saved", actor="system", object_type="segment", object_id=name,
            before={"revision": 1}, after={"revision": 2},
        )  # fmt: skip
        figure = {"rows": 12_345, "is_estimate": True, "oldest_at": utc_now()}
        RetentionFigure.objects.get_or_create(kind="runs", defaults=figure)
        Worker.objects.get_or_create(name="worker@here", lease_until=utc_now() + timedelta(seconds=30))
        segment, revision = a_segment(tenant, name)
        run = a_run(revision)
        usage_of(run)
        a_connection(tenant)
        a_prompt(tenant)
        a_delivery(run)
        a_task(run)
        a_target(tenant)
        an_endpoint(tenant)
        InstalledLicence.objects.create(tenant=tenant, licence_id="lic_" + "0" * 26, note="of a vendor nobody knows")
        LimitOverride.objects.create(tenant=tenant, limit="runs_per_day", value=12_000)
        TenantTrial.objects.create(tenant=tenant, terms="sealed elsewhere")
        TenantExport.objects.create(tenant=tenant, requested_by="user:1", status="ready", expires_at=utc_now())
        an_event(run, type_="segment.started", payload={"input": {"who": "world"}})
        return World(tenant, segment, revision, run)


def a_sealed_log(tenant: Tenant) -> None:
    """Seal what the audit has of a tenant, and ask for the verification of its log."""
    seal_entries()
    request_verification(tenant.id, actor="system")


def a_task(run: Run) -> HumanTask:
    """Write what a run asks somebody who has claimed it, and the mail about it."""
    member = Membership.objects.filter(tenant=run.tenant).first()
    task = HumanTask.objects.create(
        tenant=run.tenant, run=run, segment_id=run.segment_id, step_id="ask", activation=1, task_type="approval",
        title=f"Pay the bill of {run.tenant.slug}?", data={"amount": 12}, is_for_all=True, claimed_by=member,
        claimed_at=utc_now(), timeout_seconds=3600, due_at=utc_now() + timedelta(hours=1),
    )  # fmt: skip
    if member is not None:
        Notice.objects.create(tenant=run.tenant, task=task, member=member, kind="asked", next_at=None)
    return task


def a_target(tenant: Tenant) -> NotificationTarget:
    """Write where a tenant is told of its tasks, with a secret in the address."""
    row = NotificationTarget(tenant=tenant, host=f"tasks-of-{tenant.slug}.test", runs_url="https://flows.test/runs")
    seal_address(row, Address("https://tasks.test/?key=canary-of-the-console"))
    row.save()
    return row


def an_endpoint(tenant: Tenant) -> WebhookEndpoint:
    """Write a webhook endpoint that fails, with a secret in its address."""
    row = WebhookEndpoint(
        tenant=tenant, host=f"events-of-{tenant.slug}.test", runs_url="https://flows.test/runs",
        description=f"events of {tenant.slug}", event_types=["segment.failed"], failing_since=utc_now(),
    )  # fmt: skip
    seal_address(row, Address("https://events.test/?key=canary-of-the-console"))
    row.save()
    return row


def a_delivery(run: Run, *, status: str = "exhausted", seq: int = 1, **more: Any) -> Delivery:
    """Write what a run's callback was told in vain."""
    now = utc_now()
    with unscoped("rows for a test"):
        delivery = Delivery.objects.create(
            tenant=run.tenant, run=run, seq=seq, type="segment.completed", host=f"hooks-of-{run.tenant.slug}.test",
            status=status, tries=10, attempts=10, body="{}",
            next_at=now if status == "pending" else None, ended_at=None if status == "pending" else now, **more,
        )  # fmt: skip
        DeliveryAttempt.objects.create(
            tenant=run.tenant, delivery=delivery, number=1, at=now, status_code=500, response="<b>answered</b>"
        )
    return delivery


def usage_of(run: Run) -> None:
    """Write a call of a model, its day as two writers counted it, and a price."""
    facts = {"segment_id": "greet", "provider": "openai", "model": f"model-of-{run.tenant.slug}", "is_test": False}
    UsageEntry.objects.create(
        tenant=run.tenant, run_id=run.id, seq=2, ordinal=0, at=utc_now(), step_id="hello", activation=1, attempt=1,
        connection="main", input_tokens=3, output_tokens=4, cost=Decimal("0.5"), estimated=False, latency_ms=20,
        request_id="r-1", **facts,
    )  # fmt: skip
    for shard in (3, 9):
        UsageDay.objects.create(
            tenant=run.tenant, day=utc_now().date(), shard=shard, calls=shard, input_tokens=1000, output_tokens=4,
            cost=Decimal("0.5"), unpriced_calls=0, estimated_calls=0, **facts,
        )  # fmt: skip
    ModelPrice.objects.create(
        tenant=run.tenant, provider="openai", model="gpt-4o*", input_per_million=1, output_per_million=2
    )


def a_connection(tenant: Tenant, *, ref: str = "crm") -> Connection:
    """Write a connection to a place that refuses to be called, with a secret."""
    row = Connection(tenant=tenant, ref=ref, kind="http", base_url="http://127.0.0.1:9/", auth="bearer")
    seal_into(row, "secret", "canary-of-the-console")
    row.secret_set_at = utc_now()
    row.save()
    return row


def a_prompt(tenant: Tenant) -> PromptTemplate:
    """Write a stored prompt with one version."""
    with unscoped("rows for a test"):
        template = PromptTemplate.objects.create(tenant=tenant, template_id="sort")
        template.current_version = PromptVersion.objects.create(
            tenant=tenant, template=template, number=1, content_hash="cd" * 32, prompt="Sort {{ input }}."
        )
        template.save(update_fields=["current_version"])
        return template


def a_segment(tenant: Tenant, name: str) -> tuple[Segment, Revision]:
    """Write a segment with one revision."""
    with unscoped("rows for a test"):
        segment = Segment.objects.create(tenant=tenant, segment_id=name, name=name.title())
        revision = Revision.objects.create(
            tenant=tenant, segment=segment, number=1, content_hash="ab" * 32, definition=DEFINITION
        )
        segment.current_revision = revision
        segment.save(update_fields=["current_revision"])
        return segment, revision


def a_run(revision: Revision, *, status: RunStatus = RunStatus.RUNNING, **fields: Any) -> Run:
    """Write a run of a revision."""
    with unscoped("rows for a test"):
        over = status in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT}
        return Run.objects.create(
            tenant_id=revision.tenant_id, revision=revision, segment_id="greet", status=status, timeout_seconds=60,
            started_at=utc_now(), wake_at=None if over else utc_now(), input={"who": "world"}, **fields,
        )  # fmt: skip


def an_event(run: Run, *, type_: str, payload: Any, **fields: Any) -> None:
    """Add an event to a run's journal."""
    with unscoped("rows for a test"):
        run.last_seq += 1
        RunEvent.objects.create(
            tenant_id=run.tenant_id, run=run, seq=run.last_seq, type=type_, payload=payload, **fields
        )
        run.save(update_fields=["last_seq"])
