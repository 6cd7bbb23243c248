"""Validation of a run's input and of models' answers against the schemas of a segment."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from kernel.errors import ErrorItem
from kernel.schemas import SchemaUnusable, Violation, judging, quick_violations, violations_in, violations_in_async
from kernel.types import Json
from kernel.values import pointer_of
from runs.errors import InputRefused, InputSchemaUnusable

MAX_NAMED = 20


class SlowToValidate(Exception):
    """Validation of the input may take seconds, and a transaction is open."""


def check_input(tenant: Hashable, value: Json, *, schema: Mapping[str, Json]) -> None:
    """Check a value; references inside the schema work, nothing outside of it is ever fetched.

    May take seconds, so it is never called in a transaction.

    Raises:
        InputRefused: The value does not fit; up to 50 findings with pointers into ``/input``.
        InputSchemaUnusable: The schema is none, or refers outside of itself.
        ComputeLimit: The value and the schema are too large for each other; other errors of the compute pool as well.
    """
    with _schema_errors_translated(), judging("the input by the segment's `input_schema`", "/input"):
        _refuse(violations_in(tenant, value, schema))


def check_input_quickly(value: Json, *, schema: Mapping[str, Json]) -> None:
    """Check a value in milliseconds.

    Raises:
        SlowToValidate: It may take longer.
        InputRefused: As ``check_input``; ``InputSchemaUnusable`` as well.
    """
    with _schema_errors_translated():
        found = quick_violations(value, schema)
    if found is None:
        raise SlowToValidate
    _refuse(found)


async def violations(tenant: Hashable, value: Json, schema: Mapping[str, Json]) -> list[ErrorItem]:
    """Tell where a value does not fit a schema that was checked when it was saved, at most 50 places.

    Raises:
        ComputeLimit: As ``check_input``; other errors of the compute pool as well.
    """
    return as_items(await violations_in_async(tenant, value, schema))


def as_items(found: Iterable[Violation]) -> list[ErrorItem]:
    """Write what does not fit as findings, with pointers into the value."""
    return _items(found, below=())


@contextmanager
def _schema_errors_translated() -> Iterator[None]:
    try:
        yield
    except SchemaUnusable as error:
        raise InputSchemaUnusable("The segment's input_schema cannot be applied.") from error


def _refuse(found: Sequence[Violation]) -> None:
    if found:
        raise InputRefused(errors=_items(found, below=("input",)))


def _items(found: Iterable[Violation], *, below: tuple[str, ...]) -> list[ErrorItem]:
    """Write findings; what is missing of one object is one finding."""
    return [_item(list(alike), below) for _, alike in groupby(found, key=_together)]


def _together(violation: Violation) -> tuple[object, ...]:
    return violation.path, violation.keyword, None if violation.keyword == "required" else violation.bound


def _item(alike: list[Violation], below: tuple[str, ...]) -> ErrorItem:
    first = alike[0]
    detail = first.sentence
    if len(alike) > 1:
        detail = "Members are missing: " + ", ".join(f"`{violation.bound}`" for violation in alike[:MAX_NAMED]) + "."
    code = "INPUT_" + first.keyword.upper()
    return ErrorItem(code=code, detail=detail, pointer=pointer_of([*below, *first.path]))
