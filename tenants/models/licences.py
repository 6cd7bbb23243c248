"""Rows of licences, trials, and of what people were told of their ends."""

from django.db import models
from django.db.models import Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.models.tenants import Tenant
from tenants.sealing import SealedField


class InstalledLicence(models.Model):
    """A licence as a vendor signed it. Only the signed text counts: the columns beside it are for finding it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    licence_id = models.CharField(max_length=40, editable=False)
    note = models.TextField(help_text="The whole text with its signature, as the vendor sent it.")
    created_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    audit_type = "licence"

    class Meta:
        verbose_name = "licence"
        constraints = [models.UniqueConstraint(fields=["tenant", "licence_id"], name="licence_once")]

    def __str__(self) -> str:
        return self.licence_id


class TenantTrial(models.Model):
    """The one trial a tenant ever has: its row is the tenant's, so there cannot be a second.

    What it grants and until when is sealed for this row with SECRET_KEYS. A row that is edited, or copied to another
    tenant, does not open and has no effect; whoever cannot seal can make none that lasts longer.
    """

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.CASCADE, related_name="+")
    terms = SealedField(help_text="A licence's text.")
    created_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    audit_type = "trial"

    class Meta:
        verbose_name = "trial"

    def __str__(self) -> str:
        return f"trial of {self.tenant_id}"


class LicenceNotice(models.Model):
    """One step of a licence's ladder that its tenant was told of; never twice, by a constraint."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    licence_id = models.CharField(max_length=40)
    step = models.CharField(max_length=16, help_text="`30_days` to `1_day`, `ended`, `over`.")
    tier = models.CharField(max_length=32)
    last_day = models.DateField()
    created_at = models.DateTimeField(default=utc_now)
    mailed_at = models.DateTimeField(null=True)
    mail_error = models.CharField(max_length=200, blank=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "licence_id", "step"], name="licence_notice_once"),
            models.CheckConstraint(
                condition=Q(step__in=["30_days", "7_days", "3_days", "1_day", "ended", "over"]),
                name="licence_notice_step_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "created_at"],
                condition=Q(mailed_at__isnull=True, mail_error=""),
                name="licence_notice_to_mail",
            )
        ]

    def __str__(self) -> str:
        return f"{self.licence_id} {self.step}"
