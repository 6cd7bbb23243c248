"""The rule about ``input_schema``: it must be a schema that can be applied safely."""

from collections.abc import Iterator, Mapping

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from kernel.values import Json
from segments.definition.findings import Path, Place
from segments.validation.context import Context

_REFERENCES = frozenset({"$ref", "$dynamicRef"})
_PATTERNS = frozenset({"pattern", "patternProperties"})
_DATA = frozenset({"const", "enum", "default", "examples"})
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})


def check_input_schema(context: Context) -> None:
    """SCHEMA_VIOLATION and NOT_AVAILABLE: a JSON Schema (2020-12) that neither reaches out nor runs away."""
    schema = context.segment.input_schema
    if schema is None:
        return
    place = Place(("input_schema",))
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        message = "'input_schema' is not a JSON Schema: " + _cut(error.message)
        context.findings.error("SCHEMA_VIOLATION", message, place.at(*error.absolute_path))
        return
    for path, keyword, value in _keywords((), dict(schema)):
        if keyword in _REFERENCES and not str(value).startswith("#"):
            message = f"'{keyword}' may only refer to a place inside the schema."
            context.findings.error("NOT_AVAILABLE", message, place.at(*path, keyword))
        if keyword in _PATTERNS:
            message = f"'{keyword}' is not available: a pattern can take unbounded time."
            hint = "use enum, minLength and maxLength, or check the text in a step"
            context.findings.error("NOT_AVAILABLE", message, place.at(*path, keyword), hint=hint)


def _keywords(path: Path, schema: Json) -> Iterator[tuple[Path, str, Json]]:
    """Give every keyword of a schema and the schemas in it, but not the data it quotes or the names it lists."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _keywords((*path, index), item)
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        yield path, keyword, value
        if keyword in _NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield from _keywords((*path, keyword, name), inner)
        elif keyword not in _DATA:
            yield from _keywords((*path, keyword), value)


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
