"""Decisions name the key that made them, and a key or member has one a task."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("humantasks", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="taskdecision",
            name="key",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Public id of the key that decided, or acted for them.",
                max_length=32,
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(
            "update humantasks_taskdecision set key = substr(actor, 5) where actor like 'key:%'",
            reverse_sql=migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name="taskdecision",
            constraint=models.UniqueConstraint(fields=["task", "member"], name="task_decision_once_a_member"),
        ),
        migrations.AddConstraint(
            model_name="taskdecision",
            constraint=models.UniqueConstraint(
                condition=~Q(key=""), fields=["task", "key"], name="task_decision_once_a_key"
            ),
        ),
    ]
