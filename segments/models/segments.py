"""Rows of segments and of their immutable revisions."""

from django.db import models
from django.db.models import Q

from foundation.fields import JsonTextField
from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.models import Tenant


class Segment(models.Model):
    """A named segment of a tenant; ``current_revision`` is what a start without a revision executes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    segment_id = models.CharField(max_length=64, help_text="The id the canvas gave it.")
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    current_revision = models.ForeignKey("Revision", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=utc_now, editable=False)
    updated_at = models.DateTimeField(default=utc_now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "segment_id"], name="segment_id_once")]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="segment_by_tenant")]

    def __str__(self) -> str:
        return self.segment_id

    @property
    def audit_id(self) -> str:
        """The id it has in the audit."""
        return self.segment_id


class Revision(models.Model):
    """One immutable content of a segment. Without a ``segment`` it came with an inline start."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    segment = models.ForeignKey(Segment, null=True, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField(null=True, help_text="Counts from 1 in its segment.")
    content_hash = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON.")
    definition = JsonTextField(help_text="The segment in canonical spelling.")
    step_types = JsonTextField(default=dict, help_text="Per type used: version, ports and effect at saving.")
    created_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["segment", "number"], name="revision_number_once"),
            models.UniqueConstraint(fields=["segment", "content_hash"], name="revision_content_once"),
            models.UniqueConstraint(
                fields=["tenant", "content_hash"], condition=Q(segment__isnull=True), name="inline_revision_once"
            ),
            models.CheckConstraint(
                condition=Q(segment__isnull=True, number__isnull=True) | Q(segment__isnull=False, number__isnull=False),
                name="revision_numbered_in_a_segment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.segment or 'inline'} r{self.number or self.content_hash[:8]}"
