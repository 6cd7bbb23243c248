"""Validation of a tenant's value by a schema: in place where that is quick, else in the compute pool."""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import orjson

from kernel.compute.errors import ComputeLimit
from kernel.compute.shared import compute_pool
from kernel.errors import ErrorItem
from kernel.schemas.compiled import SchemaUnusable
from kernel.schemas.violations import Violation, quick_violations, violations
from kernel.types import Json

FUNCTION: Final = "schema_violations"
"""Name of ``violations_in_bytes`` in the compute pool."""

_UNUSABLE: Final = "unusable"


@contextmanager
def judging(what: str, pointer: str | None = None) -> Iterator[None]:
    """Have a value that takes too much to be judged told with what it is, and where.

    Args:
        what: The value, and by which schema.
        pointer: Where it stands in what the caller sent.

    Raises:
        ComputeLimit: As the work within, with a finding.
    """
    try:
        yield
    except ComputeLimit as error:
        detail = f"Checking {what} takes too much: {error.detail}"
        raise ComputeLimit(detail, errors=[ErrorItem(code=error.code, detail=detail, pointer=pointer)]) from error


def violations_in(
    tenant: Hashable, value: Json, schema: Mapping[str, Json], *, formats: bool = False
) -> list[Violation]:
    """Tell where a value does not fit a schema, at most 50 places; for threads, which may wait here for seconds.

    Args:
        tenant: Whose work it is.
        value: The value.
        schema: A schema that was found good when it was saved.
        formats: Whether ``format`` counts.

    Raises:
        SchemaUnusable: The schema is none, or refers outside of itself.
        ComputeLimit: Judging the value takes more than a piece of work may take; other errors of the pool as well.
    """
    quick = quick_violations(value, schema, formats=formats)
    if quick is not None:
        return quick
    return _read(compute_pool().run_blocking(tenant, FUNCTION, _write(value, schema, formats)))


async def violations_in_async(
    tenant: Hashable, value: Json, schema: Mapping[str, Json], *, formats: bool = False
) -> list[Violation]:
    """Do the same while the event loop goes on; raises as ``violations_in``."""
    quick = quick_violations(value, schema, formats=formats)
    if quick is not None:
        return quick
    return _read(await compute_pool().run(tenant, FUNCTION, _write(value, schema, formats)))


def violations_in_bytes(payload: bytes) -> bytes:
    """Judge in a compute process."""
    value, schema, formats = orjson.loads(payload)
    try:
        found = violations(value, schema, formats=formats)
    except SchemaUnusable as error:
        return orjson.dumps({_UNUSABLE: str(error)})
    return orjson.dumps([[violation.keyword, violation.path, violation.bound] for violation in found])


def _write(value: Json, schema: Mapping[str, Json], formats: bool) -> bytes:
    return orjson.dumps([value, dict(schema), formats])


def _read(answer: bytes) -> list[Violation]:
    found: Any = orjson.loads(answer)
    if isinstance(found, dict):
        raise SchemaUnusable(found[_UNUSABLE])
    return [Violation(keyword, tuple(path), bound) for keyword, path, bound in found]
