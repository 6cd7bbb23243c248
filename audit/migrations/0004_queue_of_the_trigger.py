"""The queue of entries that wait for the sealer: each waits once, and only the trigger of an entry's insert adds one."""

from django.db import migrations, models

MADE_BY_TRIGGER = """create function public.audit_refuse_waiting() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp
    as $guard$ begin
      if pg_trigger_depth() > 1 then
        return new;
      end if;
      raise exception 'an entry waits for the sealer when it is inserted' using errcode = 'restrict_violation';
    end $guard$"""
TRIGGER = """create trigger made_by_trigger before insert on audit_unsealedentry
    for each row execute function public.audit_refuse_waiting()"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_guards")]
    operations = [
        migrations.AlterField("unsealedentry", "entry_id", models.UUIDField(unique=True)),
        migrations.RunSQL([MADE_BY_TRIGGER, TRIGGER], "drop function public.audit_refuse_waiting() cascade"),
    ]
