"""Rows of people, tenants, memberships and the keys of programs."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.origins import check_origin
from tenants.sealing import SealedField

LEAST_WEIGHT: Final = Decimal("0.001")
MOST_WEIGHT: Final = Decimal(1000)
"""Bounds of a tenant's weight, its share of the workers; it has three decimals."""


class User(AbstractUser):
    """A person. Which tenants they belong to is told by their memberships."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    def __str__(self) -> str:
        known = " ".join(text for text in (self.get_full_name(), f"<{self.email}>" if self.email else "") if text)
        return known or self.username


class RunsWhileSuspended(models.TextChoices):
    """Choices for the runs of a tenant that is suspended."""

    FINISH = "finish", "Let them finish"
    PAUSE = "pause", "Pause them"


class RemovalStage(models.TextChoices):
    """Stages of a tenant's removal, one after the other."""

    CANCELLING = "cancelling", "Its runs are being cancelled"
    CLOSING = "closing", "It is closed; its runs are being released"
    REMOVING = "removing", "Its rows are being removed"


class Tenant(models.Model):
    """A customer of the installation: owner of segments, runs, keys."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=64, unique=True, help_text="Short name in URLs and logs.")
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True, help_text="Keys of an inactive tenant are refused.")
    weight = models.DecimalField(
        max_digits=9,
        decimal_places=3,
        default=1,
        db_default=1,
        validators=[MinValueValidator(LEAST_WEIGHT), MaxValueValidator(MOST_WEIGHT)],
        help_text="Its share of the workers when runs have to wait: a tenant with 2 executes twice as many as one "
        "with 1. Takes effect at once.",
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
        help_text="Internal hosts that this tenant may call, as host, host:port or host:*, in addition to the "
        "installation's.",
    )
    allowed_step_types = ArrayField(
        models.CharField(max_length=64),
        default=list,
        db_default=[],
        blank=True,
        help_text="Step types this tenant may use regardless of its tier.",
    )
    blocked_step_types = ArrayField(
        models.CharField(max_length=64),
        default=list,
        db_default=[],
        blank=True,
        help_text="Step types this tenant may not use, regardless of its tier.",
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
        help_text="Tokens one run may take of language models. Empty: no limit. A step that would take more fails with "
        "BUDGET_EXCEEDED.",
    )
    run_cost_budget = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="US dollars one run may cost. Empty: no limit. With a limit, models without a price are refused.",
    )
    daily_token_budget = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Tokens all runs together may take in a day (UTC). Empty: no limit."
    )
    daily_cost_budget = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="US dollars all runs together may cost in a day (UTC). Empty: no limit. With a limit, models "
        "without a price are refused.",
    )
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Days that runs with their journals and tasks are kept after their end. Empty: the "
        "installation's RUN_RETENTION_DAYS.",
    )
    audit_retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Days that entries of the audit are kept; older ones are pruned in bundles of 256. Empty: the "
        "installation's AUDIT_RETENTION_DAYS.",
    )
    suspended_at = models.DateTimeField(null=True, editable=False)
    suspended_runs = models.CharField(
        max_length=8, blank=True, default="", db_default="", choices=RunsWhileSuspended, editable=False
    )
    suspension_reason = models.CharField(max_length=500, blank=True, default="", db_default="", editable=False)
    deletion_requested_at = models.DateTimeField(null=True, editable=False)
    deletion_due_at = models.DateTimeField(null=True, editable=False, help_text="When its removal begins.")
    removal_stage = models.CharField(
        max_length=16, blank=True, default="", db_default="", choices=RemovalStage, editable=False
    )
    removal_stage_at = models.DateTimeField(null=True, editable=False, help_text="When this stage began.")
    created_at = models.DateTimeField(default=utc_now, editable=False)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=Q(weight__gt=0), name="tenant_weight_positive"),
            models.CheckConstraint(
                condition=Q(suspended_at__isnull=True, suspended_runs="")
                | Q(suspended_at__isnull=False, suspended_runs__in=RunsWhileSuspended.values),
                name="tenant_suspended_one_way",
            ),
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
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who answers in their place.",
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
    """A program's key. The secret is shown once; ``secret_hash`` is a keyed hash of it.

    A rotation makes the next secret and lets the one before work for a while: at most two do, and ``secret_number``
    counts them. The public id stays, so that the key has one name in journal and audit.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100, help_text="The program that uses this key.")
    public_id = models.CharField(max_length=32, unique=True, editable=False)
    secret_hash = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=32), default=list)
    created_at = models.DateTimeField(default=utc_now, editable=False)
    created_by = models.CharField(max_length=200, default="", db_default="", editable=False, help_text="The actor.")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    secret_number = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False, help_text="When the current secret was made.")
    old_secret_hash = models.BinaryField(max_length=32, null=True, editable=False)
    old_secret_ends_at = models.DateTimeField(
        null=True, editable=False, help_text="Until then the previous secret works."
    )
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To a minute.")
    reminded_days = models.PositiveSmallIntegerField(
        null=True, editable=False, help_text="The last reminder of its end, in days before it."
    )

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "created_at"], name="apikey_by_tenant"),
            models.Index(
                fields=["expires_at"],
                condition=Q(revoked_at__isnull=True, expires_at__isnull=False),
                name="apikey_by_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def state(self) -> str:
        """The word for its state."""
        if self.revoked_at is not None:
            return "revoked"
        return "live" if self.is_live() else "expired"

    @property
    def old_secret_until(self) -> datetime | None:
        """The end of the secret before the present one; None when one secret works."""
        is_there = self.old_secret_ends_at is not None and self.old_secret_ends_at > utc_now()
        return self.old_secret_ends_at if is_there else None

    def is_live(self) -> bool:
        """Whether the key may be used now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > utc_now())

    def takes_secret(self, number: int) -> bool:
        """Whether the secret of this number may be used now: the present one, or the one before it while it works."""
        if number == self.secret_number:
            return True
        return number == self.secret_number - 1 and self.old_secret_until is not None


class CallbackSecret(models.Model):
    """Signing secret of a tenant's callbacks, sealed. After a rotation both secrets sign for a day."""

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.CASCADE, related_name="+")
    secret = SealedField()
    secret_before = SealedField(help_text="The previous secret.")
    created_at = models.DateTimeField(default=utc_now, editable=False, help_text="When the current secret was made.")

    objects = TenantManager()

    def __str__(self) -> str:
        return f"callback secret of {self.tenant_id}"
