import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0024_weight_bound")]
    operations = [
        migrations.AddField(
            "tenant",
            "audit_retention_days",
            models.PositiveIntegerField(
                blank=True,
                help_text="Days that entries of the audit are kept; older ones are pruned in bundles of 256. Empty: "
                "the installation's AUDIT_RETENTION_DAYS.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
    ]
