"""Runs, their journals, the inbox of commands, and the hosts that own runs."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Now

from foundation.fields import JsonTextField
from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from segments.models import Revision
from segments.plan import SEMANTICS
from tenants.models import ApiKey, Membership, Tenant


class RunStatus(models.TextChoices):
    """Statuses of a run. The last four are final."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting"
    PAUSED = "paused", "Paused"
    STALLED = "stalled", "Stalled"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    TIMED_OUT = "timed_out", "Timed out"


OVER = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT)


class Run(models.Model):
    """One execution of one revision.

    Only its owner (``owner`` with the matching ``epoch``) writes ``status`` to ``digest`` and the journal. Everybody
    else writes a row into the inbox and raises ``signals_pending``; a resume puts a run nobody owns back in the queue.
    ``wake_at`` is null while owned and when over.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    segment_id = models.CharField(max_length=64)
    started_by_actor = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    started_by = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="+")
    client_reference = models.CharField(max_length=255, blank=True)
    metadata = JsonTextField(default=dict)
    input = JsonTextField(null=True)
    input_size = models.BigIntegerField(null=True, editable=False, help_text="In bytes; empty: not measured yet.")
    semantics = models.PositiveSmallIntegerField(default=SEMANTICS)
    priority = models.SmallIntegerField(default=0)
    timeout_seconds = models.FloatField()
    step_types = ArrayField(
        models.TextField(), default=list, db_default=[], help_text="The step types and providers a host needs."
    )
    is_test = models.BooleanField(default=False, db_default=False, help_text="One step tried out from the catalog.")
    traceparent = models.CharField(
        max_length=55, blank=True, default="", db_default="", help_text="The trace of the request that started it."
    )
    replay_of = models.UUIDField(null=True, help_text="The run whose journal this one began with, or repeats.")
    callback_events = ArrayField(
        models.TextField(),
        null=True,
        editable=False,
        help_text="The events its callback receives; empty without a callback.",
    )

    status = models.CharField(max_length=16, choices=RunStatus, default=RunStatus.QUEUED)
    output = JsonTextField(null=True)
    error = JsonTextField(null=True)
    warnings = JsonTextField(default=list, db_default=[], help_text="Where its output is not what output_schema says.")
    waiting_for = JsonTextField(default=list)
    usage = JsonTextField(default=dict, db_default={}, editable=False)
    activations = models.PositiveIntegerField(default=0)
    active = models.PositiveIntegerField(default=0)
    last_seq = models.PositiveIntegerField(default=0)
    journal_bytes = models.PositiveBigIntegerField(default=0)
    digest = models.BinaryField(default=bytes, help_text="SHA-256 over the digest before it and the last event.")
    started_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    seconds_left = models.FloatField(null=True, help_text="Of the timeout, while parked.")
    ended_at = models.DateTimeField(null=True)

    owner = models.UUIDField(null=True, help_text="The host that executes it now.")
    epoch = models.PositiveIntegerField(default=0, help_text="Counts the claims; a write under an old one is refused.")
    wake_at = models.DateTimeField(null=True, default=utc_now, db_default=Now())
    losses = models.PositiveSmallIntegerField(default=0, help_text="Owners lost since the last recorded outcome.")
    signals_pending = models.BooleanField(default=False)
    pause_requested = models.BooleanField(default=False, db_default=False, help_text="A pause is not in effect yet.")
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        permissions = [("see_data", "Can see what runs were given and answered")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=RunStatus.values), name="run_status_known"),
            models.CheckConstraint(
                condition=~Q(status__in=[s.value for s in OVER]) | Q(owner__isnull=True, wake_at__isnull=True),
                name="run_over_is_free",
            ),
        ]
        indexes = [
            models.Index(
                F("tenant"),
                F("priority").desc(),
                F("created_at"),
                F("id"),
                condition=Q(owner__isnull=True, wake_at__isnull=False) & ~Q(status__in=["waiting", "paused"]),
                name="run_claim",
            ),
            # Apart from the queue: hundreds of thousands of runs that wait for a time must not stand in its way. Of
            # paused ones, those where people are asked.
            models.Index(
                fields=["tenant", "wake_at"],
                condition=Q(owner__isnull=True, wake_at__isnull=False, status__in=["waiting", "paused"]),
                name="run_parked",
            ),
            # Few different values: whether anybody can execute one is asked once, however many runs wait. The hash is
            # as short for a segment of a hundred types.
            models.Index(
                Func(F("step_types"), Value(0), function="hash_array_extended"),
                F("wake_at"),
                condition=Q(owner__isnull=True, wake_at__isnull=False),
                name="run_by_step_types",
            ),
            models.Index(fields=["owner", "tenant"], condition=Q(owner__isnull=False), name="run_by_owner"),
            models.Index(
                fields=["id"],
                condition=Q(owner__isnull=True, wake_at__isnull=False, signals_pending=True),
                name="run_signalled",
            ),
            models.Index(fields=["tenant", "-created_at", "-id"], name="run_by_tenant"),
            models.Index(fields=["tenant", "ended_at"], condition=Q(ended_at__isnull=False), name="run_by_end"),
            # Lists of the console go over all tenants: errors by code, and what stands still. Both are few among many.
            models.Index(
                KeyTextTransform("code", "error"), F("id").desc(), condition=Q(error__isnull=False), name="run_by_error"
            ),
            models.Index(fields=["-id"], condition=Q(error__isnull=False), name="run_with_error"),
            models.Index(fields=["-id"], condition=Q(status="stalled"), name="run_stalled"),
            models.Index(fields=["client_reference"], condition=~Q(client_reference=""), name="run_by_reference"),
            models.Index(fields=["tenant", "client_reference"], condition=~Q(client_reference=""), name="run_by_ref"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in OVER


class SuspendedRun(models.Model):
    """A run that the suspension of its tenant has paused: what is resumed with the tenant, and nothing else."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    def __str__(self) -> str:
        return f"suspended {self.run_id}"


