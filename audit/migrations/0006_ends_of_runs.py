"""Each tenant's log says since when ends of runs are recorded: what had ended before has no entry of it."""

from django.db import migrations

import kernel.clock
import kernel.ids


def tell(apps, schema_editor):
    entries = apps.get_model("audit", "Entry").objects
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("set local role llmteam_system")
        entries.bulk_create(
            entries.model(
                id=kernel.ids.new_id(),
                tenant_id=tenant_id,
                action="run_ends.recorded",
                actor="system",
                object_type="tenant",
                object_id=str(tenant_id),
                created_at=kernel.clock.utc_now(),
            )
            for tenant_id in apps.get_model("tenants", "Tenant").objects.order_by("id").values_list("id", flat=True)
        )
        cursor.execute("reset role")


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_entries_by_what_is_asked"), ("runs", "0022_digests_of_events")]
    operations = [migrations.RunPython(tell, migrations.RunPython.noop)]
