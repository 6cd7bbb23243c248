# Two stages: what entries hold of persons moves into rows of its own, then the log's tables follow, with their triggers.

import django.db.models.deletion
from django.db import migrations, models

import kernel.clock
from tenants.walls.policies import walled

INSERT_ONLY = (
    "audit_entry",
    "audit_auditlog",
    "audit_sealedentry",
    "audit_treenode",
    "audit_logcheckpoint",
    "audit_logverifier",
)

MOVE = [
    "set local role llmteam_system",
    """insert into audit_personalvalue (commitment, tenant_id, entry_id, person, salt, value)
    select 'sha256:' || encode(sha256(salt || convert_to(address, 'UTF8')), 'hex'), tenant_id, id, actor, salt, address
    from (
      select id, tenant_id, actor, host(source_address) as address,
        decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex') as salt
      from audit_entry where source_address is not null
    ) personal""",
    "update audit_entry e set source = p.commitment from audit_personalvalue p where p.entry_id = e.id",
    "insert into audit_unsealedentry (tenant_id, entry_id) select tenant_id, id from audit_entry order by created_at, id",
    "reset role",
]
TRIGGERS = [
    """create function public.audit_refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp
    as $refuse$ begin
      raise exception 'rows of % are inserted only', tg_table_name using errcode = 'restrict_violation';
    end $refuse$""",
    """create function public.audit_await_seal() returns trigger language plpgsql set search_path = pg_catalog, pg_temp
    as $await$ begin
      insert into public.audit_unsealedentry (tenant_id, entry_id) values (new.tenant_id, new.id);
      return null;
    end $await$""",
    "create trigger await_seal after insert on audit_entry for each row execute function public.audit_await_seal()",
    *(
        f"create trigger insert_only before update or delete on {table}"
        " for each row execute function public.audit_refuse_change()"
        for table in INSERT_ONLY
    ),
]
NO_TRIGGERS = [
    *(f"drop trigger insert_only on {table}" for table in INSERT_ONLY),
    "drop trigger await_seal on audit_entry",
    "drop function public.audit_await_seal()",
    "drop function public.audit_refuse_change()",
]


def owner(**options):
    return models.ForeignKey(
        db_constraint=False,
        help_text="Null: the installation itself. Rows of the audit outlive their tenant.",
        null=True,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to="tenants.tenant",
        **options,
    )


def big():
    return models.BigAutoField(primary_key=True, serialize=False)


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_walls"), ("tenants", "0020_licences")]
    operations = [
        migrations.AlterField("entry", "tenant", owner()),
        migrations.AddField(
            "entry",
            "source",
            models.CharField(blank=True, default="", help_text="Commitment to the source address.", max_length=71),
            preserve_default=False,
        ),
        migrations.CreateModel(
            "PersonalValue",
            [
                ("commitment", models.CharField(max_length=71, primary_key=True, serialize=False)),
                ("entry_id", models.UUIDField()),
                ("person", models.CharField(max_length=200)),
                ("salt", models.BinaryField()),
                ("value", models.TextField()),
                ("tenant", owner(db_index=False)),
            ],
            {"indexes": [models.Index(fields=["tenant", "person"], name="personal_by_person")]},
        ),
        migrations.CreateModel(
            "UnsealedEntry",
            [("id", big()), ("entry_id", models.UUIDField()), ("tenant", owner(db_index=False))],
            {"verbose_name_plural": "unsealed entries"},
        ),
        migrations.CreateModel(
            "AuditLog",
            [
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("origin", models.CharField(max_length=300, unique=True)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("tenant", owner()),
            ],
        ),
        migrations.CreateModel(
            "SealedEntry",
            [
                ("id", big()),
                ("log_id", models.UUIDField()),
                ("n", models.BigIntegerField()),
                ("entry_id", models.UUIDField(unique=True)),
                ("hash", models.BinaryField()),
                ("data", models.BinaryField()),
                ("tenant", owner(db_index=False)),
            ],
            {
                "verbose_name_plural": "sealed entries",
                "constraints": [models.UniqueConstraint(fields=["log_id", "n"], name="one_leaf_at_a_place")],
            },
        ),
        migrations.CreateModel(
            "TreeNode",
            [
                ("id", big()),
                ("log_id", models.UUIDField()),
                ("level", models.SmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hash", models.BinaryField()),
                ("tenant", owner(db_index=False)),
            ],
            {"constraints": [models.UniqueConstraint(fields=["log_id", "level", "index"], name="one_node_at_a_place")]},
        ),
        migrations.CreateModel(
            "LogCheckpoint",
            [
                ("id", big()),
                ("log_id", models.UUIDField()),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField()),
                ("note", models.TextField()),
                (
                    "peaks",
                    models.BinaryField(help_text="Hashes of the full subtrees the log is made of, from left to right."),
                ),
                ("signed_at", models.BigIntegerField(help_text="Second since 1970 that the cosignature signs.")),
                ("tenant", owner(db_index=False)),
            ],
            {"indexes": [models.Index(fields=["log_id", "-id"], name="checkpoint_by_log")]},
        ),
        migrations.CreateModel(
            "LogVerifier",
            [
                ("id", big()),
                ("log_id", models.UUIDField()),
                ("verifier", models.CharField(max_length=500)),
                ("from_size", models.BigIntegerField()),
                ("tenant", owner(db_index=False)),
            ],
            {"indexes": [models.Index(fields=["log_id", "id"], name="key_by_log")]},
        ),
        walled("audit_personalvalue"),
        walled("audit_unsealedentry"),
        walled("audit_auditlog"),
        walled("audit_sealedentry"),
        walled("audit_treenode"),
        walled("audit_logcheckpoint"),
        walled("audit_logverifier"),
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        migrations.RemoveField("entry", "source_address"),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
