"""The two walls between tenants, taken down one at a time: the manager's filter, and row-level security."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from django.db import connection, models

from foundation.managers import TenantManager
from tenants.walls.selectors import coverage_of_walls

ONE_WALL: Final = ("policies alone", "manager alone")
CANARY: Final = "canary_of_globex"
"""Stands in all that globex has, and in nothing that acme may see."""


def open_managers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process's managers give the rows of all tenants."""
    monkeypatch.setattr(TenantManager, "get_queryset", models.Manager.get_queryset)


def open_policies() -> None:
    """Take row-level security from every table of tenants, for the test's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        for table in coverage_of_walls().tables:
            cursor.execute(f"alter table {table.name} disable row level security")


@contextmanager
def without_policies() -> Iterator[None]:
    """Take row-level security from every table of tenants, for other processes too, and put it up again."""
    names = [table.name for table in coverage_of_walls().tables]
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"alter table {name} disable row level security")
        try:
            yield
        finally:
            for name in names:
                cursor.execute(f"alter table {name} enable row level security")
