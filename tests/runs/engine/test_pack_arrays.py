"""Columns packed for Postgres arrive there as they are."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from runs.engine.store import arrays
from runs.engine.store.arrays import Packer
from runs.engine.store.connection import connect

CASES: list[tuple[Packer, LiteralString, list[Any]]] = [
    (arrays.uuids, "uuid[]", [uuid4(), UUID(int=0), UUID(int=2**128 - 1)]),
    (arrays.ints, "int[]", [0, 1, -1, 2**31 - 1, -(2**31)]),
    (arrays.bigints, "bigint[]", [0, -1, 2**63 - 1, -(2**63)]),
    (arrays.floats, "float8[]", [0.0, -1.5, 1764491234.567891, 1e308, float("inf")]),
    (arrays.bools, "bool[]", [True, False]),
    (arrays.blobs, "bytea[]", [b"", b"\0\xff", b"\xff\xff\xff\xff", b"x" * 100_000]),
    (arrays.texts, "text[]", ["", "a", 'say "é{}\\,NULL"', "NULL", "\U0001f600" * 1000]),
]


def stored(packer: Packer, type_name: LiteralString, column: Sequence[Any]) -> list[Any]:
    with connect("test") as connection:
        row = connection.execute(b"select %b::" + type_name.encode(), [packer(column)]).fetchone()
    assert row is not None
    return list(row[0])


@pytest.mark.django_db
@pytest.mark.parametrize(("packer", "type_name", "values"), CASES, ids=[case[1] for case in CASES])
def test_values_arrive_as_they_are(packer: Packer, type_name: LiteralString, values: list[Any]) -> None:
    assert stored(packer, type_name, values) == values
    assert stored(packer, type_name, [None, *values, None]) == [None, *values, None]
    assert stored(packer, type_name, [None]) == [None]
    assert stored(packer, type_name, []) == []


@pytest.mark.django_db
def test_what_postgres_cannot_keep_is_refused_by_postgres() -> None:
    assert stored(arrays.texts, "text[]", ["a"]) == ["a"]
    with pytest.raises(psycopg.DataError):
        stored(arrays.texts, "text[]", ["\0"])


def test_a_column_for_each_packer() -> None:
    assert len(arrays.pack([[1], ["a"]], (arrays.ints, arrays.texts))) == 2
    with pytest.raises(ValueError, match="zip"):
        arrays.pack([[1]], (arrays.ints, arrays.texts))
