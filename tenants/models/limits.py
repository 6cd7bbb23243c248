"""Rows of the limits an operator has set for one tenant."""

from django.db import models

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.entitlements.tiers import LIMITS
from tenants.models.tenants import Tenant


class LimitOverride(models.Model):
    """A limit of one tenant in place of its licence's or tier's; without a value it is unlimited."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    limit = models.CharField(max_length=64, choices=[(name, name) for name in LIMITS])
    value = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty: unlimited.")
    updated_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    audit_type = "limit"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "limit"], name="limit_override_once")]

    def __str__(self) -> str:
        return f"{self.limit}: {'unlimited' if self.value is None else self.value}"
