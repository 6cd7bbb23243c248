"""Connections say what the other end is like."""

from django.db import migrations

import foundation.fields


class Migration(migrations.Migration):
    dependencies = [("tenants", "0010_invitations_to_mail")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="options",
            field=foundation.fields.JsonTextField(
                blank=True, default=dict, help_text="What the other end is like; docs/howto/connections.md has them."
            ),
        ),
    ]
