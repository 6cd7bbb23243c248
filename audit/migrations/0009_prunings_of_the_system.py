"""Rows of logs are made by the system's role alone, prunings only of what was sealed a day ago."""

from django.db import migrations

OF_THE_SYSTEM = (
    "audit_auditlog",
    "audit_sealedentry",
    "audit_treenode",
    "audit_logcheckpoint",
    "audit_logverifier",
    "audit_logpruning",
)
_TRIGGER = "returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $prune$ begin"
_REFUSE = "raise exception 'rows of % are inserted only', tg_table_name using errcode = 'restrict_violation';"
_LEAF = "exists (select from public.audit_logpruning p where p.log_id = old.log_id and old.n < p.minimum)"
_ENTRY = """exists (
        select from public.audit_sealedentry s join public.audit_logpruning p on p.log_id = s.log_id
        where s.entry_id = old.id and s.n < p.minimum
      )"""
# Those 60 seconds are what the clocks of several machines may differ by.
_SEALED_A_DAY_AGO = """exists (
        select from public.audit_logcheckpoint c
        where c.log_id = new.log_id and c.size >= new.minimum and c.signed_at <= extract(epoch from now()) - 86340
      )"""
_IS_SYSTEM = "current_user = 'llmteam_system'"


def _pruned_only(function, condition):
    return f"""create or replace function public.{function}() {_TRIGGER}
      if {condition} then
        return old;
      end if;
      {_REFUSE}
    end $prune$"""


WALLS = [
    f"""create function public.audit_refuse_maker() {_TRIGGER}
      if {_IS_SYSTEM} then
        return new;
      end if;
      raise exception 'rows of % are made by the sealer and by prunings', tg_table_name using errcode = 'restrict_violation';
    end $prune$""",
    f"""create function public.audit_refuse_pruning() {_TRIGGER}
      if new.minimum % 256 = 0 and {_SEALED_A_DAY_AGO} then
        return new;
      end if;
      raise exception 'whole bundles are pruned that were sealed a day ago' using errcode = 'restrict_violation';
    end $prune$""",
    *(
        f"create trigger made_by_system before insert on {table}"
        " for each row execute function public.audit_refuse_maker()"
        for table in OF_THE_SYSTEM
    ),
    "create trigger sealed_a_day_ago before insert on audit_logpruning"
    " for each row execute function public.audit_refuse_pruning()",
    _pruned_only("audit_refuse_leaf", f"{_IS_SYSTEM} and {_LEAF}"),
    _pruned_only("audit_refuse_entry", f"{_IS_SYSTEM} and old.created_at < now() - interval '1 day' and {_ENTRY}"),
]
NO_WALLS = [
    _pruned_only("audit_refuse_entry", _ENTRY),
    _pruned_only("audit_refuse_leaf", _LEAF),
    "drop trigger sealed_a_day_ago on audit_logpruning",
    *(f"drop trigger made_by_system on {table}" for table in OF_THE_SYSTEM),
    "drop function public.audit_refuse_pruning()",
    "drop function public.audit_refuse_maker()",
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0008_nothing_leaves_the_queue_unsealed")]
    operations = [migrations.RunSQL(WALLS, NO_WALLS)]
