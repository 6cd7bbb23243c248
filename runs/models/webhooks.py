"""Rows of webhook endpoints: who is told what, and up to where a tenant's events are handed to them."""

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from runs.models.runs import TransactionIdField
from tenants.models import Tenant
from tenants.sealing import SealedField

HIGHEST_RUN = UUID(int=2**128 - 1)
HIGHEST_SEQ = 2**31 - 1


class WebhookSigning(models.TextChoices):
    """Ways to sign, as Standard Webhooks have them: a shared secret (``v1``), or a key pair (``v1a``)."""

    SYMMETRIC = "symmetric", "Shared secret"
    ED25519 = "ed25519", "Ed25519 key pair"


class WebhookSeverity(models.TextChoices):
    """Severities an endpoint may ask for; each includes those behind it."""

    INFO = "info", "Everything"
    WARNING = "warning", "Warnings and errors"
    ERROR = "error", "Errors"


class DisabledReason(models.TextChoices):
    """Reasons why an endpoint is told nothing."""

    REQUEST = "request", "By request"
    FAILING = "failing", "It failed for too long"
    GONE = "gone", "It answered 410"


class WebhookEndpoint(models.Model):
    """A URL of a tenant that is told of events; URL, headers and secrets are sealed.

    ``sequence`` is the number of its newest event: its events are numbered from 1 without a gap. It is told of what
    transactions from ``since`` on wrote. ``failing_since``: the first try that failed, with none that succeeded behind
    it. A deleted one is kept as long as its deliveries.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    description = models.CharField(max_length=200, blank=True)
    host = models.CharField(max_length=260, help_text="The host and port it goes to.")
    address = SealedField()
    url_hash = models.CharField(max_length=32)
    runs_url = models.TextField(help_text="Where the tenant reads runs.")
    event_types = ArrayField(models.TextField(), help_text="The types of events it is told of.")
    segments = ArrayField(models.TextField(), default=list, help_text="Of runs of these segments only; empty: of all.")
    severity = models.CharField(max_length=8, choices=WebhookSeverity, default=WebhookSeverity.INFO)
    is_thin = models.BooleanField(default=False, help_text="Whether it is told ids only.")
    signing = models.CharField(max_length=16, choices=WebhookSigning, default=WebhookSigning.SYMMETRIC)
    secret = SealedField()
    secret_before = SealedField()
    secret_at = models.DateTimeField(default=utc_now)
    sequence = models.BigIntegerField(default=0)
    since = TransactionIdField(
        db_default=Func(function="pg_current_xact_id", output_field=TransactionIdField()), editable=False
    )
    failing_since = models.DateTimeField(null=True)
    is_gone = models.BooleanField(default=False, help_text="It answered 410 and is about to be disabled.")
    noticed_days = models.PositiveSmallIntegerField(default=0, help_text="Days of failure the admins were told of.")
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=8, blank=True, choices=DisabledReason)
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=utc_now)
    updated_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(signing__in=WebhookSigning.values), name="webhook_signing_known"),
            models.CheckConstraint(condition=Q(severity__in=WebhookSeverity.values), name="webhook_severity_known"),
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | Q(disabled_at__isnull=False, disabled_reason__in=DisabledReason.values),
                name="webhook_disabled_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "-created_at", "-id"], condition=Q(deleted_at__isnull=True), name="webhook_by_tenant"
            ),
            models.Index(
                fields=["failing_since"],
                condition=Q(failing_since__isnull=False, disabled_at__isnull=True, deleted_at__isnull=True),
                name="webhook_failing",
            ),
        ]

    def __str__(self) -> str:
        return f"endpoint {self.id} at {self.host}"

    @property
    def is_disabled(self) -> bool:
        """Whether it is told nothing, for the reason beside it."""
        return self.disabled_at is not None


class WebhookFeed(models.Model):
    """Place up to which a tenant's events are handed to its endpoints; there while the tenant has any.

    Events of runs are read in the order of the transactions that wrote them (``runs.events.cursor``), entries of the
    audit by their number in the tenant's log, checkpoints by their id.
    """

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.CASCADE, related_name="+")
    transaction = TransactionIdField()
    run_id = models.UUIDField(default=HIGHEST_RUN)
    seq = models.PositiveIntegerField(default=HIGHEST_SEQ)
    reads_audit = models.BooleanField(default=False, help_text="Whether an endpoint asks for events of the audit.")
    entries = models.BigIntegerField(default=0, help_text="Sealed entries of the audit that were looked at.")
    checkpoint = models.BigIntegerField(default=0, help_text="The newest checkpoint that was told.")
    checkpoint_at = models.DateTimeField(null=True)

    objects = TenantManager()

    def __str__(self) -> str:
        return f"feed of {self.tenant_id}"
