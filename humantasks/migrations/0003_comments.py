"""Comments on tasks before they are decided, and their wall."""

import django.db.models.deletion
from django.db import migrations, models

import kernel.clock
import kernel.ids
from tenants.walls.policies import walled


class Migration(migrations.Migration):
    dependencies = [
        ("humantasks", "0002_walls"),
        ("tenants", "0002_walls"),
    ]

    operations = [
        migrations.CreateModel(
            name="TaskComment",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("actor", models.CharField(max_length=100)),
                ("name", models.CharField(max_length=300)),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
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
                    "task",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="comments",
                        to="humantasks.humantask",
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
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "task", "created_at"], name="task_comments_in_order"),
                    models.Index(fields=["task"], name="task_comments"),
                ],
            },
        ),
        walled("humantasks_taskcomment"),
    ]
