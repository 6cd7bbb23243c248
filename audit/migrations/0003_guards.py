"""Triggers that guard the audit: entries wait for the sealer, and nothing sealed is changed or goes but by a pruning."""

from django.db import migrations

OF_THE_SYSTEM = (
    "audit_auditlog",
    "audit_sealedentry",
    "audit_treenode",
    "audit_logcheckpoint",
    "audit_logverifier",
    "audit_logpruning",
)
INSERTED_ONLY = ("audit_auditlog", "audit_treenode", "audit_logcheckpoint", "audit_logverifier", "audit_logpruning")
PRUNED_ONLY = {"audit_sealedentry": "audit_refuse_leaf", "audit_entry": "audit_refuse_entry"}

IS_SYSTEM = "current_user = 'llmteam_system'"
LEAF_IS_PRUNED = "exists (select from public.audit_logpruning p where p.log_id = old.log_id and old.n < p.minimum)"
ENTRY_IS_PRUNED = """exists (
        select from public.audit_sealedentry s join public.audit_logpruning p on p.log_id = s.log_id
        where s.entry_id = old.id and s.n < p.minimum
      )"""
# Those 60 seconds are what the clocks of several machines may differ by.
SEALED_A_DAY_AGO = """exists (
        select from public.audit_logcheckpoint c
        where c.log_id = new.log_id and c.size >= new.minimum and c.signed_at <= extract(epoch from now()) - 86340
      )"""
SEALED_OR_MISSED = """not exists (
        select from gone g
        where not exists (select from public.audit_sealedentry s where s.entry_id = g.entry_id)
          and not exists (
            select from public.audit_entry e
            where e.tenant_id is not distinct from g.tenant_id and e.object_type = 'audit_entry'
              and e.object_id = g.entry_id::text and e.action = 'audit_entry.missing'
          )
      )"""


def function(name, body):
    return f"""create function public.{name}() returns trigger language plpgsql set search_path = pg_catalog, pg_temp
    as $guard$ begin {body} end $guard$"""


def refuse(sentence, *names):
    """Refuse a row with a sentence, which has a percent sign for each name."""
    return f"""
      raise exception {", ".join((f"'{sentence}'", *names))} using errcode = 'restrict_violation';"""


def only_if(condition, passes, refusal):
    """Let a row pass where a condition holds, else refuse it."""
    return f"""
      if {condition} then
        return {passes};
      end if;{refusal}"""


def trigger(name, event, table, called, *, each="row", seeing=""):
    return f"create trigger {name} {event} on {table}{seeing} for each {each} execute function public.{called}()"


INSERTED = refuse("rows of % are inserted only", "tg_table_name")
GUARDS = [
    function("audit_refuse_change", INSERTED),
    function("audit_refuse_leaf", only_if(f"{IS_SYSTEM} and {LEAF_IS_PRUNED}", "old", INSERTED)),
    function(
        "audit_refuse_entry",
        only_if(f"{IS_SYSTEM} and old.created_at < now() - interval '1 day' and {ENTRY_IS_PRUNED}", "old", INSERTED),
    ),
    function(
        "audit_refuse_maker",
        only_if(IS_SYSTEM, "new", refuse("rows of % are made by the sealer and by prunings", "tg_table_name")),
    ),
    function(
        "audit_refuse_pruning",
        only_if(
            f"new.minimum % 256 = 0 and {SEALED_A_DAY_AGO}",
            "new",
            refuse("whole bundles are pruned that were sealed a day ago"),
        ),
    ),
    function(
        "audit_refuse_unsealed",
        only_if(SEALED_OR_MISSED, "null", refuse("an entry leaves the queue when it is sealed")),
    ),
    function(
        "audit_await_seal",
        """
      insert into public.audit_unsealedentry (tenant_id, entry_id) values (new.tenant_id, new.id);
      return null;""",
    ),
    trigger("await_seal", "after insert", "audit_entry", "audit_await_seal"),
    trigger("insert_only", "before update", "audit_unsealedentry", "audit_refuse_change"),
    trigger(
        "sealed_only",
        "after delete",
        "audit_unsealedentry",
        "audit_refuse_unsealed",
        each="statement",
        seeing=" referencing old table as gone",
    ),
    trigger("sealed_a_day_ago", "before insert", "audit_logpruning", "audit_refuse_pruning"),
    *(trigger("made_by_system", "before insert", table, "audit_refuse_maker") for table in OF_THE_SYSTEM),
    *(trigger("insert_only", "before update or delete", table, "audit_refuse_change") for table in INSERTED_ONLY),
    *(trigger("insert_only", "before update", table, "audit_refuse_change") for table in PRUNED_ONLY),
    *(trigger("pruned_only", "before delete", table, called) for table, called in PRUNED_ONLY.items()),
]
FUNCTIONS = (
    "audit_refuse_change",
    "audit_refuse_leaf",
    "audit_refuse_entry",
    "audit_refuse_maker",
    "audit_refuse_pruning",
    "audit_refuse_unsealed",
    "audit_await_seal",
)
NO_GUARDS = [f"drop function public.{name}() cascade" for name in FUNCTIONS]


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_walls")]
    operations = [migrations.RunSQL(GUARDS, NO_GUARDS)]
