"""Rows of a tenant's life: exports of its data, and figures of what the installation keeps."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.models.tenants import Tenant


class ExportStatus(models.TextChoices):
    """Statuses of an export. The last two are final."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class TenantExport(models.Model):
    """One archive of all that a tenant has. Its bytes are the rows of ``ExportPart``, in order of ``number``.

    Whoever writes it moves ``beat_at``; of one that stands still another process begins anew.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    requested_by = models.CharField(max_length=100, help_text="The actor.")
    status = models.CharField(max_length=16, choices=ExportStatus, default=ExportStatus.QUEUED)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=utc_now)
    beat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="When its archive is removed.")
    rows_written = models.PositiveBigIntegerField(default=0)
    rows_total = models.PositiveBigIntegerField(null=True)
    bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=200, blank=True)

    objects = TenantManager()

    audit_type = "export"

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=ExportStatus.values), name="export_status_known"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(status__in=["queued", "running"]), name="export_one_at_a_time"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="export_by_tenant")]

    def __str__(self) -> str:
        return f"export of {self.tenant_id} at {self.created_at:%Y-%m-%d %H:%M}"


class ExportPart(models.Model):
    """A piece of an archive, at most 1 MiB. In the database, where every web process can read it."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    export = models.ForeignKey(TenantExport, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="export_part_once")]

    def __str__(self) -> str:
        return f"part {self.number} of {self.export_id}"


class RetentionFigure(models.Model):
    """Figures of one kind of rows of the installation, as the last sweep left them."""

    kind = models.CharField(primary_key=True, max_length=40)
    rows = models.PositiveBigIntegerField(default=0)
    is_estimate = models.BooleanField(default=False, help_text="Rows are Postgres' own estimate: they are many.")
    oldest_at = models.DateTimeField(null=True)
    removed = models.PositiveBigIntegerField(default=0, help_text="By all sweeps together.")
    swept_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["kind"]

    def __str__(self) -> str:
        return self.kind
