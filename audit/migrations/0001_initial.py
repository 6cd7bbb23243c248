import django.db.models.deletion
from django.db import migrations, models

import foundation.fields
import kernel.clock
import kernel.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditLog",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("origin", models.CharField(max_length=300, unique=True)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
        ),
        migrations.CreateModel(
            name="UnsealedEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("entry_id", models.UUIDField()),
            ],
            options={
                "verbose_name_plural": "unsealed entries",
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("action", models.CharField(max_length=64)),
                ("actor", models.CharField(max_length=200)),
                ("object_type", models.CharField(max_length=64)),
                ("object_id", models.CharField(max_length=200)),
                ("before", foundation.fields.JsonTextField(null=True)),
                ("after", foundation.fields.JsonTextField(null=True)),
                ("outcome", models.CharField(default="done", max_length=32)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("source", models.CharField(blank=True, help_text="Commitment to the source address.", max_length=71)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
            options={
                "verbose_name_plural": "entries",
                "indexes": [
                    models.Index(fields=["tenant", "-created_at"], name="entry_by_tenant"),
                    models.Index(fields=["tenant", "action", "-created_at"], name="entry_by_action"),
                    models.Index(fields=["tenant", "actor", "-created_at"], name="entry_by_actor"),
                    models.Index(fields=["tenant", "object_type", "object_id", "-created_at"], name="entry_by_object"),
                ],
            },
        ),
        migrations.CreateModel(
            name="LogCheckpoint",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("log_id", models.UUIDField()),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField()),
                ("note", models.TextField()),
                (
                    "peaks",
                    models.BinaryField(help_text="Hashes of the full subtrees the log is made of, from left to right."),
                ),
                ("signed_at", models.BigIntegerField(help_text="Second since 1970 that the cosignature signs.")),
            ],
            options={
                "indexes": [models.Index(fields=["log_id", "-id"], name="checkpoint_by_log")],
            },
        ),
        migrations.CreateModel(
            name="LogPruning",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("log_id", models.UUIDField()),
                ("minimum", models.BigIntegerField(help_text="The first leaf that stays; whole bundles of 256 go.")),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
            options={
                "indexes": [models.Index(fields=["log_id", "-minimum"], name="pruning_by_log")],
            },
        ),
        migrations.CreateModel(
            name="LogVerification",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        help_text="Null: the installation.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("log_id", models.UUIDField()),
                ("requested_by", models.CharField(help_text="The actor.", max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[("queued", "Queued"), ("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("beat_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("checked", models.PositiveBigIntegerField(default=0, help_text="Entries that were looked at.")),
                ("total", models.PositiveBigIntegerField(help_text="Entries of the log when it was asked for.")),
                ("verdict", foundation.fields.JsonTextField(null=True)),
                ("error", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "indexes": [models.Index(fields=["log_id", "-created_at"], name="verification_by_log")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["queued", "running", "done", "failed"])),
                        name="verification_status_known",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=("log_id",),
                        name="verification_one_at_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LogVerifier",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("log_id", models.UUIDField()),
                ("verifier", models.CharField(max_length=500)),
                ("from_size", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["log_id", "id"], name="key_by_log")],
            },
        ),
        migrations.CreateModel(
            name="PersonalValue",
            fields=[
                ("commitment", models.CharField(max_length=71, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("entry_id", models.UUIDField()),
                ("person", models.CharField(max_length=200)),
                ("salt", models.BinaryField()),
                ("value", models.TextField()),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "person"], name="personal_by_person")],
            },
        ),
        migrations.CreateModel(
            name="SealedEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("log_id", models.UUIDField()),
                ("n", models.BigIntegerField()),
                ("entry_id", models.UUIDField(unique=True)),
                ("hash", models.BinaryField()),
                ("data", models.BinaryField()),
            ],
            options={
                "verbose_name_plural": "sealed entries",
                "constraints": [models.UniqueConstraint(fields=("log_id", "n"), name="one_leaf_at_a_place")],
            },
        ),
        migrations.CreateModel(
            name="TreeNode",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("log_id", models.UUIDField()),
                ("level", models.SmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hash", models.BinaryField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("log_id", "level", "index"), name="one_node_at_a_place")
                ],
            },
        ),
    ]
