"""Violations: the places where a value does not fit a schema."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from operator import getitem
from typing import Any, Final

import jsonschema_rs
import orjson

from kernel.numbers import is_large_integer, is_large_number
from kernel.schemas.compiled import compiled
from kernel.types import Json
from kernel.values import size_of

MAX_VIOLATIONS: Final = 50
MAX_TOLD: Final = 1_000
"""As many broken rules are looked through for different ones."""
MAX_LARGE_NUMBERS: Final = 1_000
"""As many rules broken by numbers kept as text are looked through."""
MAX_SCHEMA: Final = 16 * 1024
"""Bytes of a schema that is compiled in place."""
MAX_WORK_AT_ONCE: Final = 1_000_000
"""Weight of the schema times bytes of the value, each about 10 ns: what may be judged in place."""
MAX_TOLD_AT_ONCE: Final = 10_000
"""As much of that, each about 2 µs where everything is wrong: what may be told in place."""

_SENTENCES: Final[Mapping[str, str]] = {
    "additionalProperties": "The schema does not allow this member.",
    "const": "This must be the one value that is allowed.",
    "enum": "This is not one of the allowed values.",
    "exclusiveMaximum": "This must be less than {bound}.",
    "exclusiveMinimum": "This must be more than {bound}.",
    "false": "No value is allowed here.",
    "format": "This is no {bound}.",
    "maxItems": "This may have at most {bound} entries.",
    "maxLength": "This may have at most {bound} characters.",
    "maximum": "This must be at most {bound}.",
    "minItems": "This needs at least {bound} entries.",
    "minLength": "This needs at least {bound} characters.",
    "minimum": "This must be at least {bound}.",
    "multipleOf": "This must be a multiple of {bound}.",
    "pattern": "This does not match the `pattern` of the schema.",
    "required": "The member `{bound}` is missing.",
    "uniqueItems": "No two entries may be equal.",
}
_LIMITS: Final = ("limit", "types", "property", "multiple_of", "format")


@dataclass(frozen=True, slots=True)
class Violation:
    """One place of a value that breaks a rule of its schema.

    Attributes:
        keyword: The rule; ``false`` where the schema allows nothing at all.
        path: Where in the value.
        bound: What the rule asks for, where a sentence can name it: a number, a format, the types; of ``required``
            the member that is missing.
    """

    keyword: str
    path: tuple[str | int, ...]
    bound: Json = None

    @property
    def sentence(self) -> str:
        """The rule in words; never the value, which may be large or private."""
        if self.keyword == "minLength" and self.bound == 1:
            return "This may not be empty."
        if self.keyword == "type" and isinstance(self.bound, list):
            return f"This must be of the type {' or '.join(sorted(map(str, self.bound)))}."
        written = _SENTENCES.get(self.keyword, "This does not satisfy `{keyword}` of the schema.")
        return written.format(keyword=self.keyword, bound=self.bound)


def violations(value: Json, schema: Mapping[str, Json], *, formats: bool = False) -> list[Violation]:
    """Tell where a value does not fit a schema, at most 50 places.

    The digits of a number beyond 2^53, which are kept as text, are a number where the schema asks for one.
    Every rule that is broken anywhere takes a few microseconds and a copy of the part of the value it is broken by,
    so of large schemas and values this takes long, and much memory.

    Args:
        value: The value.
        schema: A schema that was found good when it was saved.
        formats: Whether ``format`` counts.

    Raises:
        SchemaUnusable: The schema is none, or refers outside of itself.
    """
    validator = compiled(schema, formats=formats).validator
    return [] if validator.is_valid(value) else _found_violations(validator, value)


def quick_violations(value: Json, schema: Mapping[str, Json], *, formats: bool = False) -> list[Violation] | None:
    """Answer as ``violations`` does, where that takes milliseconds at most; else None."""
    if size_of(dict(schema)) > MAX_SCHEMA:
        return None
    ready = compiled(schema, formats=formats)
    work = ready.weight * size_of(value)
    if work > MAX_WORK_AT_ONCE:
        return None
    if ready.validator.is_valid(value):
        return []
    return _found_violations(ready.validator, value) if work <= MAX_TOLD_AT_ONCE else None


def _found_violations(validator: jsonschema_rs.Validator, value: Json) -> list[Violation]:
    value = _with_large_numbers(validator, value)
    found = (violation for error in validator.iter_errors(value) for violation in _violations(error))
    # Several rules may ask for the same: each of a thousand `dependentSchemas` for one member.
    different = {(one.path, one.keyword, repr(one.bound)): one for one in islice(found, MAX_TOLD)}
    return list(islice(different.values(), MAX_VIOLATIONS))


def _with_large_numbers(validator: jsonschema_rs.Validator, value: Json) -> Json:
    """Put numbers where the schema wants one and the value has, as text, one that is kept as its digits."""
    errors = islice(validator.iter_errors(value), MAX_LARGE_NUMBERS)
    paths = {path for error in errors for path in _misread(error)}
    if not paths:
        return value
    held: Any = [orjson.loads(orjson.dumps(value))]
    for path in paths:
        place = reduce(getitem, path[:-1], held[0]) if path else held
        key = path[-1] if path else 0
        place[key] = int(place[key]) if is_large_integer(place[key]) else float(place[key])
    copy: Json = held[0]
    return copy


def _misread(error: jsonschema_rs.ValidationError) -> Iterable[tuple[str | int, ...]]:
    """Say where a text stands for a number beyond 2^53, and the schema asks for one."""
    kind: Any = error.kind
    for branch in getattr(kind, "context", ()):
        for inner in branch:
            yield from _misread(inner)
    wanted = set(kind.types) if kind.name == "type" else set()
    if ("number" in wanted and is_large_number(error.instance)) or (
        "integer" in wanted and is_large_integer(error.instance)
    ):
        yield tuple(error.instance_path)


def _violations(error: jsonschema_rs.ValidationError) -> Iterable[Violation]:
    """Tell of a union what is wrong with the one of its schemas that was meant, where that is plain."""
    branches: Sequence[Any] = getattr(error.kind, "context", ())
    meant = [branch for branch in branches if not any(_is_of_another_kind(inner, error) for inner in branch)]
    if len(meant) != 1:
        yield _violation(error)
        return
    for inner in meant[0]:
        yield from _violations(inner)


def _is_of_another_kind(inner: jsonschema_rs.ValidationError, union: jsonschema_rs.ValidationError) -> bool:
    """Whether a schema of a union is for another type of value, or for objects marked by another constant."""
    keyword, depth = inner.schema_path[-1], len(inner.instance_path) - len(union.instance_path)
    return (keyword == "type" and depth == 0) or (keyword == "const" and depth <= 1)


def _violation(error: jsonschema_rs.ValidationError) -> Violation:
    kind: Any = error.kind
    path = tuple(error.instance_path)
    if kind.name == "falseSchema":
        return Violation("false", path)
    bound = next((getattr(kind, name) for name in _LIMITS if hasattr(kind, name)), None)
    return Violation(str(error.schema_path[-1]), path, bound)
