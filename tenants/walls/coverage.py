"""Coverage of the second wall: which tables of tenants stand behind policies, and what would let a login past them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from foundation.scope import APP_ROLE, SYSTEM_ROLE

OWNED_BY: Final = "tenant_id"
"""Column that makes a table one of tenants."""
TENANTS_TABLE: Final = "tenants_tenant"
"""The table whose rows are tenants: of it everybody sees one row, by its id."""

_LOGIN: Final = f"""
select session_user::text, rolsuper, rolbypassrls,
  exists (select from pg_roles role where role.rolname in ('{APP_ROLE}', '{SYSTEM_ROLE}')
    and pg_has_role(session_user, role.oid, 'usage')),
  array(select rolname::text from pg_roles
    where rolname in ('{APP_ROLE}', '{SYSTEM_ROLE}') and (rolsuper or rolbypassrls) order by 1)
from pg_roles where rolname = session_user
"""  # noqa: S608 - constants of ours
_TABLES: Final = f"""
select relation.relname::text, pg_has_role(session_user, relation.relowner, 'usage'),
  relation.relrowsecurity and relation.relforcerowsecurity, coalesce(policy.keeps, false)
from pg_class relation left join lateral (
  select bool_or(polpermissive and polcmd = '*') and bool_and(not polpermissive or (
    pg_get_expr(polqual, polrelid) like '%app.tenant%' and pg_get_expr(polwithcheck, polrelid) like '%app.tenant%'
  )) as keeps
  from pg_policy where polrelid = relation.oid and polroles && array[0::oid, to_regrole('{APP_ROLE}')::oid]
) policy on true
where relation.relnamespace = 'public'::regnamespace and relation.relkind in ('r', 'p') and (
  relation.relname = '{TENANTS_TABLE}' or exists (select from pg_attribute
    where attrelid = relation.oid and attname = '{OWNED_BY}' and not attisdropped)
)
order by 1
"""  # noqa: S608 - as above


class Cursor(Protocol):
    """A cursor, Django's or the driver's."""

    def execute(self, query: str) -> object:
        """Ask."""

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        """Return what was answered."""


@dataclass(frozen=True, slots=True)
class LoginRights:
    """Rights of the login of a connection.

    Attributes:
        name: The login.
        is_superuser: Row-level security never holds for it.
        bypasses: It never holds for it either.
        inherits: It has the rights of the two roles without becoming one of them: work that forgot its scope sees rows.
        bypassing_roles: Those of the two roles for whom row-level security does not hold.
    """

    name: str
    is_superuser: bool
    bypasses: bool
    inherits: bool
    bypassing_roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WalledTable:
    """A table of tenants.

    Attributes:
        name: The table.
        is_owned: The login is its owner, who could take the wall down.
        is_forced: Row-level security is enabled and forced.
        has_policy: The application's role has a policy, and none that lets it see more than the tenant in scope.
    """

    name: str
    is_owned: bool
    is_forced: bool
    has_policy: bool

    @property
    def stands(self) -> bool:
        """Whether the wall stands around it."""
        return self.is_forced and self.has_policy


@dataclass(frozen=True, slots=True)
class Coverage:
    """Tables of tenants as one login finds them."""

    login: LoginRights
    tables: tuple[WalledTable, ...]

    @property
    def covered(self) -> int:
        """Number of tables that stand behind a policy."""
        return sum(table.stands for table in self.tables)

    def faults(self) -> list[str]:
        """Say what lets the login past the wall, a sentence each; nothing where it stands."""
        return list(_faults_of_login(self.login)) + list(_faults_of_tables(self))


def read_coverage(cursor: Cursor) -> Coverage:
    """Read the login's rights and the tables' policies from the catalog, which every login may read."""
    cursor.execute(_LOGIN)
    ((name, is_superuser, bypasses, inherits, bypassing),) = cursor.fetchall()
    cursor.execute(_TABLES)
    tables = tuple(WalledTable(*row) for row in cursor.fetchall())
    return Coverage(LoginRights(name, is_superuser, bypasses, inherits, tuple(bypassing)), tables)


def _faults_of_login(login: LoginRights) -> Iterator[str]:
    if login.is_superuser:
        yield f"the login {login.name} is a superuser, for whom row-level security does not hold"
        return
    if login.bypasses:
        yield f"the login {login.name} has BYPASSRLS; take it away: alter role {login.name} nobypassrls"
    for role in login.bypassing_roles:
        yield f"the role {role} is a superuser or has BYPASSRLS; take it away"
    if login.inherits:
        yield (
            f"the login {login.name} has the rights of {APP_ROLE} or {SYSTEM_ROLE} without becoming it;"
            f" run manage.py ensure_roles --login {login.name} as the owner of the tables"
        )


def _faults_of_tables(coverage: Coverage) -> Iterator[str]:
    def named(is_wrong: Callable[[WalledTable], bool]) -> str:
        return ", ".join(table.name for table in coverage.tables if is_wrong(table))

    if not coverage.login.is_superuser and (owned := named(lambda table: table.is_owned)):
        yield f"the login {coverage.login.name} owns tables of tenants, and needs one that owns none: {owned}"
    if unforced := named(lambda table: not table.is_forced):
        yield f"row-level security is not enabled and forced on tables of tenants: {unforced}"
    if unkept := named(lambda table: table.is_forced and not table.has_policy):
        yield f"tables of tenants have no policy that keeps {APP_ROLE} to its tenant: {unkept}"
