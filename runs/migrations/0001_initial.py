import uuid

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.db import migrations, models

import foundation.fields
import kernel.clock
import kernel.ids
import runs.models.runs
import tenants.sealing


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("segments", "0001_initial"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="NotificationTarget",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tenants.tenant",
                    ),
                ),
                ("host", models.CharField(help_text="The host and port it goes to.", max_length=260)),
                ("address", tenants.sealing.SealedField(blank=True, default="", editable=False)),
                ("url_hash", models.CharField(blank=True, db_default="", default="", max_length=32)),
                ("runs_url", models.TextField(help_text="Where the tenant reads runs.")),
                ("updated_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                (
                    "revision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="segments.revision"
                    ),
                ),
                ("segment_id", models.CharField(max_length=64)),
                (
                    "started_by_actor",
                    models.CharField(blank=True, db_default="", default="", editable=False, max_length=100),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="tenants.apikey"
                    ),
                ),
                ("client_reference", models.CharField(blank=True, max_length=255)),
                ("metadata", foundation.fields.JsonTextField(default=dict)),
                ("input", foundation.fields.JsonTextField(null=True)),
                (
                    "input_size",
                    models.BigIntegerField(editable=False, help_text="In bytes; empty: not measured yet.", null=True),
                ),
                ("semantics", models.PositiveSmallIntegerField(default=5)),
                ("priority", models.SmallIntegerField(default=0)),
                ("timeout_seconds", models.FloatField()),
                (
                    "step_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        db_default=[],
                        default=list,
                        help_text="The step types and providers a host needs.",
                        size=None,
                    ),
                ),
                (
                    "is_test",
                    models.BooleanField(
                        db_default=False, default=False, help_text="One step tried out from the catalog."
                    ),
                ),
                (
                    "traceparent",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="The trace of the request that started it.",
                        max_length=55,
                    ),
                ),
                (
                    "replay_of",
                    models.UUIDField(help_text="The run whose journal this one began with, or repeats.", null=True),
                ),
                (
                    "callback_events",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        editable=False,
                        help_text="The events its callback receives; empty without a callback.",
                        null=True,
                        size=None,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("waiting", "Waiting"),
                            ("paused", "Paused"),
                            ("stalled", "Stalled"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("timed_out", "Timed out"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("output", foundation.fields.JsonTextField(null=True)),
                ("error", foundation.fields.JsonTextField(null=True)),
                (
                    "warnings",
                    foundation.fields.JsonTextField(
                        db_default=[], default=list, help_text="Where its output is not what output_schema says."
                    ),
                ),
                ("waiting_for", foundation.fields.JsonTextField(default=list)),
                ("usage", foundation.fields.JsonTextField(db_default={}, default=dict, editable=False)),
                ("activations", models.PositiveIntegerField(default=0)),
                ("active", models.PositiveIntegerField(default=0)),
                ("last_seq", models.PositiveIntegerField(default=0)),
                ("journal_bytes", models.PositiveBigIntegerField(default=0)),
                (
                    "digest",
                    models.BinaryField(
                        default=bytes, help_text="SHA-256 over the digest before it and the last event."
                    ),
                ),
                ("started_at", models.DateTimeField(null=True)),
                ("deadline_at", models.DateTimeField(null=True)),
                ("seconds_left", models.FloatField(help_text="Of the timeout, while parked.", null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("owner", models.UUIDField(help_text="The host that executes it now.", null=True)),
                (
                    "epoch",
                    models.PositiveIntegerField(
                        default=0, help_text="Counts the claims; a write under an old one is refused."
                    ),
                ),
                (
                    "wake_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=kernel.clock.utc_now, null=True
                    ),
                ),
                (
                    "losses",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="Owners lost since the last recorded outcome."
                    ),
                ),
                ("signals_pending", models.BooleanField(default=False)),
                (
                    "pause_requested",
                    models.BooleanField(db_default=False, default=False, help_text="A pause is not in effect yet."),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("priority"), descending=True),
                        models.F("created_at"),
                        models.F("id"),
                        condition=models.Q(
                            ("owner__isnull", True),
                            ("wake_at__isnull", False),
                            models.Q(("status__in", ["waiting", "paused"]), _negated=True),
                        ),
                        name="run_claim",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("owner__isnull", True), ("status__in", ["waiting", "paused"]), ("wake_at__isnull", False)
                        ),
                        fields=["tenant", "wake_at"],
                        name="run_parked",
                    ),
                    models.Index(
                        models.Func(models.F("step_types"), models.Value(0), function="hash_array_extended"),
                        models.F("wake_at"),
                        condition=models.Q(("owner__isnull", True), ("wake_at__isnull", False)),
                        name="run_by_step_types",
                    ),
                    models.Index(
                        condition=models.Q(("owner__isnull", False)), fields=["owner", "tenant"], name="run_by_owner"
                    ),
                    models.Index(
                        condition=models.Q(
                            ("owner__isnull", True), ("signals_pending", True), ("wake_at__isnull", False)
                        ),
                        fields=["id"],
                        name="run_signalled",
                    ),
                    models.Index(fields=["tenant", "-created_at", "-id"], name="run_by_tenant"),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", False)),
                        fields=["tenant", "ended_at"],
                        name="run_by_end",
                    ),
                    models.Index(
                        condition=models.Q(("client_reference", ""), _negated=True),
                        fields=["tenant", "client_reference"],
                        name="run_by_ref",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "queued",
                                    "running",
                                    "waiting",
                                    "paused",
                                    "stalled",
                                    "completed",
                                    "failed",
                                    "cancelled",
                                    "timed_out",
                                ],
                            )
                        ),
                        name="run_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status__in", ["completed", "failed", "cancelled", "timed_out"]), _negated=True),
                            models.Q(("owner__isnull", True), ("wake_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="run_over_is_free",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookFeed",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tenants.tenant",
                    ),
                ),
                ("transaction", runs.models.runs.TransactionIdField()),
                ("run_id", models.UUIDField(default=uuid.UUID("ffffffff-ffff-ffff-ffff-ffffffffffff"))),
                ("seq", models.PositiveIntegerField(default=2147483647)),
                (
                    "reads_audit",
                    models.BooleanField(default=False, help_text="Whether an endpoint asks for events of the audit."),
                ),
                (
                    "entries",
                    models.BigIntegerField(default=0, help_text="Sealed entries of the audit that were looked at."),
                ),
                ("checkpoint", models.BigIntegerField(default=0, help_text="The newest checkpoint that was told.")),
                ("checkpoint_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_until", models.DateTimeField()),
                (
                    "step_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        db_default=[],
                        default=list,
                        help_text="What it can execute.",
                        size=None,
                    ),
                ),
                (
                    "holds_lock",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Whether it holds a lock of its session while its process is there.",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("request_hash", models.CharField(max_length=64)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="runs.run"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=kernel.clock.utc_now
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "key"), name="idempotency_key_once")],
            },
        ),
        migrations.CreateModel(
            name="RunEvent",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="runs.run",
                    ),
                ),
                ("seq", models.PositiveIntegerField()),
                ("type", models.CharField(max_length=32)),
                ("step_id", models.CharField(max_length=64, null=True)),
                ("activation", models.PositiveIntegerField(null=True)),
                ("attempt", models.PositiveSmallIntegerField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=kernel.clock.utc_now
                    ),
                ),
                ("payload", foundation.fields.JsonTextField()),
                (
                    "bytes",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(
                            django.db.models.functions.comparison.Cast("payload", models.TextField()),
                            function="octet_length",
                        ),
                        help_text="Of the payload as it is stored: read to decide how much is read.",
                        output_field=models.IntegerField(),
                    ),
                ),
                (
                    "transaction",
                    runs.models.runs.TransactionIdField(
                        db_default=models.Func(
                            function="pg_current_xact_id", output_field=runs.models.runs.TransactionIdField()
                        ),
                        editable=False,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "transaction"], name="event_by_transaction")],
            },
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="signals",
                        to="runs.run",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("cancel", "Cancel"),
                            ("pause", "Pause"),
                            ("resume", "Resume"),
                            ("task", "News of a human task"),
                            ("call", "A call that is waited for"),
                            ("early_call", "A call that nobody waits for yet"),
                        ],
                        max_length=16,
                    ),
                ),
                ("payload", foundation.fields.JsonTextField(default=dict)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=kernel.clock.utc_now
                    ),
                ),
                ("applied_seq", models.PositiveIntegerField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["run", "id"], name="signal_by_run")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["cancel", "pause", "resume", "task", "call", "early_call"])),
                        name="signal_kind_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StartsOfDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("day", models.DateField()),
                ("runs", models.PositiveIntegerField()),
            ],
            options={
                "verbose_name_plural": "starts of days",
                "constraints": [models.UniqueConstraint(fields=("tenant", "day"), name="starts_of_day_once")],
            },
        ),
        migrations.CreateModel(
            name="StoragePart",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("source", models.UUIDField()),
                ("bytes", models.BigIntegerField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "source"), name="storage_part_once")],
            },
        ),
        migrations.CreateModel(
            name="StreamTicket",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "api_key",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.apikey"
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.membership",
                    ),
                ),
                ("secret_hash", models.BinaryField(max_length=32, unique=True)),
                ("expires_at", models.DateTimeField()),
                (
                    "stream_until",
                    models.DateTimeField(help_text="When the time of the token it was made with is over.", null=True),
                ),
                (
                    "secret_number",
                    models.PositiveIntegerField(help_text="With which secret of the key it was made.", null=True),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "expires_at"], name="ticket_by_tenant")],
            },
        ),
        migrations.CreateModel(
            name="UsageDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("day", models.DateField()),
                ("segment_id", models.CharField(max_length=64)),
                ("provider", models.CharField(max_length=200)),
                ("model", models.CharField(max_length=200)),
                ("is_test", models.BooleanField()),
                ("shard", models.PositiveSmallIntegerField()),
                ("calls", models.PositiveBigIntegerField()),
                ("input_tokens", models.PositiveBigIntegerField()),
                ("output_tokens", models.PositiveBigIntegerField()),
                ("cost", models.DecimalField(decimal_places=12, max_digits=24, verbose_name="cost in US dollars")),
                (
                    "unpriced_calls",
                    models.PositiveBigIntegerField(help_text="Calls whose cost is not known; not in the cost."),
                ),
                (
                    "estimated_calls",
                    models.PositiveBigIntegerField(help_text="Calls whose tokens or price are a guess."),
                ),
            ],
            options={
                "verbose_name": "usage by day",
                "verbose_name_plural": "usage by day",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "day", "segment_id", "provider", "model", "is_test", "shard"),
                        name="usage_day_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("run_id", models.UUIDField()),
                ("seq", models.PositiveIntegerField(help_text="The event of the run that reports it.")),
                ("ordinal", models.PositiveIntegerField(help_text="Which call of that event.")),
                ("at", models.DateTimeField()),
                ("segment_id", models.CharField(max_length=64)),
                ("step_id", models.CharField(max_length=64)),
                ("activation", models.PositiveIntegerField()),
                ("attempt", models.PositiveIntegerField()),
                ("connection", models.CharField(max_length=200)),
                ("provider", models.CharField(max_length=200)),
                ("model", models.CharField(max_length=200)),
                ("input_tokens", models.PositiveIntegerField()),
                ("output_tokens", models.PositiveIntegerField()),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=12,
                        help_text="Empty: no price is known.",
                        max_digits=24,
                        null=True,
                        verbose_name="cost in US dollars",
                    ),
                ),
                ("estimated", models.BooleanField(help_text="Tokens or price are a guess.")),
                ("latency_ms", models.PositiveIntegerField(verbose_name="latency (ms)")),
                (
                    "request_id",
                    models.CharField(blank=True, help_text="The provider's name for the call.", max_length=200),
                ),
                (
                    "prompt",
                    models.CharField(blank=True, help_text="The stored prompt, with its version.", max_length=200),
                ),
                ("is_test", models.BooleanField(help_text="A step tried out from the catalog.")),
            ],
            options={
                "verbose_name_plural": "usage entries",
                "indexes": [models.Index(fields=["tenant", "-id"], name="usage_by_tenant")],
                "constraints": [models.UniqueConstraint(fields=("run_id", "seq", "ordinal"), name="usage_once")],
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=200)),
                ("host", models.CharField(help_text="The host and port it goes to.", max_length=260)),
                ("address", tenants.sealing.SealedField(blank=True, default="", editable=False)),
                ("url_hash", models.CharField(max_length=32)),
                ("runs_url", models.TextField(help_text="Where the tenant reads runs.")),
                (
                    "event_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), help_text="The types of events it is told of.", size=None
                    ),
                ),
                (
                    "segments",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        help_text="Of runs of these segments only; empty: of all.",
                        size=None,
                    ),
                ),
                (
                    "severity",
                    models.CharField(
                        choices=[("info", "Everything"), ("warning", "Warnings and errors"), ("error", "Errors")],
                        default="info",
                        max_length=8,
                    ),
                ),
                ("is_thin", models.BooleanField(default=False, help_text="Whether it is told ids only.")),
                (
                    "signing",
                    models.CharField(
                        choices=[("symmetric", "Shared secret"), ("ed25519", "Ed25519 key pair")],
                        default="symmetric",
                        max_length=16,
                    ),
                ),
                ("secret", tenants.sealing.SealedField(blank=True, default="", editable=False)),
                ("secret_before", tenants.sealing.SealedField(blank=True, default="", editable=False)),
                ("secret_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("sequence", models.BigIntegerField(default=0)),
                (
                    "since",
                    runs.models.runs.TransactionIdField(
                        db_default=models.Func(
                            function="pg_current_xact_id", output_field=runs.models.runs.TransactionIdField()
                        ),
                        editable=False,
                    ),
                ),
                ("failing_since", models.DateTimeField(null=True)),
                (
                    "is_gone",
                    models.BooleanField(default=False, help_text="It answered 410 and is about to be disabled."),
                ),
                (
                    "noticed_days",
                    models.PositiveSmallIntegerField(default=0, help_text="Days of failure the admins were told of."),
                ),
                ("disabled_at", models.DateTimeField(null=True)),
                (
                    "disabled_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("request", "By request"),
                            ("failing", "It failed for too long"),
                            ("gone", "It answered 410"),
                        ],
                        max_length=8,
                    ),
                ),
                ("deleted_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("updated_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=["tenant", "-created_at", "-id"],
                        name="webhook_by_tenant",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("deleted_at__isnull", True),
                            ("disabled_at__isnull", True),
                            ("failing_since__isnull", False),
                        ),
                        fields=["failing_since"],
                        name="webhook_failing",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("signing__in", ["symmetric", "ed25519"])), name="webhook_signing_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("severity__in", ["info", "warning", "error"])),
                        name="webhook_severity_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("disabled_at__isnull", True), ("disabled_reason", "")),
                            models.Q(
                                ("disabled_at__isnull", False), ("disabled_reason__in", ["request", "failing", "gone"])
                            ),
                            _connector="OR",
                        ),
                        name="webhook_disabled_for_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="runs.run",
                    ),
                ),
                ("seq", models.PositiveIntegerField(help_text="The event of the run that it reports.", null=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="runs.webhookendpoint",
                    ),
                ),
                (
                    "sequence",
                    models.BigIntegerField(help_text="Its place among the endpoint's events, from 1.", null=True),
                ),
                ("type", models.CharField(max_length=32)),
                (
                    "target",
                    models.CharField(
                        choices=[
                            ("callback", "The run's callback"),
                            ("tenant", "The tenant"),
                            ("endpoint", "A webhook endpoint"),
                        ],
                        db_default="callback",
                        default="callback",
                        max_length=16,
                    ),
                ),
                ("host", models.CharField(help_text="The host and port it goes to.", max_length=260)),
                (
                    "url_hash",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="Keyed hash of tenant and URL; empty for what is older than this column, and goes by itself.",
                        max_length=32,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("delivered", "Delivered"),
                            ("refused", "Refused"),
                            ("blocked", "Blocked"),
                            ("exhausted", "Exhausted"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("body", models.TextField(blank=True, default="", help_text="The body; empty before the first try.")),
                (
                    "next_at",
                    models.DateTimeField(default=kernel.clock.utc_now, help_text="When it is tried next.", null=True),
                ),
                ("is_claimed", models.BooleanField(default=False, help_text="A try is under way.")),
                (
                    "is_queued",
                    models.BooleanField(
                        db_default=False, default=False, help_text="Due, behind another delivery to the same URL."
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0, help_text="Since it was started or restarted.")),
                ("attempts", models.PositiveIntegerField(default=0, help_text="All tries.")),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_queued", False), ("status", "pending")),
                        fields=["tenant", "host", "next_at"],
                        name="delivery_due",
                    ),
                    models.Index(
                        condition=models.Q(("is_queued", True)),
                        fields=["tenant", "url_hash", "next_at", "id"],
                        name="delivery_queue",
                    ),
                    models.Index(fields=["tenant", "-created_at", "-id"], name="delivery_by_tenant"),
                    models.Index(
                        condition=models.Q(("endpoint__isnull", False), ("status", "pending")),
                        fields=["endpoint", "run", "sequence"],
                        name="delivery_of_run_to_endpoint",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("endpoint__isnull", True)),
                        fields=("run", "seq", "target"),
                        name="delivery_once",
                    ),
                    models.UniqueConstraint(fields=("endpoint", "sequence"), name="delivery_of_endpoint"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("endpoint__isnull", False), ("target", "endpoint")),
                            models.Q(
                                models.Q(("target", "endpoint"), _negated=True),
                                ("endpoint__isnull", True),
                                ("run__isnull", False),
                                ("seq__isnull", False),
                                ("sequence__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="delivery_to_endpoint_or_of_run",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("target__in", ["callback", "tenant", "endpoint"])),
                        name="delivery_target_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["pending", "delivered", "refused", "blocked", "exhausted"])),
                        name="delivery_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("next_at__isnull", False), ("status", "pending")),
                            models.Q(
                                models.Q(("status", "pending"), _negated=True),
                                ("ended_at__isnull", False),
                                ("is_claimed", False),
                                ("next_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="delivery_ends_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_queued", False),
                            models.Q(("is_claimed", False), ("status", "pending")),
                            _connector="OR",
                        ),
                        name="delivery_queues_while_pending",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_claimed", True), models.Q(("url_hash", ""), _negated=True)),
                        fields=("tenant", "url_hash"),
                        name="delivery_one_at_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BudgetHold",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("run_id", models.UUIDField()),
                ("step_id", models.CharField(max_length=64)),
                ("activation", models.PositiveIntegerField()),
                ("attempt", models.PositiveIntegerField()),
                ("tokens", models.PositiveBigIntegerField()),
                ("cost", models.DecimalField(decimal_places=12, max_digits=24)),
                ("worker_id", models.UUIDField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant"], name="hold_by_tenant"),
                    models.Index(fields=["worker_id"], name="hold_by_worker"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run_id", "step_id", "activation", "attempt"), name="hold_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "delivery",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="log",
                        to="runs.delivery",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                ("duration_ms", models.PositiveIntegerField(null=True, verbose_name="duration (ms)")),
                ("status_code", models.PositiveSmallIntegerField(help_text="What the receiver answered.", null=True)),
                ("error_code", models.CharField(blank=True, help_text="Why there was no response.", max_length=64)),
                ("response", models.TextField(blank=True, help_text="The beginning of the response, without secrets.")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("delivery", "number"), name="delivery_attempt_once")],
            },
        ),
        migrations.CreateModel(
            name="ModelPrice",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: for every tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "provider",
                    models.CharField(help_text="As in connections: `openai`, `anthropic`, ...", max_length=64),
                ),
                (
                    "model",
                    models.CharField(
                        help_text="The model's whole name; or how names begin, with `*` behind: `gpt-4o*`.",
                        max_length=200,
                        validators=[
                            django.core.validators.RegexValidator("\\A[^*]+\\*?\\Z", "A star stands at the end only.")
                        ],
                    ),
                ),
                (
                    "input_per_million",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="US dollars, tokens of the prompt.",
                        max_digits=14,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "output_per_million",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="US dollars, tokens of the answer.",
                        max_digits=14,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "valid_from",
                    models.DateTimeField(default=kernel.clock.utc_now, help_text="UTC. Calls from then on cost this."),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
            options={
                "verbose_name": "model price",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "provider", "model", "valid_from"), name="price_once", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("input_per_million__gte", 0), ("output_per_million__gte", 0)),
                        name="price_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RunCallback",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="callback",
                        serialize=False,
                        to="runs.run",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("host", models.CharField(help_text="The host and port it goes to.", max_length=260)),
                ("address", tenants.sealing.SealedField(blank=True, default="", editable=False)),
                ("url_hash", models.CharField(blank=True, db_default="", default="", max_length=32)),
                ("runs_url", models.TextField(help_text="Where the caller reads runs.")),
            ],
        ),
        migrations.CreateModel(
            name="SuspendedRun",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="runs.run",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
        ),
    ]
