"""Rows of callbacks: addresses, deliveries (of webhook endpoints too), and every try to deliver."""

from django.db import models
from django.db.models import Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.models import Tenant
from tenants.sealing import SealedField


class RunCallback(models.Model):
    """The callback of a run. The URL and the caller's own headers are sealed together: a query may be a credential."""

    run = models.OneToOneField("runs.Run", primary_key=True, on_delete=models.CASCADE, related_name="callback")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    host = models.CharField(max_length=260, help_text="The host and port it goes to.")
    address = SealedField()
    url_hash = models.CharField(max_length=32, blank=True, default="", db_default="")
    runs_url = models.TextField(help_text="Where the caller reads runs.")

    objects = TenantManager()

    def __str__(self) -> str:
        return f"callback of {self.run_id} to {self.host}"


class NotificationTarget(models.Model):
    """Address for notifications about a tenant's human tasks in all runs; sealed like a run's callback."""

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.CASCADE, related_name="+")
    host = models.CharField(max_length=260, help_text="The host and port it goes to.")
    address = SealedField()
    url_hash = models.CharField(max_length=32, blank=True, default="", db_default="")
    runs_url = models.TextField(help_text="Where the tenant reads runs.")
    updated_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    def __str__(self) -> str:
        return f"notifications of {self.tenant_id} to {self.host}"


class DeliveryTarget(models.TextChoices):
    """Targets of a delivery: the run's own callback, its tenant's address, or a webhook endpoint."""

    CALLBACK = "callback", "The run's callback"
    TENANT = "tenant", "The tenant"
    ENDPOINT = "endpoint", "A webhook endpoint"


class DeliveryStatus(models.TextChoices):
    """Statuses of a delivery. All but the first are final; a person may restart it from any."""

    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    REFUSED = "refused", "Refused"
    BLOCKED = "blocked", "Blocked"
    EXHAUSTED = "exhausted", "Exhausted"


class Delivery(models.Model):
    """One event that somebody is told: a run's callback, its tenant, or a webhook endpoint.

    The first two are inserted in the event's transaction, an endpoint's by whoever hands out a tenant's events; its
    ``sequence`` is its place among the endpoint's events. Not every event of an endpoint is one of a run.
    A host that sends it moves ``next_at`` to when it counts as lost, so a killed host's delivery is sent again.
    ``body`` is written before the first try and never changes: every try sends the same bytes.
    Of those with the same ``url_hash`` one at most is claimed; others that are due meanwhile are queued, out of the way
    of whoever looks for what is due. Whoever settles the one that is claimed lets the first of the queue out.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey("runs.Run", null=True, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    seq = models.PositiveIntegerField(null=True, help_text="The event of the run that it reports.")
    endpoint = models.ForeignKey(
        "runs.WebhookEndpoint", null=True, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    sequence = models.BigIntegerField(null=True, help_text="Its place among the endpoint's events, from 1.")
    type = models.CharField(max_length=32)
    target = models.CharField(
        max_length=16, choices=DeliveryTarget, default=DeliveryTarget.CALLBACK, db_default=DeliveryTarget.CALLBACK
    )
    host = models.CharField(max_length=260, help_text="The host and port it goes to.")
    url_hash = models.CharField(
        max_length=32,
        blank=True,
        default="",
        db_default="",
        help_text="Keyed hash of tenant and URL; empty for what is older than this column, and goes by itself.",
    )
    status = models.CharField(max_length=16, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    body = models.TextField(blank=True, default="", help_text="The body; empty before the first try.")
    next_at = models.DateTimeField(null=True, default=utc_now, help_text="When it is tried next.")
    is_claimed = models.BooleanField(default=False, help_text="A try is under way.")
    is_queued = models.BooleanField(
        default=False, db_default=False, help_text="Due, behind another delivery to the same URL."
    )
    tries = models.PositiveSmallIntegerField(default=0, help_text="Since it was started or restarted.")
    attempts = models.PositiveIntegerField(default=0, help_text="All tries.")
    created_at = models.DateTimeField(default=utc_now)
    ended_at = models.DateTimeField(null=True)

    objects = TenantManager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["run", "seq", "target"], condition=Q(endpoint__isnull=True), name="delivery_once"
            ),
            models.UniqueConstraint(fields=["endpoint", "sequence"], name="delivery_of_endpoint"),
            models.CheckConstraint(
                condition=Q(target="endpoint", endpoint__isnull=False)
                | Q(
                    ~Q(target="endpoint"),
                    endpoint__isnull=True,
                    sequence__isnull=True,
                    run__isnull=False,
                    seq__isnull=False,
                ),
                name="delivery_to_endpoint_or_of_run",
            ),
            models.CheckConstraint(condition=Q(target__in=DeliveryTarget.values), name="delivery_target_known"),
            models.CheckConstraint(condition=Q(status__in=DeliveryStatus.values), name="delivery_status_known"),
            models.CheckConstraint(
                condition=Q(status="pending", next_at__isnull=False, ended_at__isnull=True)
                | (~Q(status="pending") & Q(next_at__isnull=True, is_claimed=False, ended_at__isnull=False)),
                name="delivery_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(is_queued=False) | Q(status="pending", is_claimed=False),
                name="delivery_queues_while_pending",
            ),
            models.UniqueConstraint(
                fields=["tenant", "url_hash"],
                condition=Q(is_claimed=True) & ~Q(url_hash=""),
                name="delivery_one_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "host", "next_at"],
                condition=Q(status="pending", is_queued=False),
                name="delivery_due",
            ),
            models.Index(
                fields=["tenant", "url_hash", "next_at", "id"], condition=Q(is_queued=True), name="delivery_queue"
            ),
            models.Index(fields=["tenant", "-created_at", "-id"], name="delivery_by_tenant"),
            # What the console counts, of all tenants.
            models.Index(
                fields=["status", "-created_at"],
                condition=Q(status__in=["refused", "blocked", "exhausted"]),
                name="delivery_dead",
            ),
            # Which events of a run an endpoint has still to be told, in their order.
            models.Index(
                fields=["endpoint", "run", "sequence"],
                condition=Q(status="pending", endpoint__isnull=False),
                name="delivery_of_run_to_endpoint",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.run_id or self.tenant_id} to {self.host}"

    @property
    def webhook_id(self) -> str:
        """The id that the receiver knows it by: the same in every try."""
        return f"msg_{self.id.hex}"


class DeliveryAttempt(models.Model):
    """One try to deliver; insert only."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log", db_index=False)
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField("duration (ms)", null=True)
    status_code = models.PositiveSmallIntegerField(null=True, help_text="What the receiver answered.")
    error_code = models.CharField(max_length=64, blank=True, help_text="Why there was no response.")
    response = models.TextField(blank=True, help_text="The beginning of the response, without secrets.")

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="delivery_attempt_once")]

    def __str__(self) -> str:
        return f"try {self.number} of {self.delivery_id}"
