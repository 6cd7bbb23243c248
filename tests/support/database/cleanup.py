"""Emptying of the test database between tests that commit."""

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

from django.core.management import CommandError
from django.core.management.commands import flush
from django.db import OperationalError, connection, transaction
from psycopg import sql

from audit.known_sources import forget_all_sources

TRIES = 5
FEW_ROWS = 300
"""Fewer are deleted, which makes no new files, as truncating does for each table and index."""
KEPT = ("django_content_type", "auth_permission")
"""Made by migrating, the same for every test: made anew only where a test has changed them."""


def empty_quickly(monkeypatch: Any) -> None:
    """Have what Django empties the database with look first at what there is to empty."""
    monkeypatch.setattr(flush.Command, "handle", _Emptying(flush.Command.handle))


class _Emptying:
    """Stands in for the command's work; one for the session."""

    def __init__(self, thoroughly: Any) -> None:
        self._thoroughly = partial(thoroughly, flush.Command())
        self._kept = _fingerprints()

    def __call__(self, **options: Any) -> None:
        """Empty every table, again where the last request of a server that a test has stopped stood in the way."""
        for number in range(1, TRIES + 1):
            try:
                self._empty(options)
                forget_all_sources()
            except (OperationalError, CommandError) as error:
                if "deadlock" not in str(error.__cause__ or error) or number == TRIES:
                    raise
            else:
                return

    def _empty(self, options: dict[str, Any]) -> None:
        tables = _tables()
        with transaction.atomic(), connection.cursor() as cursor:
            # Waits for whoever still writes: nothing is committed behind the look.
            cursor.execute(sql.SQL("lock table {} in share row exclusive mode").format(_list(tables)))
            cursor.execute(_look(tables))
            found = dict(cursor.fetchall())
            kept = _fingerprints()
            if kept == self._kept and not any(found.values()):
                # Rows of the audit are inserted only: their triggers would refuse.
                cursor.execute("set local session_replication_role = replica")
                for table in found:
                    cursor.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))
                return
        self._thoroughly(**options)
        self._kept = _fingerprints()


@cache
def _tables() -> tuple[str, ...]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(names) - set(KEPT)))


def _list(tables: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, tables))


@cache
def _look(tables: tuple[str, ...]) -> sql.Composable:
    """Ask for the tables with rows, and whether they are many."""
    one = "select {name}, exists (select from {table} offset {few}) where exists (select from {table})"
    asked = (
        sql.SQL(one).format(name=sql.Literal(table), table=sql.Identifier(table), few=sql.Literal(FEW_ROWS))
        for table in tables
    )
    return sql.SQL(" union all ").join(asked)


def _fingerprints() -> list[Any]:
    """Tell any row that was added, changed or removed: each has the number of the transaction that wrote it."""
    one = sql.SQL("select count(*), sum(id), sum(xmin::text::bigint) from {}")
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" union all ").join(one.format(sql.Identifier(table)) for table in KEPT))
        return cursor.fetchall()
