"""The two database roles the platform works as, next to the login that owns the tables."""

from django.db import connection, transaction
from psycopg import sql

from foundation.scope import APP_ROLE, SYSTEM_ROLE

_CREATE = sql.SQL(
    # Another process may create the role between the look and the act; roles are the server's, not the database's.
    "do $$ begin if not exists (select from pg_roles where rolname = {name}) then create role {role} nologin; end if;"
    " exception when duplicate_object or unique_violation then null; end $$"
)
# Who is a member already may not grant the membership again, unless it may grant it to anybody.
_IS_MEMBER = "select pg_has_role(coalesce(%s, current_user), %s, 'member')"
_JOIN = sql.SQL("grant {role} to {login}")
_GRANTS = (
    "grant usage on schema public to {role}",
    "grant select, insert, update, delete on all tables in schema public to {role}",
    "grant usage, select on all sequences in schema public to {role}",
    "alter default privileges in schema public grant select, insert, update, delete on tables to {role}",
    "alter default privileges in schema public grant usage, select on sequences to {role}",
)


def ensure_roles(*, login: str | None = None) -> None:
    """Create the roles where absent and give them their rights on all present and future tables.

    May be repeated. Run it as the login that owns the tables, after ``migrate``; needs CREATEROLE, or another's help,
    only while a role is absent or the login no member of it, so it works on a managed Postgres. Rights on future tables
    hold for tables this login makes.

    Args:
        login: The login the platform connects as, when it is not the one that owns the tables.
    """
    member = sql.Identifier(login) if login else sql.SQL("current_user")
    with transaction.atomic(), connection.cursor() as cursor:
        for name in (APP_ROLE, SYSTEM_ROLE):
            role = sql.Identifier(name)
            cursor.execute(_CREATE.format(name=sql.Literal(name), role=role))
            cursor.execute(_IS_MEMBER, [login, name])
            if cursor.fetchone() != (True,):
                cursor.execute(_JOIN.format(role=role, login=member))
            for grant in _GRANTS:
                cursor.execute(sql.SQL(grant).format(role=role))
