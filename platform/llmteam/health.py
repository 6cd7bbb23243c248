"""What a web process needs to serve, part by part."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor

from tenants.context import unscoped

PROBE_SECONDS = 1.0


def check_parts() -> dict[str, str]:
    """Tell of each part whether it is ``ok``, ``behind`` or ``away``. Blocks; keeps no connection."""
    try:
        return {name: _state(probe) for name, probe in _PROBES.items()}
    finally:
        connection.close()


def _state(probe: Callable[[], bool]) -> str:
    try:
        return "ok" if probe() else "behind"
    except (DatabaseError, InterfaceError, redis.RedisError, OSError):
        return "away"


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return True


def _migrations() -> bool:
    with unscoped("migrations belong to no tenant"):
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _redis() -> bool:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS
    ) as client:
        return bool(client.ping())


_PROBES = {"database": _database, "migrations": _migrations, "redis": _redis}
