"""Digests cover whole events, not only payloads: of runs that are not over the next owner computes them anew."""

from django.db import migrations, models

FORGET = [
    "set local role llmteam_system",
    "update runs_run set digest = '' where ended_at is null and digest <> ''",
    "reset role",
]


class Migration(migrations.Migration):
    dependencies = [("runs", "0021_webhook_endpoints")]
    operations = [
        migrations.AlterField(
            "run",
            "digest",
            models.BinaryField(default=bytes, help_text="SHA-256 over the digest before it and the last event."),
        ),
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
    ]
