"""Compiled schemas, and the ones used last."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from kernel.bounded_cache import BoundedCache
from kernel.schemas.weight import PATTERNS, keywords_of, weight_of
from kernel.types import Json
from kernel.values import dump_json

PATTERN_BYTES: Final = 128 * 1024
"""Of a compiled pattern, and of what its matching remembers: bounds the time each character takes."""

MAX_KEPT_BYTES: Final = 64 * 1024 * 1024
_BYTES_PER_CHARACTER: Final = 24  # of a compiled schema, by its text; measured
_TIME: Final = re.compile(
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?)?(?:Z|z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)


class SchemaUnusable(Exception):
    """The schema is none, or refers to something that is not in it."""


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A schema ready to be applied, and how many keywords look at one place of a value at most."""

    validator: jsonschema_rs.Validator
    weight: int


_kept: Final[BoundedCache[tuple[str, bool], CompiledSchema]] = BoundedCache(MAX_KEPT_BYTES)


def compiled(schema: Mapping[str, Json], *, formats: bool) -> CompiledSchema:
    """Compile a schema, once as long as it is in use.

    Args:
        schema: The schema. Its ``$schema`` says nothing: it is read as 2020-12.
        formats: Whether ``format`` is checked, or only says something.

    Raises:
        SchemaUnusable: It is not a schema, or refers outside of itself: nothing is ever fetched.
    """
    key = dump_json(dict(schema)), formats
    found = _kept.get(key)
    if found is None:
        without_draft = {name: value for name, value in schema.items() if name != "$schema"}
        found = CompiledSchema(_compile(without_draft, formats=formats), weight_of(schema))
        patterns = sum(keyword.name in PATTERNS for keyword in keywords_of(schema))
        _kept.put(key, found, weight=len(key[0]) * _BYTES_PER_CHARACTER + patterns * PATTERN_BYTES * 2)
    return found


def is_linear_pattern(pattern: str) -> bool:
    """Whether a text is a regular expression that is matched in linear time, and small when compiled.

    Look-around and back-references are not.
    """
    try:
        _compile({"pattern": pattern}, formats=False)
    except SchemaUnusable:
        return False
    return True


def _is_time(text: str) -> bool:
    """Whether a text is a time of day: with an offset, as RFC 3339 has it, or without, as pydantic and zod write it."""
    return _TIME.fullmatch(text) is not None


def _compile(schema: Any, *, formats: bool) -> jsonschema_rs.Validator:
    # Without `offline` the library would fetch references by itself, past the egress guard.
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=formats,
            formats={"time": _is_time},
            offline=True,
            mask="the value",
            pattern_options=jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaUnusable(str(error).partition("\n")[0]) from error
