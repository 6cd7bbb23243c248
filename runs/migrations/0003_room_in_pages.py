"""Room in the pages of runs: a row is updated at every commit of its journal, and stays off the indexes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_walls")]
    operations = [
        migrations.RunSQL(
            "alter table runs_run set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)",
            "alter table runs_run reset (fillfactor, autovacuum_vacuum_scale_factor)",
        ),
    ]
