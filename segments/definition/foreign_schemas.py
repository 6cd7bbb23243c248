"""JSON Schemas that others bring along: which may be applied safely. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import PydanticCustomError

from kernel.schemas import (
    LOCAL_REFERENCE,
    PATTERNS,
    TYPES,
    UNEVALUATED,
    Keyword,
    SchemaFault,
    SchemaUnusable,
    compiled,
    is_linear_pattern,
    keywords_of,
    schema_faults,
)
from kernel.types import Json
from kernel.values import size_of
from segments.definition.findings import Path
from segments.expressions.hints import nearest
from segments.graph import Graph

SCHEMA: Final = "schema"
MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_REFERENCES: Final = 20  # references into references multiply the work; so many cannot multiply it beyond reason
MAX_PATTERNS: Final = 50  # each takes up to 256 KiB while its schema is in use
MAX_UNEVALUATED: Final = 5  # each inside another doubles the work

OF_DECIMALS: Final = "(?!^[-+.]*$)"
"""Expression that pydantic 2.12 puts before the digits of a Decimal, to refuse signs and dots alone."""

_REFUSED: Final = {
    "$id": "the schema is used as it stands, without an address",
    "$anchor": "refer by '#/$defs/name'",
    "$dynamicRef": "refer by '#/$defs/name'",
    "$dynamicAnchor": "refer by '#/$defs/name'",
}


_AN_OBJECT: Final = 'write an object, such as {"type": "string"}'
_OLD_BOUNDS: Final[Mapping[Path, str]] = {("exclusiveMinimum",): "minimum", ("exclusiveMaximum",): "maximum"}
"""Keywords that were true or false beside the bound, up to the draft 4."""
_ELSEWHERE: Final = {
    "nullable": 'name null among the types: `"type": ["string", "null"]`',
    "additionalItems": "write `items`, beside `prefixItems`",
    "divisibleBy": "write `multipleOf`",
}
_TYPES_ELSEWHERE: Final = {
    "array": "list tuple set",
    "number": "float double decimal numeric money",
    "integer": "long short",
    "object": "dict map json record struct",
    "string": "text char varchar uuid email date datetime date-time time uri url enum",
    "null": "none nil undefined",
}
_TYPE_MEANT: Final = {word: ours for ours, words in _TYPES_ELSEWHERE.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """Problem of a schema: ``TOO_LARGE``, ``SCHEMA_VIOLATION`` or ``NOT_AVAILABLE``, and its place."""

    code: str
    message: str
    path: Path = ()
    hint: str | None = None


def schema_problems(schema: Mapping[str, Json], *, name: str) -> Iterator[SchemaProblem]:
    """Find whatever keeps a JSON Schema (2020-12) from being applied: one that reaches out or runs away.

    Args:
        schema: The schema.
        name: What messages call it.
    """
    if size_of(dict(schema)) > MAX_SCHEMA_BYTES:
        yield SchemaProblem("TOO_LARGE", f"'{name}' has more than {MAX_SCHEMA_BYTES} bytes.")
        return
    no_schema = f"'{name}' is not a JSON Schema:"
    found = [
        SchemaProblem("SCHEMA_VIOLATION", f"{no_schema} {_cut(fault.message)}", fault.path, _hint(fault))
        for fault in schema_faults(schema)
    ]
    wrong = [problem.path for problem in found]
    found += [one for one in _of_keywords(schema, name) if not any(one.path[: len(path)] == path for path in wrong)]
    yield from found
    if not found:
        yield from _of_compiling(schema, name)


def ignored_keywords(schema: object) -> Iterator[SchemaProblem]:
    """Say which keywords of other drafts, and of OpenAPI, have no effect in a schema that can be applied."""
    for keyword in keywords_of(schema):
        hint = _ELSEWHERE.get(keyword.name)
        if hint is not None and keyword.value and "example" not in keyword.path:
            message = f"'{keyword.name}' has no effect: schemas are of the draft 2020-12."
            yield SchemaProblem("KEYWORD_IGNORED", message, (*keyword.path, keyword.name), hint)


def usable(schema: dict[str, Any]) -> dict[str, Any]:
    """Take a schema that can be applied, as a validator of a config's field.

    Raises:
        PydanticCustomError: Of the type ``SCHEMA``; its ``problems`` are all there are.
    """
    problems = list(schema_problems(schema, name="schema"))
    if problems:
        raise PydanticCustomError(SCHEMA, "{message}", {"message": problems[0].message, "problems": problems})
    return schema


def _hint(fault: SchemaFault) -> str | None:
    if fault.path[-1:] == ("items",) and fault.message.startswith("["):
        return f"schemas by place are `prefixItems`; for items of one kind {_AN_OBJECT}"
    if fault.path[-1:] in _OLD_BOUNDS and fault.message.startswith(("true", "false")):
        return f"write the bound itself in `{fault.path[-1]}`, in place of `{_OLD_BOUNDS[fault.path[-1:]]}`"
    if fault.is_for_schema:
        return _AN_OBJECT
    if fault.word is None:
        return None
    meant = _TYPE_MEANT.get(fault.word.strip().lower())
    return nearest(fault.word, TYPES) if meant is None else f"did you mean `{meant}`?"


def _of_keywords(schema: Mapping[str, Json], name: str) -> Iterator[SchemaProblem]:
    keywords = list(keywords_of(schema))
    for keyword in keywords:
        if keyword.name in _REFUSED:
            message = f"'{keyword.name}' is not available in '{name}'."
            yield SchemaProblem("NOT_AVAILABLE", message, (*keyword.path, keyword.name), _REFUSED[keyword.name])
    yield from _of_patterns(keywords, name)
    if sum(keyword.name in UNEVALUATED for keyword in keywords) > MAX_UNEVALUATED:
        message = f"'{name}' has more than {MAX_UNEVALUATED} of unevaluatedProperties and unevaluatedItems."
        yield SchemaProblem("TOO_LARGE", message)
    yield from _of_references(schema, [keyword for keyword in keywords if keyword.name == "$ref"], name)


def _of_patterns(keywords: list[Keyword], name: str) -> Iterator[SchemaProblem]:
    """Patterns are matched in linear time, and are few."""
    patterns = [(path, text) for keyword in keywords if keyword.name in PATTERNS for path, text in _patterns(keyword)]
    if len(patterns) > MAX_PATTERNS:
        yield SchemaProblem("TOO_LARGE", f"'{name}' has more than {MAX_PATTERNS} patterns.")
        return
    for path, text in patterns:
        if not is_linear_pattern(text):
            message = "This is not a regular expression that can be used, or is too large when compiled."
            hint = "look-around and back-references are not available; repeat less"
            if OF_DECIMALS in text:
                without = text.replace(OF_DECIMALS, "")
                hint = f"pydantic writes it for a Decimal; write `{without}`, which takes a text without digits as well"
            yield SchemaProblem("NOT_AVAILABLE", message, path, hint)


def _patterns(keyword: Keyword) -> Iterator[tuple[Path, str]]:
    place = (*keyword.path, keyword.name)
    if isinstance(keyword.value, dict):
        yield from (((*place, text), text) for text in keyword.value)
    else:
        yield place, str(keyword.value)


def _of_references(schema: Mapping[str, Json], references: list[Keyword], name: str) -> Iterator[SchemaProblem]:
    """References stay inside the schema, lead to definitions, never back to themselves, and are few."""
    if len(references) > MAX_REFERENCES:
        yield SchemaProblem("TOO_LARGE", f"'{name}' has more than {MAX_REFERENCES} references.")
        return
    edges = []
    for reference in references:
        found = LOCAL_REFERENCE.fullmatch(str(reference.value))
        definitions = schema.get(found[1]) if found else None
        if found and isinstance(definitions, dict) and found[2] in definitions:
            edges.append(("/".join(map(str, reference.path[:2])), f"{found[1]}/{found[2]}"))
        else:
            message = "A reference leads to a definition of the schema: '#/$defs/name'."
            yield SchemaProblem("NOT_AVAILABLE", message, (*reference.path, "$ref"))
    graph = Graph(list(dict.fromkeys(name for edge in edges for name in edge)), edges, "")
    if any(graph.components.values()):
        yield SchemaProblem("NOT_AVAILABLE", "References that lead back to themselves are not available.")


def _of_compiling(schema: Mapping[str, Json], name: str) -> Iterator[SchemaProblem]:
    """Find what the validator itself does not take, so that no value ever meets a schema that cannot be applied."""
    try:
        compiled(schema, formats=True)
    except SchemaUnusable as error:
        yield SchemaProblem("SCHEMA_VIOLATION", f"'{name}' cannot be applied: {_cut(str(error))}")


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
