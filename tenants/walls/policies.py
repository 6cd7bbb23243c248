"""Policies of row-level security on tables of tenants, as operations of migrations."""

from typing import Final

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.state import StateApps

from foundation.scope import APP_ROLE, SYSTEM_ROLE
from tenants.database_roles import ensure_roles
from tenants.walls.coverage import OWNED_BY

TENANT_POLICY: Final = "rows_of_the_tenant"
SYSTEM_POLICY: Final = "rows_of_all"
_TENANT: Final = "(select current_setting('app.tenant', true)::uuid)"
"""The tenant in scope, read once a statement, in the form that a prover can follow.

Never set it is null, which no row equals; an empty text, as a pooler's session has it after another's transaction, is
no uuid: the statement is refused. ``foundation.scope`` always sets it.
"""
_WALL: Final = (
    "alter table {table} enable row level security",
    "alter table {table} force row level security",
    "create policy {tenant_policy} on {table} to {app} using ({mine}) with check ({mine})",
    "create policy {system_policy} on {table} to {system} using (true) with check (true)",
)
_LOOKUP: Final = (
    "create function public.{name}({takes}) returns {returns} language sql stable security definer"
    " set search_path = pg_catalog, pg_temp as $lookup$ {body} $lookup$",
    "revoke all on function public.{name}({takes}) from public",
    "grant execute on function public.{name}({takes}) to {app}",
    # Who is to own a function needs the right to make one; the system's role has it no longer than that.
    "grant create on schema public to {system}",
    "alter function public.{name}({takes}) owner to {system}",
    "revoke create on schema public from {system}",
)
_OPENING: Final = (
    "drop policy {system_policy} on {table}",
    "drop policy {tenant_policy} on {table}",
    "alter table {table} no force row level security",
    "alter table {table} disable row level security",
)


def roles() -> RunPython:
    """Return the operation that makes the two roles policies name, as ``manage.py ensure_roles`` does.

    Needs CREATEROLE, or another's help with ``ensure_roles``, only while a role is absent.
    """
    return RunPython(_ensure_roles, RunPython.noop)


def walled(table: str, *, by: str = OWNED_BY) -> RunSQL:
    """Return the operation that puts a table of tenants behind the wall, for its owner as well.

    The application's role sees and writes the rows of the tenant in scope, the system's role all rows, any other none.
    A row without a tenant (null) is the installation's: only the system's role sees it.

    Args:
        table: Its name in the database.
        by: The column that says whose a row is.
    """
    return RunSQL(_written(_WALL, table, by), _written(_OPENING, table, by))


def wall_statements(table: str, *, by: str = OWNED_BY) -> tuple[str, ...]:
    """Return the statements of ``walled``, for those who put up again what they have taken down."""
    return _written(_WALL, table, by)


def lookup(name: str, *, takes: str, returns: str, body: str) -> RunSQL:
    """Return the operation that makes a look-up: a function the application's role may ask before a tenant is known.

    It runs as the system's role, which sees all rows, and its search path is pinned: nobody can put another table or
    operator in the way. So it is to return no more than it must.

    Args:
        name: Of the function.
        takes: Its arguments with their types, as SQL.
        returns: The type it returns, as SQL.
        body: A query. Tables are named with their schema.
    """
    names = {"name": name, "takes": takes, "returns": returns, "body": body, "app": APP_ROLE, "system": SYSTEM_ROLE}
    return RunSQL([each.format(**names) for each in _LOOKUP], f"drop function public.{name}({takes})")


def _written(statements: tuple[str, ...], table: str, by: str) -> tuple[str, ...]:
    names = {"app": APP_ROLE, "system": SYSTEM_ROLE, "tenant_policy": TENANT_POLICY, "system_policy": SYSTEM_POLICY}
    return tuple(statement.format(table=table, mine=f"{by} = {_TENANT}", **names) for statement in statements)


def _ensure_roles(_apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    ensure_roles()
