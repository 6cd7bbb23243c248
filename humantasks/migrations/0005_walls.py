from django.db import migrations

from tenants.walls.policies import walled


class Migration(migrations.Migration):
    dependencies = [("humantasks", "0004_tasks_in_order_of_ending"), ("tenants", "0019_walls")]
    operations = [
        walled("humantasks_humantask"),
        walled("humantasks_taskdecision"),
        walled("humantasks_notice"),
    ]
