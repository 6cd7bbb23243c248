"""Connections of the engine to Postgres, and the role every transaction runs as."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeAlias

from django.conf import settings
from django.db import connections
from psycopg import Connection
from psycopg.conninfo import make_conninfo

BECOME_SYSTEM: LiteralString = "set local role llmteam_system"
# A pooler keeps no settings of a session, so each transaction brings them along.
BECOME_SYSTEM_POOLED: LiteralString = """
select set_config('role', 'llmteam_system', true), set_config('timezone', 'UTC', true),
  set_config('lock_timeout', %s, true), set_config('idle_in_transaction_session_timeout', %s, true)
"""
CONNECT_SECONDS = 5
LOCK_SECONDS = 5
KEEPALIVES: Final[Mapping[str, int]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
SESSION_KEEPALIVES: Final[Mapping[str, int]] = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}
"""Of connections whose end says something about the other side: it is known within 5 s."""

Database: TypeAlias = Connection[tuple[Any, ...]]


def conninfo(purpose: str) -> str:
    """Write where Django's database is, as libpq reads it.

    A transaction a stopped process left open is ended by the server after one lease, so that its locks never keep
    the next owner of a run waiting. A pooler refuses settings at the start: there each transaction makes them.
    """
    started_with = {} if settings.DATABASE_POOLED else {"options": _options(_timeouts())}
    return _conninfo(connections["default"].settings_dict, purpose, **started_with, **KEEPALIVES)


def has_sessions() -> bool:
    """Whether there is a way to the database on which a session lasts, and not only a pooler's."""
    return settings.DATABASE_DIRECT is not None or not settings.DATABASE_POOLED


def connect(purpose: str) -> Database:
    """Open one connection in autocommit mode, for a thread of its own; transactions are opened by ``transaction``."""
    return Connection.connect(conninfo(purpose), autocommit=True, prepare_threshold=_prepare_threshold())


def connect_session(purpose: str) -> Database:
    """Open one connection for a thread of its own, past any pooler.

    Both sides notice within 5 s when the other's machine is gone. Only where ``has_sessions``.
    """
    database = settings.DATABASE_DIRECT or connections["default"].settings_dict
    seen_by_server = {
        "tcp_keepalives_idle": "2",
        "tcp_keepalives_interval": "1",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "5000",
    }
    options = _options({**_timeouts(), **seen_by_server})
    return Connection.connect(
        _conninfo(database, purpose, options=options, **SESSION_KEEPALIVES), autocommit=True, prepare_threshold=1
    )


@contextmanager
def transaction(connection: Database) -> Iterator[None]:
    """Open a transaction as the system's role, which sees every tenant."""
    with connection.transaction():
        if settings.DATABASE_POOLED:
            connection.execute(BECOME_SYSTEM_POOLED, _pooled_timeouts())
        else:
            connection.execute(BECOME_SYSTEM)
        yield


def columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Turn rows into the columns the statements take."""
    return [list(column) for column in zip(*rows, strict=True)]


def _conninfo(database: Mapping[str, Any], purpose: str, **more: Any) -> str:
    return make_conninfo(
        **database.get("OPTIONS", {}),
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        host=database["HOST"],
        port=database["PORT"],
        connect_timeout=CONNECT_SECONDS,
        application_name=f"llmteam {purpose}",
        **more,
    )


def _timeouts() -> dict[str, str]:
    return {
        "idle_in_transaction_session_timeout": str(int(settings.WORKER_LEASE_SECONDS * 1000)),
        "lock_timeout": str(LOCK_SECONDS * 1000),
        "timezone": "UTC",
    }


def _options(facts: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in facts.items())


def _pooled_timeouts() -> list[str]:
    timeouts = _timeouts()
    return [timeouts["lock_timeout"], timeouts["idle_in_transaction_session_timeout"]]


def _prepare_threshold() -> int | None:
    """After how many uses a statement is prepared: at once, save behind a pooler, where the next session lacks it."""
    return None if settings.DATABASE_POOLED else 1
