"""Tickets know which secret of their key they were made with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0015_suspended_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="streamticket",
            name="secret_number",
            field=models.PositiveIntegerField(help_text="With which secret of the key it was made.", null=True),
        ),
    ]
