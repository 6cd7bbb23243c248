from django.db import migrations

from tenants.walls.policies import walled


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_entries_outlive_tenants"), ("tenants", "0019_walls")]
    operations = [
        walled("audit_entry"),
    ]