class TransactionIdField(models.BigIntegerField):  # type: ignore[type-arg]  # generic for mypy alone
    """The id of the transaction that wrote the row (Postgres ``xid8``), set by the database."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Use the type that compares with what ``pg_snapshot_xmin`` answers."""
        return "xid8"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Write text: ``xid8`` takes no number."""
        return value if value is None or hasattr(value, "as_sql") else str(value)

    def from_db_value(self, value: str | None, expression: Any, connection: BaseDatabaseWrapper) -> int | None:
        """Read the text the driver hands over."""
        return None if value is None else int(value)


class RunEvent(models.Model):
    """One line of a run's journal; insert only. ``seq`` is gapless from 1.

    ``transaction`` lets others follow all journals of a tenant without missing what commits late.
    """

    pk = models.CompositePrimaryKey("run", "seq")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=32)
    step_id = models.CharField(max_length=64, null=True)  # noqa: DJ001 - no step is not a step without a name
    activation = models.PositiveIntegerField(null=True)
    attempt = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField(default=utc_now, db_default=Now())
    payload = JsonTextField()
    bytes = models.GeneratedField(
        expression=Func(Cast("payload", models.TextField()), function="octet_length"),
        output_field=models.IntegerField(),
        db_persist=True,
        help_text="Of the payload as it is stored: read to decide how much is read.",
    )
    transaction = TransactionIdField(
        db_default=Func(function="pg_current_xact_id", output_field=TransactionIdField()), editable=False
    )

    objects = TenantManager()

    class Meta:
        # The rows of one commit are one entry of this index: run and seq in it would make it several times as large.
        indexes = [models.Index(fields=["tenant", "transaction"], name="event_by_transaction")]

    def __str__(self) -> str:
        return f"{self.run_id}:{self.seq} {self.type}"


class SignalKind(models.TextChoices):
    """Kinds of signals to a run."""

    CANCEL = "cancel", "Cancel"
    PAUSE = "pause", "Pause"
    RESUME = "resume", "Resume"
    TASK = "task", "News of a human task"
    CALL = "call", "A call that is waited for"
    EARLY_CALL = "early_call", "A call that nobody waits for yet"


class Signal(models.Model):
    """One request in a run's inbox; ``applied_seq`` is the event that took it."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="signals", db_index=False)
    kind = models.CharField(max_length=16, choices=SignalKind)
    payload = JsonTextField(default=dict)
    created_at = models.DateTimeField(default=utc_now, db_default=Now())
    applied_seq = models.PositiveIntegerField(null=True)

    objects = TenantManager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(kind__in=SignalKind.values), name="signal_kind_known")]
        indexes = [models.Index(fields=["run", "id"], name="signal_by_run")]

    def __str__(self) -> str:
        return f"{self.kind} for {self.run_id}"


class Worker(models.Model):
    """A host. Its lease covers every run it owns; a new row at each start of the process."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    started_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField()
    step_types = ArrayField(models.TextField(), default=list, db_default=[], help_text="What it can execute.")
    holds_lock = models.BooleanField(
        default=False, db_default=False, help_text="Whether it holds a lock of its session while its process is there."
    )

    def __str__(self) -> str:
        return self.name


class StreamTicket(models.Model):
    """Stands for a key or a member once, for a caller that cannot send it along; gone when used."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Membership, null=True, on_delete=models.CASCADE, related_name="+")
    secret_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField()
    stream_until = models.DateTimeField(null=True, help_text="When the time of the token it was made with is over.")
    secret_number = models.PositiveIntegerField(null=True, help_text="With which secret of the key it was made.")

    objects = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["tenant", "expires_at"], name="ticket_by_tenant")]

    def __str__(self) -> str:
        return f"ticket for {self.member_id or self.api_key_id}"


class IdempotencyKey(models.Model):
    """The first answer to a start, for 24 hours: inserted in the run's own transaction."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=utc_now, db_default=Now())

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return self.key
