"""Tenant scope: the tenant the present work is for, and the transaction that carries it to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from kernel.errors import LlmteamError

APP_ROLE: Final = "llmteam_app"
SYSTEM_ROLE: Final = "llmteam_system"
NOBODY: Final = str(UUID(int=0))
"""The tenant of work that precedes the tenant: no row has it."""


class NoTenantInScope(LlmteamError):
    """A tenant-owned table was read with no tenant in scope: a programming error, never a user's."""

    code = "NO_TENANT_IN_SCOPE"
    title = "No tenant in scope"


class _Everyone:
    """Marks a scope that sees every tenant's rows."""


_EVERYONE: Final = _Everyone()
_scope: ContextVar[UUID | _Everyone | None] = ContextVar("tenant_scope", default=None)


def scope_tenant_id() -> UUID | None:
    """Return the tenant in scope; None inside ``unscoped``.

    Raises:
        NoTenantInScope: Neither is open.
    """
    scope = _scope.get()
    if scope is None:
        raise NoTenantInScope
    return None if isinstance(scope, _Everyone) else scope


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[None]:
    """Open a transaction as the application's role, in which only this tenant's rows can be seen.

    Nests: an inner scope of the same tenant is a savepoint. The tenant is set for the database with
    ``SET LOCAL``, so it ends with the transaction.
    """
    with _scoped(tenant_id, role=APP_ROLE, tenant=str(tenant_id)):
        yield


@contextmanager
def reading_scope(tenant_id: UUID) -> Iterator[None]:
    """Be in a tenant's scope to read: joins an open one as it is, without a savepoint, else opens one.

    Not for writes that may fail and be survived: nothing is rolled back to where a joined scope began.
    """
    if connection.in_atomic_block and _scope.get() == tenant_id:
        yield
        return
    with tenant_scope(tenant_id):
        yield


@contextmanager
def unscoped(reason: str) -> Iterator[None]:
    """Open a transaction as the system's role, which sees every tenant. ``reason`` is for the reader of the code."""
    if not reason:
        raise ValueError("say why the work is for every tenant")
    with _scoped(_EVERYONE, role=SYSTEM_ROLE, tenant=""):
        yield


@contextmanager
def before_tenant() -> Iterator[None]:
    """Open a transaction as the application's role without a tenant: it sees no row of any, and may ask the look-ups.

    For what precedes the tenant: whose a key, a ticket or a provider is.
    """
    with _scoped(None, role=APP_ROLE, tenant=NOBODY):
        yield


@contextmanager
def _scoped(scope: UUID | _Everyone | None, *, role: str, tenant: str) -> Iterator[None]:
    if scope is not None and connection.in_atomic_block and _scope.get() == scope:
        with transaction.atomic():
            yield
        return
    token = _scope.set(scope)
    try:
        # Only a scope inside another transaction has something to give back: SET LOCAL ends with the outermost
        # transaction, and a rollback to a savepoint restores what it was, but releasing a savepoint does not.
        nested = connection.in_atomic_block
        with transaction.atomic(), connection.cursor() as cursor:
            outer = _settings(cursor) if nested else None
            _set(cursor, role, tenant)
            yield
            if outer is not None:
                _set(cursor, *outer)
    finally:
        _scope.reset(token)


def _settings(cursor: CursorWrapper) -> tuple[str, str]:
    cursor.execute("select current_setting('role'), coalesce(current_setting('app.tenant', true), '')")
    role, tenant = cursor.fetchone()
    return role, tenant


def _set(cursor: CursorWrapper, role: str, tenant: str) -> None:
    cursor.execute("select set_config('role', %s, true), set_config('app.tenant', %s, true)", [role, tenant])
