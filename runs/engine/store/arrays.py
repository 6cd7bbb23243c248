"""Columns of rows as arrays in Postgres's binary form; psycopg writes lists too, at several calls for each value."""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final, TypeAlias

from psycopg import adapters
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER: Final = Struct(">iiiii")
"""Dimensions, whether there are nulls, the type of the values, how many, the first one's index."""
_NO_VALUES: Final = Struct(">iii")
_LENGTH: Final = Struct(">i")
_INT: Final = Struct(">ii")
_BIGINT: Final = Struct(">iq")
_FLOAT: Final = Struct(">id")
_BOOL: Final = Struct(">i?")
_NULL: Final = _LENGTH.pack(-1)
_UUID_LENGTH: Final = _LENGTH.pack(16)


class PackedArray(bytes):
    """An array as Postgres reads it. Its type is the one that the statement casts it to."""


class _PackedArrayDumper(Dumper):
    """Sends it as it is."""

    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer | None:
        return obj  # type: ignore[no-any-return]  # only PackedArray comes here


adapters.register_dumper(PackedArray, _PackedArrayDumper)

Packer: TypeAlias = Callable[[Sequence[Any]], PackedArray]
"""Packs one column, whose values may be None."""


def uuids(column: Sequence[Any]) -> PackedArray:
    """Pack as ``uuid[]``."""
    return _packed(2950, [_NULL if value is None else _UUID_LENGTH + value.bytes for value in column])


def ints(column: Sequence[Any]) -> PackedArray:
    """Pack as ``int[]``."""
    return _packed(23, [_NULL if value is None else _INT.pack(4, value) for value in column])


def bigints(column: Sequence[Any]) -> PackedArray:
    """Pack as ``bigint[]``."""
    return _packed(20, [_NULL if value is None else _BIGINT.pack(8, value) for value in column])


def floats(column: Sequence[Any]) -> PackedArray:
    """Pack as ``float8[]``."""
    return _packed(701, [_NULL if value is None else _FLOAT.pack(8, value) for value in column])


def bools(column: Sequence[Any]) -> PackedArray:
    """Pack as ``bool[]``."""
    return _packed(16, [_NULL if value is None else _BOOL.pack(1, value) for value in column])


def blobs(column: Sequence[Any]) -> PackedArray:
    """Pack as ``bytea[]``."""
    return _packed(17, [_NULL if value is None else _LENGTH.pack(len(value)) + value for value in column])


def texts(column: Sequence[Any]) -> PackedArray:
    """Pack as ``text[]``."""
    encoded = [None if value is None else value.encode() for value in column]
    return _packed(25, [_NULL if value is None else _LENGTH.pack(len(value)) + value for value in encoded])


def pack(columns: Sequence[Sequence[Any]], packers: Sequence[Packer]) -> list[PackedArray]:
    """Pack each column by its own packer."""
    return [packer(column) for packer, column in zip(packers, columns, strict=True)]


def _packed(oid: int, values: Sequence[bytes]) -> PackedArray:
    if not values:
        return PackedArray(_NO_VALUES.pack(0, 0, oid))
    return PackedArray(_HEADER.pack(1, _NULL in values, oid, len(values), 1) + b"".join(values))
