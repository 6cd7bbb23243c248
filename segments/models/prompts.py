"""Stored prompts as rows."""

from django.db import models

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.models import Tenant


class PromptTemplate(models.Model):
    """A named prompt of a tenant; ``current_version`` is what a step uses that names no version."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    template_id = models.CharField(
        max_length=64, help_text="Name that segments use: lower case letters, digits, _ and -."
    )
    current_version = models.ForeignKey("PromptVersion", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=utc_now, editable=False)
    updated_at = models.DateTimeField(default=utc_now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TenantManager()

    audit_type = "prompt"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "template_id"], name="prompt_template_id_once")]
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="prompt_by_tenant")]

    def __str__(self) -> str:
        return self.template_id

    @property
    def audit_id(self) -> str:
        """The id it has in the audit."""
        return self.template_id


class PromptVersion(models.Model):
    """One immutable content of a stored prompt; both texts may hold ``{{ }}``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(PromptTemplate, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(help_text="Counts from 1 in its prompt.")
    content_hash = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON of both texts.")
    prompt = models.TextField(help_text="What to ask.")
    system_prompt = models.TextField(blank=True, help_text="The system prompt.")
    created_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="prompt_version_number_once"),
            models.UniqueConstraint(fields=["template", "content_hash"], name="prompt_version_content_once"),
        ]

    def __str__(self) -> str:
        return f"{self.template}@{self.number}"
