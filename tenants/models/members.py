"""Invitations as rows; memberships stand in ``tenants.models``."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id


class Invitation(models.Model):
    """Lets one person join a tenant by signing in with a verified e-mail. Open until accepted, revoked or expired."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    email = models.EmailField(max_length=254, help_text="In lower case.")
    role = models.CharField(max_length=16)
    groups = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    invited_by = models.CharField(max_length=100, help_text="The actor.")
    created_at = models.DateTimeField(default=utc_now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    mailed_at = models.DateTimeField(null=True, editable=False)
    mail_error = models.CharField(max_length=200, blank=True, editable=False)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_open_once",
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="invitation_by_tenant"),
            models.Index(
                fields=["tenant", "created_at"],
                condition=Q(mailed_at__isnull=True, mail_error="", accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_to_mail",
            ),
            models.Index(
                fields=["email"], condition=Q(accepted_at__isnull=True, revoked_at__isnull=True), name="invitation_open"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_open(self) -> bool:
        """Whether it still lets somebody join."""
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > utc_now()

    @property
    def status(self) -> str:
        """The word for its state."""
        if self.accepted_at is not None:
            return "accepted"
        if self.revoked_at is not None:
            return "revoked"
        return "open" if self.is_open else "expired"
