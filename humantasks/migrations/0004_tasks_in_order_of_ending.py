"""Tasks that are done are listed by when they ended."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("humantasks", "0003_mails_by_tenant")]

    operations = [
        migrations.AddIndex(
            model_name="humantask",
            index=models.Index(condition=~Q(status="open"), fields=["tenant", "-ended_at", "-id"], name="task_ended"),
        ),
    ]
