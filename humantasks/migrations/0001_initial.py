import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import foundation.fields
import kernel.clock
import kernel.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("runs", "0001_initial"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="HumanTask",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="human_tasks",
                        to="runs.run",
                    ),
                ),
                ("segment_id", models.CharField(max_length=64)),
                ("step_id", models.CharField(max_length=64)),
                ("activation", models.PositiveIntegerField()),
                ("started_by", models.CharField(blank=True, help_text="Who started the run.", max_length=100)),
                (
                    "task_type",
                    models.CharField(
                        choices=[
                            ("approval", "Approval"),
                            ("review", "Review"),
                            ("input", "Input"),
                            ("choice", "Choice"),
                        ],
                        max_length=16,
                    ),
                ),
                ("title", models.CharField(max_length=300)),
                ("description", models.TextField(blank=True)),
                ("data", foundation.fields.JsonTextField(help_text="What the person decides about.", null=True)),
                ("form", foundation.fields.JsonTextField(default=dict, help_text="JSON Schema of the answer's data.")),
                (
                    "choices",
                    foundation.fields.JsonTextField(default=list, help_text="What may be chosen: value and label."),
                ),
                ("content_hash", models.CharField(help_text="SHA-256 of what is shown.", max_length=64)),
                (
                    "ports",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        default=list,
                        help_text="The step's ports with an edge.",
                        size=None,
                    ),
                ),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        choices=[(0, "low"), (1, "normal"), (2, "high"), (3, "urgent")], default=1
                    ),
                ),
                ("needed", models.PositiveSmallIntegerField(default=1, help_text="How many approvals it takes.")),
                ("voters", models.PositiveSmallIntegerField(default=1, help_text="How many may decide, at most.")),
                (
                    "four_eyes",
                    models.BooleanField(default=False, help_text="The person who started the run may not decide."),
                ),
                (
                    "asked",
                    models.CharField(
                        blank=True, help_text="Who is asked, as the step or the chain names them.", max_length=300
                    ),
                ),
                (
                    "assignee",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tenants.membership",
                    ),
                ),
                (
                    "candidate_groups",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), default=list, size=None
                    ),
                ),
                ("is_for_all", models.BooleanField(default=False, help_text="Every reviewer of the tenant is asked.")),
                (
                    "is_flagged",
                    models.BooleanField(
                        default=False, help_text="The person the step names is unknown; others are asked."
                    ),
                ),
                (
                    "claimed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tenants.membership",
                    ),
                ),
                ("claimed_at", models.DateTimeField(null=True)),
                ("first_claimed_at", models.DateTimeField(null=True)),
                ("timeout_seconds", models.FloatField(help_text="How long each of those asked has.")),
                ("reminder_seconds", models.FloatField(null=True)),
                (
                    "chain",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300),
                        default=list,
                        help_text="Who is asked one after the other.",
                        size=None,
                    ),
                ),
                (
                    "level",
                    models.PositiveSmallIntegerField(default=0, help_text="How many of the chain were asked already."),
                ),
                ("on_timeout", models.CharField(blank=True, max_length=64)),
                ("due_at", models.DateTimeField()),
                ("remind_at", models.DateTimeField(null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("completed", "Completed"),
                            ("timed_out", "Timed out"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("decision", models.CharField(blank=True, max_length=16)),
                ("choice", models.CharField(blank=True, max_length=300)),
                (
                    "decided_by",
                    models.CharField(blank=True, help_text="The actor whose decision ended it.", max_length=100),
                ),
                ("decided_by_name", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-created_at", "-id"], name="task_by_tenant"),
                    models.Index(
                        condition=models.Q(("status", "open"), _negated=True),
                        fields=["tenant", "-ended_at", "-id"],
                        name="task_ended",
                    ),
                    models.Index(
                        condition=models.Q(("status", "open")),
                        fields=["tenant", "-priority", "due_at", "id"],
                        name="task_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "step_id", "activation"), name="task_once"),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["open", "completed", "timed_out", "cancelled"])),
                        name="task_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("task_type__in", ["approval", "review", "input", "choice"])),
                        name="task_type_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("status", "open")),
                            models.Q(models.Q(("status", "open"), _negated=True), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="task_ends_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("needed__gte", 1), ("voters__gte", models.F("needed"))),
                        name="task_can_be_approved",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
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
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notices", to="humantasks.humantask"
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tenants.membership",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("reminded", "Reminded"),
                            ("escalated", "Escalated"),
                            ("delegated", "Delegated"),
                        ],
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                (
                    "next_at",
                    models.DateTimeField(
                        default=kernel.clock.utc_now, help_text="When it is sent; empty once that is over.", null=True
                    ),
                ),
                ("sent_at", models.DateTimeField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)),
                        fields=["tenant", "next_at"],
                        name="notice_of_tenant_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["asked", "reminded", "escalated", "delegated"])),
                        name="notice_kind_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TaskDecision",
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
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="decisions", to="humantasks.humantask"
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tenants.membership",
                    ),
                ),
                ("actor", models.CharField(max_length=100)),
                (
                    "key",
                    models.CharField(
                        blank=True, help_text="Public id of the key that decided, or acted for them.", max_length=32
                    ),
                ),
                ("name", models.CharField(max_length=300)),
                ("decision", models.CharField(max_length=16)),
                ("choice", models.CharField(blank=True, max_length=300)),
                ("data", foundation.fields.JsonTextField(null=True)),
                ("comment", models.TextField(blank=True)),
                ("content_hash", models.CharField(help_text="What was shown.", max_length=64)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("task", "actor"), name="task_decision_once"),
                    models.UniqueConstraint(fields=("task", "member"), name="task_decision_once_a_member"),
                    models.UniqueConstraint(
                        condition=models.Q(("key", ""), _negated=True),
                        fields=("task", "key"),
                        name="task_decision_once_a_key",
                    ),
                ],
            },
        ),
    ]
