"""Verifications that are asked for, and prunings: a leaf and its entry may be deleted once one says so, never else."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import foundation.fields
import kernel.clock
import kernel.ids
from tenants.walls.policies import walled

_REFUSE = "raise exception 'rows of % are inserted only', tg_table_name using errcode = 'restrict_violation';"
_BEGIN = "returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $prune$ begin"
PRUNED_ONLY = [
    f"""create function public.audit_refuse_leaf() {_BEGIN}
      if exists (select from public.audit_logpruning p where p.log_id = old.log_id and old.n < p.minimum) then
        return old;
      end if;
      {_REFUSE}
    end $prune$""",
    f"""create function public.audit_refuse_entry() {_BEGIN}
      if exists (
        select from public.audit_sealedentry s join public.audit_logpruning p on p.log_id = s.log_id
        where s.entry_id = old.id and s.n < p.minimum
      ) then
        return old;
      end if;
      {_REFUSE}
    end $prune$""",
    *(
        statement
        for table, function in (("audit_sealedentry", "audit_refuse_leaf"), ("audit_entry", "audit_refuse_entry"))
        for statement in (
            f"drop trigger insert_only on {table}",
            f"create trigger insert_only before update on {table}"
            " for each row execute function public.audit_refuse_change()",
            f"create trigger pruned_only before delete on {table} for each row execute function public.{function}()",
        )
    ),
    "create trigger insert_only before update or delete on audit_logpruning"
    " for each row execute function public.audit_refuse_change()",
]
INSERT_ONLY = [
    "drop trigger insert_only on audit_logpruning",
    *(
        statement
        for table in ("audit_sealedentry", "audit_entry")
        for statement in (
            f"drop trigger pruned_only on {table}",
            f"drop trigger insert_only on {table}",
            f"create trigger insert_only before update or delete on {table}"
            " for each row execute function public.audit_refuse_change()",
        )
    ),
    "drop function public.audit_refuse_leaf()",
    "drop function public.audit_refuse_entry()",
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_ends_of_runs"), ("tenants", "0020_licences")]
    operations = [
        migrations.CreateModel(
            "LogPruning",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("log_id", models.UUIDField()),
                ("minimum", models.BigIntegerField(help_text="The first leaf that stays; whole bundles of 256 go.")),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            {"indexes": [models.Index(fields=["log_id", "-minimum"], name="pruning_by_log")]},
        ),
        migrations.CreateModel(
            "LogVerification",
            [
                (
                    "id",
                    models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("log_id", models.UUIDField()),
                ("requested_by", models.CharField(help_text="The actor.", max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("beat_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("checked", models.PositiveBigIntegerField(default=0, help_text="Entries that were looked at.")),
                ("total", models.PositiveBigIntegerField(help_text="Entries of the log when it was asked for.")),
                ("verdict", foundation.fields.JsonTextField(null=True)),
                ("error", models.CharField(blank=True, max_length=200)),
                (
                    "tenant",
                    models.ForeignKey(
                        help_text="Null: the installation.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            {
                "indexes": [models.Index(fields=["log_id", "-created_at"], name="verification_by_log")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(status__in=["queued", "running", "done", "failed"]),
                        name="verification_status_known",
                    ),
                    models.UniqueConstraint(
                        condition=Q(status__in=["queued", "running"]),
                        fields=["log_id"],
                        name="verification_one_at_a_time",
                    ),
                ],
            },
        ),
        walled("audit_logpruning"),
        walled("audit_logverification"),
        migrations.RunSQL(PRUNED_ONLY, INSERT_ONLY),
    ]
