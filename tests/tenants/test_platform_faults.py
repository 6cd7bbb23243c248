"""Which errors are the platform's own, and which are not."""

import errno

import django.db
import psycopg
import pytest
import redis
from psycopg import errors
from psycopg_pool import PoolTimeout

from foundation.platform_faults import platform_fault
from kernel.crypto import SealBroken


def wrapped(error: psycopg.Error) -> Exception:
    """As Django raises it."""
    raised = django.db.InternalError(str(error))
    raised.__cause__ = error
    return raised


@pytest.mark.parametrize(
    "sqlstate",
    [
        *("08000", "08003", "08006", "08P01", "25006", "25P02", "25P03", "26000", "28000", "3D000", "40001", "40P01"),
        *("42P01", "42703", "42501", "42P05", "53100", "53200", "53300", "55P03", "57014", "57P01", "57P02", "57P03"),
        *("57P05", "58030", "XX000", "XX001"),
    ],
)
def test_whatever_postgres_or_a_pooler_says_of_itself_is_the_database_s(sqlstate: str) -> None:
    error = errors.lookup(sqlstate)("said")
    assert platform_fault(error) == "database"
    assert platform_fault(wrapped(error)) == "database"


@pytest.mark.parametrize("sqlstate", ["22001", "22P02", "22012", "23505", "23503", "0A000", "42601"])
def test_what_it_says_of_a_value_or_a_statement_is_its_sender_s(sqlstate: str) -> None:
    error = errors.lookup(sqlstate)("said")
    assert platform_fault(error) is None
    assert platform_fault(wrapped(error)) is None


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), "database"),
        (psycopg.InterfaceError("the connection is closed"), "database"),
        (PoolTimeout("couldn't get a connection"), "database"),
        (django.db.OperationalError("no cause"), "database"),
        (django.db.InterfaceError("connection already closed"), "database"),
        (redis.ConnectionError("refused"), "redis"),
        (redis.exceptions.ReadOnlyError("a replica"), "redis"),
        (SealBroken("the key '1' is not on the ring"), "keys"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.EMFILE, "Too many open files"), "disk"),
        (MemoryError(), "memory"),
        (OSError(errno.ECONNREFUSED, "refused"), None),
        (ValueError("a bug"), None),
        (django.db.DatabaseError("no cause"), None),
    ],
)
def test_so_are_redis_keys_disk_and_memory(error: BaseException, part: str | None) -> None:
    assert platform_fault(error) == part
