"""Requests that made secrets of keys, as rows; the keys stand in ``tenants.models.tenants``."""

from django.db import models

from foundation.managers import TenantManager
from kernel.clock import utc_now


class KeyRequest(models.Model):
    """A request that made a secret, by its idempotency key, for 24 hours; inserted in the secret's transaction."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    api_key = models.ForeignKey("tenants.ApiKey", on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="key_request_once")]

    def __str__(self) -> str:
        return self.key
