"""Keys have a second secret while they are rotated, a last use and reminders; mails to admins."""

import django.db.models.deletion
from django.db import migrations, models

import kernel.clock
import kernel.ids


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0016_life_of_tenants"),
    ]

    operations = [
        migrations.CreateModel(
            name="AdminMail",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("subject", models.CharField(max_length=200)),
                ("text", models.TextField()),
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
        ),
        migrations.CreateModel(
            name="KeyRequest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=255)),
                ("request_hash", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
        ),
        migrations.AddField(
            model_name="apikey",
            name="created_by",
            field=models.CharField(db_default="", default="", editable=False, help_text="The actor.", max_length=200),
        ),
        migrations.AddField(
            model_name="apikey",
            name="last_used_at",
            field=models.DateTimeField(editable=False, help_text="To a minute.", null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="old_secret_ends_at",
            field=models.DateTimeField(editable=False, help_text="Until then the one before works.", null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="old_secret_hash",
            field=models.BinaryField(max_length=32, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="reminded_days",
            field=models.PositiveSmallIntegerField(
                editable=False, help_text="The last reminder of its end: so many days before.", null=True
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rotated_at",
            field=models.DateTimeField(editable=False, help_text="When the present secret was made.", null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="secret_number",
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AddIndex(
            model_name="apikey",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False), ("revoked_at__isnull", True)),
                fields=["expires_at"],
                name="apikey_by_end",
            ),
        ),
        migrations.AddField(
            model_name="adminmail",
            name="member",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.membership"
            ),
        ),
        migrations.AddField(
            model_name="adminmail",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddField(
            model_name="keyrequest",
            name="api_key",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.apikey"),
        ),
        migrations.AddField(
            model_name="keyrequest",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddIndex(
            model_name="adminmail",
            index=models.Index(
                condition=models.Q(("next_at__isnull", False)),
                fields=["tenant", "next_at"],
                name="admin_mail_of_tenant_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.UniqueConstraint(fields=("tenant", "key"), name="key_request_once"),
        ),
    ]
