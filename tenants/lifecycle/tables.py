"""Tables of a tenant: which there are, what of them is exported, and their rows as JSON lines."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.db import connection
from django.db.models import DO_NOTHING, Field, Model
from psycopg import sql

from tenants.models import Membership, Tenant, User
from tenants.sealing import SealedField

FETCHED_ROWS: Final = 32
"""Rows read at once: one may be some MiB."""
LEFT_OUT: Final = {
    "runs.StreamTicket": "live for seconds, and stand for a key",
    "runs.IdempotencyKey": "names of requests of the last day",
    "tenants.KeyRequest": "names of requests of the last day",
    "runs.SuspendedRun": "notes of the platform",
    "runs.StoragePart": "counts of the platform",
    "tenants.TenantExport": "the exports themselves",
    "tenants.ExportPart": "the exports themselves",
    "audit.AuditLog": "exported by the audit, in formats others verify",
    "audit.SealedEntry": "exported by the audit, in formats others verify",
    "audit.TreeNode": "exported by the audit, in formats others verify",
    "audit.LogCheckpoint": "exported by the audit, in formats others verify",
    "audit.LogVerifier": "exported by the audit, in formats others verify",
    "audit.LogPruning": "exported by the audit, in formats others verify",
    "audit.LogVerification": "notes of the platform",
    "audit.UnsealedEntry": "notes of the platform",
}
"""Tables of a tenant that are not exported, and why."""
SECRET_COLUMNS: Final = {("tenants.ApiKey", "secret_hash"), ("tenants.ApiKey", "old_secret_hash")}
"""Columns that are left out beside the sealed ones, which always are."""
PERSON_COLUMNS: Final = ("id", "username", "email", "first_name", "last_name", "date_joined", "last_login")


def tenant_models() -> list[type[Model]]:
    """Give every model whose rows belong to a tenant, in the order of their names."""
    found = [model for model in apps.get_models() if _points_to_tenant(model)]
    return sorted(found, key=label_of)


def outlives_tenant(model: type[Model]) -> bool:
    """Whether a tenant's rows of this model stay when the tenant goes: those of the audit."""
    owners = (field.remote_field for field in _fields(model) if field.name == "tenant")
    return any(owner is not None and owner.on_delete is DO_NOTHING for owner in owners)


def label_of(model: type[Model]) -> str:
    """Name a model, ``app.Model``."""
    return model._meta.label  # noqa: SLF001 - Django's documented way to a model's name


def exported_tables(tenant_id: UUID) -> dict[str, sql.Composed]:
    """Give what is exported: by the name of its file the statement that selects its rows, without secrets."""
    tables = {
        f"data/{label_of(model)}.jsonl": _select(model, _shown_columns(model), "tenant_id", tenant_id)
        for model in tenant_models()
        if label_of(model) not in LEFT_OUT
    }
    tables[f"data/{label_of(Tenant)}.jsonl"] = _select(Tenant, _shown_columns(Tenant), "id", tenant_id)
    people = sql.SQL("id in (select user_id from {} where tenant_id = {})").format(
        sql.Identifier(_table(Membership)), sql.Literal(tenant_id)
    )
    tables[f"data/{label_of(User)}.jsonl"] = _statement(User, PERSON_COLUMNS, people)
    return dict(sorted(tables.items()))


def count_rows(statement: sql.Composed) -> int:
    """Count what a statement selects."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("select count(*) from ({}) counted").format(statement))
        return int(cursor.fetchone()[0])


def json_lines(statement: sql.Composed) -> Iterator[str]:
    """Read the rows of a statement as JSON, a few at a time, in the open transaction."""
    connection.ensure_connection()
    with connection.connection.cursor(name="llmteam_export") as cursor:
        cursor.itersize = FETCHED_ROWS
        cursor.execute(sql.SQL("select to_json(exported)::text from ({}) exported").format(statement))
        for (line,) in cursor:
            yield line.replace("\n", " ")  # between tokens only: JSON has none inside a text


def _points_to_tenant(model: type[Model]) -> bool:
    fields = {field.name: field for field in _fields(model)}
    return "tenant" in fields and fields["tenant"].related_model is Tenant


def _shown_columns(model: type[Model]) -> list[str]:
    return [
        str(field.column) for field in _fields(model)
        if not isinstance(field, SealedField) and (label_of(model), field.column) not in SECRET_COLUMNS
    ]  # fmt: skip


def _select(model: type[Model], columns: list[str], key: str, tenant_id: UUID) -> sql.Composed:
    return _statement(model, columns, sql.SQL("{} = {}").format(sql.Identifier(key), sql.Literal(tenant_id)))


def _statement(model: type[Model], columns: Any, where: sql.Composable) -> sql.Composed:
    shown = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("select {} from {} where {}").format(shown, sql.Identifier(_table(model)), where)


def _table(model: type[Model]) -> str:
    return model._meta.db_table  # noqa: SLF001 - Django's documented way to a model's table


def _fields(model: type[Model]) -> "tuple[Field[Any, Any], ...]":
    return tuple(model._meta.concrete_fields)  # noqa: SLF001 - Django's documented way to a model's fields
