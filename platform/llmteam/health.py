"""Whether this process lives, and whether it can serve."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from tenants.context import unscoped

PROBE_SECONDS = 1.0


def alive(request: HttpRequest) -> JsonResponse:
    """Answer as long as the process serves at all; asks nobody."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, migrations and Redis are all there, else 503 and which are not."""
    parts = {name: _state(probe) for name, probe in _PROBES.items()}
    good = all(state == "ok" for state in parts.values())
    return JsonResponse({"status": "ok" if good else "unavailable", "parts": parts}, status=200 if good else 503)


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
