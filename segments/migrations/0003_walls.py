from django.db import migrations

from tenants.walls.policies import walled


class Migration(migrations.Migration):
    dependencies = [("segments", "0002_prompts"), ("tenants", "0019_walls")]
    operations = [
        walled("segments_prompttemplate"),
        walled("segments_promptversion"),
        walled("segments_segment"),
        walled("segments_revision"),
    ]
