"""Row-level security on the tables of humantasks."""

from django.db import migrations

from tenants.walls.policies import walled


class Migration(migrations.Migration):
    dependencies = [("humantasks", "0001_initial"), ("tenants", "0002_walls")]
    operations = [
        walled("humantasks_humantask"),
        walled("humantasks_taskdecision"),
        walled("humantasks_notice"),
    ]
