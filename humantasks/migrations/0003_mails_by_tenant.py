"""Mails that are due are looked up tenant by tenant."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("humantasks", "0002_decisions_name_their_key")]

    operations = [
        migrations.RemoveIndex(model_name="notice", name="notice_due"),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=Q(next_at__isnull=False), fields=["tenant", "next_at"], name="notice_of_tenant_due"
            ),
        ),
    ]
