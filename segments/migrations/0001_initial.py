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
            name="PromptTemplate",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "template_id",
                    models.CharField(
                        help_text="Name that segments use: lower case letters, digits, _ and -.", max_length=64
                    ),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("updated_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PromptVersion",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField(help_text="Counts from 1 in its prompt.")),
                (
                    "content_hash",
                    models.CharField(help_text="SHA-256 of the canonical JSON of both texts.", max_length=64),
                ),
                ("prompt", models.TextField(help_text="What to ask.")),
                ("system_prompt", models.TextField(blank=True, help_text="The system prompt.")),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="segments.prompttemplate",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="prompttemplate",
            name="current_version",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="segments.promptversion"
            ),
        ),
        migrations.CreateModel(
            name="Revision",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField(help_text="Counts from 1 in its segment.", null=True)),
                ("content_hash", models.CharField(help_text="SHA-256 of the canonical JSON.", max_length=64)),
                ("definition", foundation.fields.JsonTextField(help_text="The segment in canonical spelling.")),
                (
                    "step_types",
                    foundation.fields.JsonTextField(
                        default=dict, help_text="Per type used: version, ports and effect at saving."
                    ),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("segment_id", models.CharField(help_text="The id the canvas gave it.", max_length=64)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("description", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("updated_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "current_revision",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="segments.revision"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="revision",
            name="segment",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="revisions", to="segments.segment"
            ),
        ),
        migrations.AddConstraint(
            model_name="promptversion",
            constraint=models.UniqueConstraint(fields=("template", "number"), name="prompt_version_number_once"),
        ),
        migrations.AddConstraint(
            model_name="promptversion",
            constraint=models.UniqueConstraint(fields=("template", "content_hash"), name="prompt_version_content_once"),
        ),
        migrations.AddIndex(
            model_name="prompttemplate",
            index=models.Index(fields=["tenant", "-created_at", "-id"], name="prompt_by_tenant"),
        ),
        migrations.AddConstraint(
            model_name="prompttemplate",
            constraint=models.UniqueConstraint(fields=("tenant", "template_id"), name="prompt_template_id_once"),
        ),
        migrations.AddIndex(
            model_name="segment",
            index=models.Index(fields=["tenant", "-created_at"], name="segment_by_tenant"),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(fields=("tenant", "segment_id"), name="segment_id_once"),
        ),
        migrations.AddConstraint(
            model_name="revision",
            constraint=models.UniqueConstraint(fields=("segment", "number"), name="revision_number_once"),
        ),
        migrations.AddConstraint(
            model_name="revision",
            constraint=models.UniqueConstraint(fields=("segment", "content_hash"), name="revision_content_once"),
        ),
        migrations.AddConstraint(
            model_name="revision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("segment__isnull", True)),
                fields=("tenant", "content_hash"),
                name="inline_revision_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="revision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("number__isnull", True), ("segment__isnull", True)),
                    models.Q(("number__isnull", False), ("segment__isnull", False)),
                    _connector="OR",
                ),
                name="revision_numbered_in_a_segment",
            ),
        ),
    ]
