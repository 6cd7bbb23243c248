"""JSON Schemas that others bring along: which may be applied safely. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from kernel.values import Json, size_of
from segments.definition.findings import Path
from segments.plan.graph import Graph

MAX_SCHEMA_BYTES = 64 * 1024
MAX_REFERENCES = 20  # references into references multiply the work; so many cannot multiply it beyond reason
MAX_UNIQUE_ITEMS = 1_000  # comparing all items with each other takes the square of their number

_LOCAL = re.compile(r"#/(\$defs|definitions)/([^/~%]+)")
_REFUSED = {
    "$id": "the schema is used as it stands, without an address",
    "$anchor": "refer by '#/$defs/name'",
    "$dynamicRef": "refer by '#/$defs/name'",
    "$dynamicAnchor": "refer by '#/$defs/name'",
    "pattern": "use enum, minLength and maxLength, or check the text in a step",
    "patternProperties": "use properties and additionalProperties",
}
_DATA = frozenset({"const", "enum", "default", "examples"})
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """Why a schema may not be applied: ``TOO_LARGE``, ``SCHEMA_VIOLATION`` or ``NOT_AVAILABLE``, and where."""

    code: str
    message: str
    path: Path = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class _Keyword:
    """One keyword, where its schema stands, and that schema."""

    path: Path
    name: str
    value: Json
    schema: Mapping[str, Json]


def schema_problems(schema: Mapping[str, Json], *, name: str) -> Iterator[SchemaProblem]:
    """Find whatever keeps a JSON Schema (2020-12) from being applied: one that reaches out or runs away.

    Args:
        schema: The schema.
        name: What messages call it.
    """
    if size_of(dict(schema)) > MAX_SCHEMA_BYTES:
        yield SchemaProblem("TOO_LARGE", f"'{name}' has more than {MAX_SCHEMA_BYTES} bytes.")
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        message = f"'{name}' is not a JSON Schema: {_cut(error.message)}"
        yield SchemaProblem("SCHEMA_VIOLATION", message, tuple(error.absolute_path))
        return
    keywords = list(_keywords((), dict(schema)))
    for keyword in keywords:
        yield from _of_keyword(keyword, name)
    yield from _of_references(schema, [keyword for keyword in keywords if keyword.name == "$ref"], name)


def _of_keyword(keyword: _Keyword, name: str) -> Iterator[SchemaProblem]:
    path = (*keyword.path, keyword.name)
    if keyword.name in _REFUSED:
        message = f"'{keyword.name}' is not available in '{name}'."
        yield SchemaProblem("NOT_AVAILABLE", message, path, _REFUSED[keyword.name])
    if keyword.name == "uniqueItems" and keyword.value and not _is_short(keyword.schema):
        message = f"'uniqueItems' needs a 'maxItems' of at most {MAX_UNIQUE_ITEMS} beside it."
        yield SchemaProblem("NOT_AVAILABLE", message, path)


def _of_references(schema: Mapping[str, Json], references: list[_Keyword], name: str) -> Iterator[SchemaProblem]:
    """References stay inside the schema, lead to definitions, never back to themselves, and are few."""
    if len(references) > MAX_REFERENCES:
        yield SchemaProblem("TOO_LARGE", f"'{name}' has more than {MAX_REFERENCES} references.")
        return
    edges = []
    for reference in references:
        found = _LOCAL.fullmatch(str(reference.value))
        definitions = schema.get(found[1]) if found else None
        if found and isinstance(definitions, dict) and found[2] in definitions:
            edges.append(("/".join(map(str, reference.path[:2])), f"{found[1]}/{found[2]}"))
        else:
            message = "A reference leads to a definition of the schema: '#/$defs/name'."
            yield SchemaProblem("NOT_AVAILABLE", message, (*reference.path, "$ref"))
    graph = Graph(list(dict.fromkeys(name for edge in edges for name in edge)), edges, "")
    if any(graph.components.values()):
        yield SchemaProblem("NOT_AVAILABLE", "References that lead back to themselves are not available.")


def _is_short(schema: Mapping[str, Json]) -> bool:
    """Whether a schema bounds its arrays."""
    bound = schema.get("maxItems")
    return isinstance(bound, int | float) and bound <= MAX_UNIQUE_ITEMS


def _keywords(path: Path, schema: Json) -> Iterator[_Keyword]:
    """Give every keyword of a schema and the schemas in it, but not the data it quotes or the names it lists."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _keywords((*path, index), item)
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        yield _Keyword(path, keyword, value, schema)
        if keyword in _NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield from _keywords((*path, keyword, name), inner)
        elif keyword not in _DATA:
            yield from _keywords((*path, keyword), value)


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
