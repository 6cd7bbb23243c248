"""Invitations that are to be mailed are looked up by tenant."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("tenants", "0009_sign_in")]

    operations = [
        migrations.AddIndex(
            model_name="invitation",
            index=models.Index(
                condition=Q(mailed_at__isnull=True, mail_error="", accepted_at__isnull=True, revoked_at__isnull=True),
                fields=["tenant", "created_at"],
                name="invitation_to_mail",
            ),
        ),
    ]
