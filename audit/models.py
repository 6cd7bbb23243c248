"""The audit's rows: entries, what of them may be erased, and the log that seals them. Most are insert only.

Triggers refuse to change and to delete the rest (migration 0003): what is kept can be lost, not edited.
"""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.db import models

from foundation.fields import JsonTextField
from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id

COMMITMENT_CHARS: Final = 71
"""``sha256:`` and 64 hex digits."""


def _owner() -> Any:
    """Make the field of the tenant, which rows of the audit outlive."""
    return models.ForeignKey(
        "tenants.Tenant",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
    )


def _unindexed_owner() -> Any:
    field = _owner()
    field.db_index = False
    return field


class Entry(models.Model):
    """One change: who did what to which object, and how it ended.

    Texts of the form ``sha256:<hex>`` in ``before``, ``after`` and ``source`` commit to what a ``PersonalValue`` has.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = _unindexed_owner()
    action = models.CharField(max_length=64)
    actor = models.CharField(max_length=200)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=200)
    before = JsonTextField(null=True)
    after = JsonTextField(null=True)
    outcome = models.CharField(max_length=32, default="done")
    request_id = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=COMMITMENT_CHARS, blank=True, help_text="Commitment to the source address.")
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        verbose_name_plural = "entries"
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-created_at"], name="entry_by_tenant"),
            models.Index(fields=["tenant", "action", "-created_at"], name="entry_by_action"),
            models.Index(fields=["tenant", "actor", "-created_at"], name="entry_by_actor"),
            models.Index(fields=["tenant", "object_type", "object_id", "-created_at"], name="entry_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class PersonalValue(models.Model):
    """Something of a person that an entry commits to: a source address, a text they wrote. Erased by deleting the row.

    ``person`` is whose it is, as an actor is named. A source address serves all entries of one person and one hour;
    ``entry_id`` is the first of them.
    """

    commitment = models.CharField(primary_key=True, max_length=COMMITMENT_CHARS)
    tenant = _unindexed_owner()
    entry_id = models.UUIDField()
    person = models.CharField(max_length=200)
    salt = models.BinaryField()
    value = models.TextField()

    objects = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "person"], name="personal_by_person")]

    def __str__(self) -> str:
        return self.commitment


class UnsealedEntry(models.Model):
    """An entry that no log has yet, written by a trigger with the entry and taken by the sealer.

    Ids are drawn when entries are inserted, so the entry of a change comes before those of changes that saw it.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = _unindexed_owner()
    entry_id = models.UUIDField(unique=True)

    objects = TenantManager()

    class Meta:
        verbose_name_plural = "unsealed entries"

    def __str__(self) -> str:
        return str(self.entry_id)


class AuditLog(models.Model):
    """A log: of a tenant under the tenant's id, of the installation under the nil id. Its name never changes."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant = _owner()
    origin = models.CharField(max_length=300, unique=True)
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    def __str__(self) -> str:
        return self.origin


class SealedEntry(models.Model):
    """Leaf ``n`` of a log: the bytes of an entry, and their hash."""

    id = models.BigAutoField(primary_key=True)
    tenant = _unindexed_owner()
    log_id = models.UUIDField()
    n = models.BigIntegerField()
    entry_id = models.UUIDField(unique=True)
    hash = models.BinaryField()
    data = models.BinaryField()

    objects = TenantManager()

    class Meta:
        verbose_name_plural = "sealed entries"
        constraints: ClassVar = [models.UniqueConstraint(fields=["log_id", "n"], name="one_leaf_at_a_place")]

    def __str__(self) -> str:
        return f"{self.log_id} {self.n}"


class TreeNode(models.Model):
    """Hash of a full subtree of ``256**level`` leaves; those between are computed."""

    id = models.BigAutoField(primary_key=True)
    tenant = _unindexed_owner()
    log_id = models.UUIDField()
    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField()

    objects = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["log_id", "level", "index"], name="one_node_at_a_place")
        ]

    def __str__(self) -> str:
        return f"{self.log_id} {self.level} {self.index}"


class LogCheckpoint(models.Model):
    """A signed checkpoint of a log, and the peaks that the next entries are appended to."""

    id = models.BigAutoField(primary_key=True)
    tenant = _unindexed_owner()
    log_id = models.UUIDField()
    size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    peaks = models.BinaryField(help_text="Hashes of the full subtrees the log is made of, from left to right.")
    signed_at = models.BigIntegerField(help_text="Second since 1970 that the cosignature signs.")

    objects = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["log_id", "-id"], name="checkpoint_by_log")]

    def __str__(self) -> str:
        return f"{self.log_id} {self.size}"

    @property
    def created_at(self) -> datetime:
        """The signed time."""
        return datetime.fromtimestamp(self.signed_at, tz=utc_now().tzinfo)


class LogVerifier(models.Model):
    """Public key of a log, and the size from which on it signs."""

    id = models.BigAutoField(primary_key=True)
    tenant = _unindexed_owner()
    log_id = models.UUIDField()
    verifier = models.CharField(max_length=500)
    from_size = models.BigIntegerField()

    objects = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["log_id", "id"], name="key_by_log")]

    def __str__(self) -> str:
        return self.verifier


class LogPruning(models.Model):
    """A pruning of a log: the leaves below ``minimum`` are gone, or go now; the hashes above them stay."""

    id = models.BigAutoField(primary_key=True)
    tenant = _unindexed_owner()
    log_id = models.UUIDField()
    minimum = models.BigIntegerField(help_text="The first leaf that stays; whole bundles of 256 go.")
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["log_id", "-minimum"], name="pruning_by_log")]

    def __str__(self) -> str:
        return f"{self.log_id} {self.minimum}"


class VerificationStatus(models.TextChoices):
    """Statuses of a verification. The last two are final."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class LogVerification(models.Model):
    """A verification of a log that somebody asked for: how far it is, and what it found.

    Whoever does it moves ``beat_at``; of one that stands still another process begins anew.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(
        "tenants.Tenant", null=True, on_delete=models.CASCADE, related_name="+", help_text="Null: the installation."
    )
    log_id = models.UUIDField()
    requested_by = models.CharField(max_length=200, help_text="The actor.")
    status = models.CharField(max_length=16, choices=VerificationStatus, default=VerificationStatus.QUEUED)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=utc_now)
    beat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    checked = models.PositiveBigIntegerField(default=0, help_text="Entries that were looked at.")
    total = models.PositiveBigIntegerField(help_text="Entries of the log when it was asked for.")
    verdict = JsonTextField(null=True)
    error = models.CharField(max_length=200, blank=True)

    objects = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=VerificationStatus.values), name="verification_status_known"
            ),
            models.UniqueConstraint(
                fields=["log_id"],
                condition=models.Q(status__in=["queued", "running"]),
                name="verification_one_at_a_time",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["log_id", "-created_at"], name="verification_by_log")]

    def __str__(self) -> str:
        return f"verification of {self.log_id} at {self.created_at:%Y-%m-%d %H:%M}"
