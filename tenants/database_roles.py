"""The two database roles the platform works as, next to the login that owns the tables and the one of our processes."""

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from foundation.scope import APP_ROLE, SYSTEM_ROLE

_CREATE = sql.SQL(
    # Another process may create the role between the look and the act; roles are the server's, not the database's.
    "do $$ begin if not exists (select from pg_roles where rolname = {name}) then create role {role} nologin; end if;"
    " exception when duplicate_object or unique_violation then null; end $$"
)
_GRANTS = (
    "grant usage on schema public to {role}",
    "grant select, insert, update, delete on all tables in schema public to {role}",
    "grant usage, select on all sequences in schema public to {role}",
    "alter default privileges in schema public grant select, insert, update, delete on tables to {role}",
    "alter default privileges in schema public grant usage, select on sequences to {role}",
)
_INHERITS_BY_GRANT = 160_000
"""Version of Postgres since when a membership says whether it is inherited, and before which the member's role does."""


def ensure_roles(*, login: str | None = None) -> None:
    """Create the roles where absent and give them their rights on all present and future tables.

    May be repeated. Run it as the login that owns the tables, after ``migrate``; needs CREATEROLE, or another's help,
    only while a role is absent or the login no member of it, so it works on a managed Postgres. Rights on future tables
    hold for tables this login makes.

    Args:
        login: The login the platform's processes connect as, when it is not the one that owns the tables. It may become
            each role, and has no right of it before.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        for name in (APP_ROLE, SYSTEM_ROLE):
            role = sql.Identifier(name)
            cursor.execute(_CREATE.format(name=sql.Literal(name), role=role))
            _let_become(cursor, name, login)
            for grant in _GRANTS:
                cursor.execute(sql.SQL(grant).format(role=role))


def right_to_become() -> str:
    """Return the word for the right to become a role, as ``pg_has_role`` knows it in this version of Postgres."""
    return "set" if _inherits_by_grant() else "member"


def _inherits_by_grant() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('server_version_num')::int")
        (version,) = cursor.fetchone()
    return bool(version >= _INHERITS_BY_GRANT)


def _let_become(cursor: CursorWrapper, name: str, login: str | None) -> None:
    """Make a login, or the one that is connected, a member of a role, unless it is one as it should be.

    Who is a member already may not grant the membership again, unless it may grant it to anybody.
    """
    by_grant = _inherits_by_grant()
    cursor.execute(
        "select pg_has_role(coalesce(%s, current_user), %s, %s), pg_has_role(coalesce(%s, current_user), %s, 'usage')",
        [login, name, right_to_become(), login, name],
    )
    may_become, inherits = cursor.fetchone()
    if may_become and not (login and inherits):
        return
    role, member = sql.Identifier(name), sql.Identifier(login) if login else sql.SQL("current_user")
    if login and inherits and not by_grant:
        cursor.execute(sql.SQL("alter role {member} noinherit").format(member=member))
    how = sql.SQL(" with inherit false, set true" if login and by_grant else "")
    cursor.execute(sql.SQL("grant {role} to {member}{how}").format(role=role, member=member, how=how))
