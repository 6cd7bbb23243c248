"""Entries are listed by action, by actor and by object, each the newest first."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_log")]
    operations = [
        migrations.AlterField(
            "entry",
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
        migrations.AddIndex("entry", models.Index(fields=["tenant", "action", "-created_at"], name="entry_by_action")),
        migrations.AddIndex("entry", models.Index(fields=["tenant", "actor", "-created_at"], name="entry_by_actor")),
        migrations.AddIndex(
            "entry",
            models.Index(fields=["tenant", "object_type", "object_id", "-created_at"], name="entry_by_object"),
        ),
    ]
