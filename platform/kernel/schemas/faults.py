"""Faults of a JSON Schema: the parts whose form the standard does not allow."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from kernel.types import Json
from kernel.values import dump_json

TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
MAX_FAULTS: Final = 50
_MAX_LOOKED_AT: Final = 1_000
"""The library tells one fault several times, once for each vocabulary."""
_META: Final = "https://json-schema.org/draft/2020-12/schema"
_SCHEMA_KINDS: Final = ["boolean", "object"]


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One place where a value breaks the rules of schemas.

    Attributes:
        message: A sentence.
        path: The place.
        word: What stands there for a type, where it is none.
        is_for_schema: Whether a schema has to stand there.
    """

    message: str
    path: tuple[str | int, ...]
    word: str | None = None
    is_for_schema: bool = False


def schema_faults(schema: Mapping[str, Json]) -> list[SchemaFault]:
    """Say all that keeps a value from being a schema, and where; at most 50 things, each once."""
    errors = islice(_meta().iter_errors(schema), _MAX_LOOKED_AT)
    return list(islice(dict.fromkeys(fault for error in errors for fault in _faults(error)), MAX_FAULTS))


def _faults(error: jsonschema_rs.ValidationError) -> Iterator[SchemaFault]:
    """Say of types which are none; the library names only the keyword that lists them."""
    kind: Any = error.kind
    found: Any = error.instance
    path = tuple(error.instance_path)
    if kind.name == "anyOf" and path[-1:] == ("type",):
        yield from _of_types(found, path)
    elif kind.name == "type" and sorted(kind.types) == _SCHEMA_KINDS:
        yield SchemaFault(f"{dump_json(found)} is not a schema.", path, is_for_schema=True)
    else:
        yield SchemaFault(error.message, path)


def _of_types(found: Any, path: tuple[str | int, ...]) -> Iterator[SchemaFault]:
    if not isinstance(found, list):
        yield _of_type(found, path)
        return
    wrong = [index for index, item in enumerate(found) if item not in TYPES]
    yield from (_of_type(found[index], (*path, index)) for index in wrong)
    if not wrong:
        yield SchemaFault("A list of types names one at least." if not found else "A type is listed twice.", path)


def _of_type(found: Any, path: tuple[str | int, ...]) -> SchemaFault:
    word = found if isinstance(found, str) else None
    return SchemaFault(f"{dump_json(found)} is not a type; there are {', '.join(TYPES)}.", path, word)


@cache
def _meta() -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": _META}, offline=True)
