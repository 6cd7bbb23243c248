"""How the engine reaches Postgres: where it is, and the role every transaction runs as."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString, TypeAlias

from django.conf import settings
from django.db import connections
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

BECOME_SYSTEM: LiteralString = "set local role llmteam_system"
CONNECT_SECONDS = 5
LOCK_SECONDS = 5

AsyncDatabase: TypeAlias = AsyncConnection[tuple[Any, ...]]
Database: TypeAlias = Connection[tuple[Any, ...]]
Pool: TypeAlias = AsyncConnectionPool[AsyncDatabase]


def conninfo(purpose: str) -> str:
    """Write where Django's database is, as libpq reads it.

    A transaction a stopped process left open is ended by the server after one lease, so that its locks never keep
    the next owner of a run waiting.
    """
    told: dict[str, Any] = connections["default"].settings_dict
    lease_milliseconds = int(settings.WORKER_LEASE_SECONDS * 1000)
    return make_conninfo(
        dbname=told["NAME"],
        user=told["USER"],
        password=told["PASSWORD"],
        host=told["HOST"],
        port=told["PORT"],
        connect_timeout=CONNECT_SECONDS,
        application_name=f"llmteam {purpose}",
        options=(
            f"-c idle_in_transaction_session_timeout={lease_milliseconds}"
            f" -c lock_timeout={LOCK_SECONDS * 1000} -c timezone=UTC"
        ),
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=15_000,
        **{key: value for key, value in told.get("OPTIONS", {}).items() if key.startswith("ssl")},
    )


async def connect(purpose: str) -> AsyncDatabase:
    """Open one connection in autocommit mode; transactions are opened by ``transaction``."""
    return await AsyncConnection.connect(conninfo(purpose), autocommit=True, prepare_threshold=1)


def connect_blocking(purpose: str) -> Database:
    """Open one connection for a thread of its own."""
    return Connection.connect(conninfo(purpose), autocommit=True, prepare_threshold=1)


def build_pool(purpose: str, *, size: int) -> Pool:
    """Prepare a pool; the caller opens and closes it."""
    return AsyncConnectionPool(
        conninfo(purpose),
        min_size=1,
        max_size=size,
        open=False,
        timeout=CONNECT_SECONDS,
        reconnect_timeout=0,
        kwargs={"autocommit": True, "prepare_threshold": 1},
    )


@asynccontextmanager
async def transaction(connection: AsyncDatabase) -> AsyncIterator[None]:
    """Open a transaction as the system's role, which sees every tenant."""
    async with connection.transaction():
        await connection.execute(BECOME_SYSTEM)
        yield


@contextmanager
def transaction_blocking(connection: Database) -> Iterator[None]:
    """As ``transaction``, for a thread."""
    with connection.transaction():
        connection.execute(BECOME_SYSTEM)
        yield


def columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Turn rows into the columns the statements take."""
    return [list(column) for column in zip(*rows, strict=True)]
