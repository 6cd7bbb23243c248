"""A row leaves the sealer's queue once its entry is in a log, or once an entry tells that it is gone; never else."""

from django.db import migrations

TABLE = "audit_unsealedentry"
GUARD = [
    """create function public.audit_refuse_unsealed() returns trigger language plpgsql set search_path = pg_catalog, pg_temp
    as $queue$ begin
      if exists (
        select from gone g
        where not exists (select from public.audit_sealedentry s where s.entry_id = g.entry_id)
          and not exists (
            select from public.audit_entry e
            where e.tenant_id is not distinct from g.tenant_id and e.object_type = 'audit_entry'
              and e.object_id = g.entry_id::text and e.action = 'audit_entry.missing'
          )
      ) then
        raise exception 'an entry leaves the queue when it is sealed' using errcode = 'restrict_violation';
      end if;
      return null;
    end $queue$""",
    f"create trigger sealed_only after delete on {TABLE} referencing old table as gone"
    " for each statement execute function public.audit_refuse_unsealed()",
    f"create trigger insert_only before update on {TABLE} for each row execute function public.audit_refuse_change()",
]
NO_GUARD = [
    f"drop trigger insert_only on {TABLE}",
    f"drop trigger sealed_only on {TABLE}",
    "drop function public.audit_refuse_unsealed()",
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_verifications_and_prunings")]
    operations = [migrations.RunSQL(GUARD, NO_GUARD)]
