"""Entries of the audit, each written in the transaction of the change it tells of."""

from django.db import models

from foundation.fields import JsonTextField
from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id


class Entry(models.Model):
    """One change: who did what to which object, and how it ended. Insert only; not yet sealed into the chain."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(
        "tenants.Tenant",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Null: the installation itself.",
    )
    action = models.CharField(max_length=64)
    actor = models.CharField(max_length=200)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=200)
    before = JsonTextField(null=True)
    after = JsonTextField(null=True)
    outcome = models.CharField(max_length=32, default="done")
    request_id = models.CharField(max_length=64, blank=True)
    source_address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        verbose_name_plural = "entries"
        indexes = [models.Index(fields=["tenant", "-created_at"], name="entry_by_tenant")]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"
