"""Mails to a tenant's admins as rows."""

from django.db import models
from django.db.models import Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id


class AdminMail(models.Model):
    """One mail to one admin of a tenant; inserted with what it tells of, sent behind it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    member = models.ForeignKey("tenants.Membership", on_delete=models.CASCADE, related_name="+")
    subject = models.CharField(max_length=200)
    text = models.TextField()
    created_at = models.DateTimeField(default=utc_now)
    next_at = models.DateTimeField(null=True, default=utc_now, help_text="When it is sent; empty once that is over.")
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant", "next_at"], condition=Q(next_at__isnull=False), name="admin_mail_of_tenant_due"
            )
        ]

    def __str__(self) -> str:
        return self.subject
