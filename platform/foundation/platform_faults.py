"""Faults of the platform itself: of its database, Redis, keys, disk or memory, and never of what a tenant asked for."""

import errno
from collections.abc import Iterator
from typing import Final

import psycopg
import redis
from django.db import InterfaceError, OperationalError

from kernel.crypto import SealBroken

DATABASE: Final = "database"
REDIS: Final = "redis"
KEYS: Final = "keys"
DISK: Final = "disk"
MEMORY: Final = "memory"

_OF_THE_STATEMENT: Final = (psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError)
"""Errors by which Postgres refuses values and statements: whoever sent them made a mistake."""
_OF_THE_SCHEMA: Final = frozenset({"42P01", "42703", "42883", "42704", "42501", "3D000", "3F000"})
"""Tables, columns, functions, objects, rights, databases, schemas that are missing: migrations or roles are behind."""
_OF_A_POOLER: Final = frozenset({"26000", "42P05"})
"""Prepared statements that are gone, or there already: the session is another one than it was."""
_OF_THE_MACHINE: Final = {
    errno.ENOSPC: DISK,
    errno.EDQUOT: DISK,
    errno.EROFS: DISK,
    errno.EIO: DISK,
    errno.EMFILE: DISK,
    errno.ENFILE: DISK,
    errno.ENOMEM: MEMORY,
}
_BY_KIND: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (OperationalError, DATABASE),
    (InterfaceError, DATABASE),
    (redis.RedisError, REDIS),
    (SealBroken, KEYS),
    (MemoryError, MEMORY),
)


def platform_fault(error: BaseException) -> str | None:
    """Say which part of the platform an error comes from; None where it is none of these.

    Looks at the causes too: Django wraps what the database's driver raises.
    """
    return next((found for each in _causes(error) if (found := _fault(each)) is not None), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _fault(error: BaseException) -> str | None:
    if isinstance(error, psycopg.Error):
        return DATABASE if _is_of_the_database(error) else None
    if isinstance(error, OSError):
        return _OF_THE_MACHINE.get(error.errno or 0)
    return next((part for kind, part in _BY_KIND if isinstance(error, kind)), None)


def _is_of_the_database(error: psycopg.Error) -> bool:
    if isinstance(error, psycopg.ProgrammingError):
        return error.sqlstate in _OF_THE_SCHEMA | _OF_A_POOLER
    return not isinstance(error, _OF_THE_STATEMENT)
