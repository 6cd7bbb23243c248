"""Rows of people, tenants, memberships and the keys of programs."""

from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.origins import check_origin
from tenants.sealing import SealedField


class User(AbstractUser):
    """A person. Which tenants they belong to is told by their memberships."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    def __str__(self) -> str:
        known = " ".join(text for text in (self.get_full_name(), f"<{self.email}>" if self.email else "") if text)
        return known or self.username


class Tenant(models.Model):
    """A customer of the installation: owner of segments, runs, keys."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=64, unique=True, help_text="Short name in URLs and logs.")
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True, help_text="Keys of an inactive tenant are refused.")
    max_concurrent_runs = models.PositiveIntegerField(
        default=500, help_text="Runs executed at the same time; more wait in the queue with reason `slot`."
    )
    allowed_origins = ArrayField(
        models.CharField(max_length=300, validators=[check_origin]),
        default=list,
        db_default=[],
        blank=True,
        help_text="Origins of pages that may call the API from a browser, as https://editor.example.com.",
    )
    egress_allow_hosts = ArrayField(
        models.CharField(max_length=300),
        default=list,
        db_default=[],
        blank=True,
        help_text="Hosts inside that this tenant may call, as host, host:port or host:*, beside the installation's.",
    )
    default_reviewer_groups = ArrayField(
        models.CharField(max_length=100),
        default=list,
        db_default=[],
        blank=True,
        help_text="Groups that are asked when a human task names somebody unknown. Empty: all admins and reviewers.",
    )
    run_token_budget = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="Tokens one run may take of language models. Empty: no bound. A step that would take more fails with "
        "BUDGET_EXCEEDED.",
    )
    run_cost_budget = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="US dollars one run may cost. Empty: no bound. Models without a price are refused under it.",
    )
    daily_token_budget = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Tokens all runs together may take in a day (UTC). Empty: no bound."
    )
    daily_cost_budget = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="US dollars all runs together may cost in a day (UTC). Empty: no bound. Models without a price are "
        "refused under it.",
    )
    created_at = models.DateTimeField(default=utc_now, editable=False)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(run_cost_budget__isnull=True) | Q(run_cost_budget__gte=0), name="run_cost_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(daily_cost_budget__isnull=True) | Q(daily_cost_budget__gte=0),
                name="daily_cost_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.slug if self.name in {"", self.slug} else f"{self.name} ({self.slug})"

    @property
    def tenant_id(self) -> UUID:
        """The tenant whose history and rows it belongs to: itself."""
        return self.id


class MemberRole(models.TextChoices):
    """Roles of a member in a tenant."""

    ADMIN = "admin", "Tenant admin"
    REVIEWER = "reviewer", "Reviewer"
    AUDITOR = "auditor", "Auditor"


class Membership(models.Model):
    """A person's place in a tenant. ``groups`` are the reviewer groups human tasks are offered to."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=MemberRole, default=MemberRole.REVIEWER)
    groups = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    away_from = models.DateTimeField(null=True, blank=True, help_text="Out of office from then on.")
    away_until = models.DateTimeField(null=True, blank=True)
    stands_in = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="Who answers meanwhile."
    )
    created_at = models.DateTimeField(default=utc_now, editable=False)
    deactivated_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TenantManager()

    audit_type = "member"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=MemberRole.values), name="membership_role_known"),
            models.CheckConstraint(
                condition=Q(away_until__isnull=True) | Q(away_until__gt=F("away_from")), name="membership_away_forwards"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


class ApiKey(models.Model):
    """A program's key. The secret is shown once; ``secret_hash`` is a keyed hash of it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100, help_text="What uses this key.")
    public_id = models.CharField(max_length=32, unique=True, editable=False)
    secret_hash = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=32), default=list)
    created_at = models.DateTimeField(default=utc_now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["tenant", "created_at"], name="apikey_by_tenant")]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    def is_live(self) -> bool:
        """Whether the key may be used now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > utc_now())


class CallbackSecret(models.Model):
    """Signing secret of a tenant's callbacks, sealed. After a rotation both secrets sign for a day."""

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.CASCADE, related_name="+")
    secret = SealedField()
    secret_before = SealedField(help_text="The secret until the last rotation.")
    created_at = models.DateTimeField(default=utc_now, editable=False, help_text="When the present secret was made.")

    objects = TenantManager()

    def __str__(self) -> str:
        return f"callback secret of {self.tenant_id}"
