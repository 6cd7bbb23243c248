"""Health checks of the parts a web process needs."""

from collections.abc import Callable, Iterator

import redis
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, models
from django.db.migrations.executor import MigrationExecutor

from foundation.scope import APP_ROLE, SYSTEM_ROLE, unscoped
from llmteam.web.probes import DEGRADED, PartStates
from tenants.database_roles import right_to_become
from tenants.sealing import SealedField, unusable_keys
from tenants.walls.selectors import coverage_of_walls

PROBE_SECONDS = 1.0
NEWEST_ROWS = 200
"""Of each kind of secret so many are looked at: keys that were dropped too early, or never given, show there."""


def check_parts() -> PartStates:
    """Tell of each part whether it is ``ok`` or what it is instead. Blocks; keeps no connection.

    ``away``: it does not answer. ``behind``: ``manage.py migrate`` or ``ensure_roles`` is to be run. ``wrong``: secrets
    are stored under keys that SECRET_KEYS has not. ``open``: something lets the login past the wall between tenants.
    ``degraded``: it is away, and there is a way without it.
    """
    try:
        parts = {name: _state(probe) for name, probe in _PROBES.items()}
        return PartStates({**parts, **(found := _walls()).parts}, found.figures)
    finally:
        connection.close()


def _walls() -> PartStates:
    try:
        coverage = coverage_of_walls()
    except (DatabaseError, InterfaceError, OSError):
        return PartStates({"walls": "away"})
    figures = {"tables_with_tenant": len(coverage.tables), "tables_with_policy": coverage.covered}
    return PartStates({"walls": "open" if coverage.faults() else "ok"}, figures)


def _state(probe: Callable[[], str]) -> str:
    try:
        return probe()
    except (DatabaseError, InterfaceError, OSError):
        return "away"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('transaction_read_only')")
        return "ok" if cursor.fetchone() == ("off",) else "away"


def _migrations() -> str:
    with unscoped("migrations are of the installation"):
        executor = MigrationExecutor(connection)
        return "behind" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"


def _roles() -> str:
    """Ask for the roles' names first: of a role that is not there nobody can be a member."""
    with connection.cursor() as cursor:
        cursor.execute("select rolname from pg_roles where rolname = any(%s)", [[APP_ROLE, SYSTEM_ROLE]])
        if len(cursor.fetchall()) < 2:
            return "behind"
        become = right_to_become()
        cursor.execute("select pg_has_role(%s, %s) and pg_has_role(%s, %s)", [APP_ROLE, become, SYSTEM_ROLE, become])
        return "ok" if cursor.fetchone() == (True,) else "behind"


def _keys() -> str:
    with unscoped("keys seal secrets of all tenants"):
        return "wrong" if any(unusable_keys(rows, field) for rows, field in _sealed()) else "ok"


def _sealed() -> Iterator[tuple[list[models.Model], str]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:  # noqa: SLF001 - Django's documented way
            if isinstance(field, SealedField):
                rows = model._default_manager.exclude(**{field.name: ""}).order_by("-pk")  # noqa: SLF001 - as above
                yield list(rows[:NEWEST_ROWS]), field.name


def _redis() -> str:
    try:
        return "ok" if _ping() else DEGRADED
    except redis.RedisError:
        return DEGRADED


def _ping() -> bool:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS
    ) as client:
        return bool(client.ping())


_PROBES = {"database": _database, "migrations": _migrations, "roles": _roles, "keys": _keys, "redis": _redis}
