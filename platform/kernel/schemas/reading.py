"""Reader of JSON Schemas for forms: the part of a schema a form can use. Pure, and never raises on a strange schema."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from kernel.types import Json
from kernel.values import dump_json

Schema: TypeAlias = Mapping[str, Any]
EMPTY: Final[Schema] = {}
MAX_HOPS: Final = 8
_WORDS: Final = frozenset({"title", "description", "default", "examples", "$comment", "$schema", "$id", "$defs"})
_WORD_STARTS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def as_schema(value: object) -> Schema:
    """Read a schema; what is none (``true``, a number) says nothing."""
    return value if isinstance(value, Mapping) else EMPTY


def resolve(schema: Schema, root: Schema) -> Schema:
    """Follow references inside the document, sole parts (``allOf`` of one) and unions of one schema with null.

    What a schema says beside its reference, part or union wins. One that leads elsewhere, to nothing or in a circle
    leaves a schema that says nothing but its own words.
    """
    own: dict[str, Any] = dict(schema)
    is_optional = False
    for _ in range(MAX_HOPS):
        word, inner, may_be_null = _wrapped(own, root)
        if not word:
            return _or_null(own) if is_optional else own
        is_optional = is_optional or may_be_null
        del own[word]
        own = {**inner, **own}
    return {key: own[key] for key in ("title", "description") if key in own}


def _wrapped(schema: Schema, root: Schema) -> tuple[str, Schema, bool]:
    """Tell what a schema only wraps: the word it does so with, the schema inside, and whether null will do as well."""
    if "$ref" in schema:
        return "$ref", _target(schema["$ref"], root), False
    for word in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(word)
        if not isinstance(parts, list):
            continue
        real = [part for part in parts if not _is_null(part)]
        if len(real) == 1 and isinstance(real[0], Mapping) and (word == "allOf") == (len(parts) == 1):
            return word, real[0], word != "allOf"
    return "", EMPTY, False


def _is_null(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "null"


def _or_null(schema: Mapping[str, Any]) -> Schema:
    types = types_of(schema)
    values = schema.get("enum")
    added: dict[str, Any] = {"type": [*types, "null"]} if types and "null" not in types else {}
    if isinstance(values, list) and None not in values:
        added["enum"] = [*values, None]
    return {**schema, **added}


def types_of(schema: Schema) -> tuple[str, ...]:
    """Return the types a value may have; empty when the schema does not say, or not in a way a form can use."""
    types = schema.get("type")
    if isinstance(types, str):
        return (types,)
    if isinstance(types, Sequence):
        return tuple(name for name in types if isinstance(name, str))
    return ("object",) if isinstance(schema.get("properties"), Mapping) else ()


def sole_type(schema: Schema) -> str | None:
    """Return the one type a value has beside null; None when there is none or a choice."""
    types = [name for name in types_of(schema) if name != "null"]
    return types[0] if len(types) == 1 else None


def is_nullable(schema: Schema) -> bool:
    """Whether the value may be null."""
    return "null" in types_of(schema)


def takes(schema: Schema, type_name: str) -> bool:
    """Whether values of a type are among those that fit, as far as the types tell; all are where nothing is said."""
    branches = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())] if _has_lists(schema) else [schema]
    named = any(type_name in types_of(branch) for branch in branches if isinstance(branch, Mapping))
    return named or says_nothing(schema)


def _has_lists(schema: Schema) -> bool:
    return all(isinstance(schema.get(word, []), list) for word in ("anyOf", "oneOf"))


def says_nothing(schema: Schema) -> bool:
    """Whether a schema only talks about the value, and any value fits it."""
    return schema.keys() <= _WORDS


def choices_of(schema: Schema) -> list[tuple[Json, str | None]]:
    """Return what may be chosen, with titles where there are any; empty when it is not a choice among values."""
    if "const" in schema:
        return [(schema["const"], None)]
    listed = schema.get("enum")
    if isinstance(listed, list):
        return _once([(value, None) for value in listed])
    for word in ("oneOf", "anyOf"):
        branches = schema.get(word)
        if isinstance(branches, list) and _are_constants(branches):
            return _once([(branch.get("const"), text_of(branch, "title") or None) for branch in branches])
    return []


def text_of(schema: Schema, word: str) -> str:
    """Return what a schema says in words (title, description); empty when it does not."""
    value = schema.get(word)
    return value.strip() if isinstance(value, str) else ""


def number_of(schema: Schema, *words: str) -> int | float | None:
    """Return the first of some bounds that is there."""
    for word in words:
        value = schema.get(word)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def label_of(schema: Schema, key: str) -> str:
    """Return the title, else the key as words: ``order_id`` and ``orderId`` are ``Order id``."""
    title = text_of(schema, "title")
    if title:
        return title
    words = _WORD_STARTS.sub(" ", key).replace("_", " ").replace("-", " ").split()
    text = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return text[:1].upper() + text[1:] if text else key


def _target(reference: object, root: Schema) -> Schema:
    if reference == "#":
        return root
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return EMPTY
    found: object = root
    for part in reference[2:].split("/"):
        found = as_schema(found).get(part.replace("~1", "/").replace("~0", "~"))
    return as_schema(found)


def _are_constants(branches: Sequence[object]) -> bool:
    """Whether each branch is one value; null may be written as a type."""
    constants = [isinstance(branch, Mapping) and "const" in branch for branch in branches]
    return any(constants) and all(
        is_constant or _is_null(branch) for is_constant, branch in zip(constants, branches, strict=True)
    )


def _once(choices: list[tuple[Json, str | None]]) -> list[tuple[Json, str | None]]:
    found: dict[str, tuple[Json, str | None]] = {}
    for value, title in choices:
        found.setdefault(dump_json(value), (value, title))
    return list(found.values())
