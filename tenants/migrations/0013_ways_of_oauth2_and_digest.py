"""Connections say more of token servers, and may answer challenges."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0012_dialects_of_providers"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="connection",
            name="connection_auth_known",
        ),
        migrations.AddField(
            model_name="connection",
            name="audience",
            field=models.CharField(blank=True, help_text="For OAuth 2, where the server wants one.", max_length=500),
        ),
        migrations.AddField(
            model_name="connection",
            name="resource",
            field=models.CharField(blank=True, help_text="For OAuth 2, where the server wants one.", max_length=2000),
        ),
        migrations.AddField(
            model_name="connection",
            name="secret_in",
            field=models.CharField(
                blank=True,
                choices=[("header", "In the header"), ("body", "In the body")],
                help_text="For OAuth 2: where the secret goes; the header.",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="connection",
            name="auth",
            field=models.CharField(
                choices=[
                    ("provider", "In the provider's own way"),
                    ("none", "Not at all"),
                    ("bearer", "Authorization: Bearer"),
                    ("basic", "Authorization: Basic"),
                    ("header", "In a header"),
                    ("query", "In the query"),
                    ("digest", "Digest"),
                    ("oauth2", "OAuth 2 client credentials"),
                ],
                default="none",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("auth__in", ["provider", "none", "bearer", "basic", "header", "query", "digest", "oauth2"])
                ),
                name="connection_auth_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(("secret_in__in", ["", "header", "body"])), name="connection_secret_place_known"
            ),
        ),
    ]
