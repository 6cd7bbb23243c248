"""Row-level security on the tables of segments."""

from django.db import migrations

from tenants.walls.policies import walled


class Migration(migrations.Migration):
    dependencies = [("segments", "0001_initial"), ("tenants", "0002_walls")]
    operations = [
        walled("segments_prompttemplate"),
        walled("segments_promptversion"),
        walled("segments_segment"),
        walled("segments_revision"),
    ]
