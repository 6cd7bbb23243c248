"""Row-level security on the tables of the audit."""

from django.db import migrations

from tenants.walls.policies import walled


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("tenants", "0002_walls")]
    operations = [
        walled("audit_entry"),
        walled("audit_personalvalue"),
        walled("audit_unsealedentry"),
        walled("audit_auditlog"),
        walled("audit_sealedentry"),
        walled("audit_treenode"),
        walled("audit_logcheckpoint"),
        walled("audit_logverifier"),
        walled("audit_logpruning"),
        walled("audit_logverification"),
    ]
