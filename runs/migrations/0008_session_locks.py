from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0007_notifications")]

    operations = [
        migrations.AddField(
            model_name="worker",
            name="holds_lock",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Whether it holds a lock of its session while its process is there.",
            ),
        ),
    ]
