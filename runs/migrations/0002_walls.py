"""Row-level security on the tables of runs."""

from django.db import migrations

from tenants.walls.policies import lookup, walled


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial"), ("tenants", "0002_walls")]
    operations = [
        walled("runs_runcallback"),
        walled("runs_notificationtarget"),
        walled("runs_delivery"),
        walled("runs_deliveryattempt"),
        walled("runs_run"),
        walled("runs_runevent"),
        walled("runs_signal"),
        walled("runs_suspendedrun"),
        walled("runs_streamticket"),
        walled("runs_idempotencykey"),
        walled("runs_usageentry"),
        walled("runs_usageday"),
        walled("runs_budgethold"),
        walled("runs_modelprice"),
        walled("runs_startsofday"),
        walled("runs_storagepart"),
        walled("runs_webhookendpoint"),
        walled("runs_webhookfeed"),
        lookup(
            "tenant_of_ticket",
            takes="wanted bytea",
            returns="uuid",
            body="select tenant_id from public.runs_streamticket where secret_hash = wanted",
        ),
    ]
