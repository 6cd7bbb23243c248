"""JSON that models write: answers that must fit a schema, and arguments of tools."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import dump_json, parse_json
from runs.providers.embedded_json import json_spans

WRAPPED = "answer"

_FENCE = "```"
_DEFINITIONS = ("$defs", "definitions")
_STRICT_KEYWORDS = frozenset(
    (
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "definitions",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    )
)


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """A schema as services take it: of an object, always.

    Attributes:
        schema: What to send; the asked schema, or an object with it as its one property.
        is_wrapped: Whether it is the latter.
    """

    schema: dict[str, Json]
    is_wrapped: bool

    @property
    def is_strict(self) -> bool:
        """Whether a service can hold the model to it word by word (OpenAI's strict mode)."""
        return "anyOf" not in self.schema and _is_strict(self.schema)

    @property
    def instruction(self) -> str:
        """The schema as words, for a service that knows no such thing."""
        return "Answer with one JSON value that fits this JSON Schema, and with nothing else:\n" + dump_json(
            self.schema
        )

    def read(self, text: str) -> str:
        """Return the answer as JSON text: without a fence around it, and unwrapped, with words around it too.

        Where several wrapped values differ, the text stays as it is: which one is meant is not ours to say.
        """
        text = without_fence(text)
        if not self.is_wrapped:
            return text
        found = json_spans(text)
        wrapped = [value for value in map(_parsed, (text, *(span.text for span in found.spans))) if value is not None]
        values = {dump_json(value[WRAPPED]) for value in wrapped if isinstance(value, dict) and WRAPPED in value}
        is_clear = found.is_all and len(values) == 1 and all(isinstance(value, dict) for value in wrapped)
        return values.pop() if is_clear else text


def _parsed(text: str) -> Json:
    try:
        return parse_json(text, big_integers="text")
    except LlmteamError:
        return None


def without_fence(text: str) -> str:
    """Take off the fence that models like to put around JSON: a line before it, which may name the language."""
    bare = text.strip()
    if not (bare.startswith(_FENCE) and bare.endswith(_FENCE)) or len(bare) < 2 * len(_FENCE):
        return text
    language, line_end, inner = bare[len(_FENCE) : -len(_FENCE)].partition("\n")
    return inner.strip() if line_end and language.strip().lower() in {"", "json"} else text


def answer_schema(asked: Mapping[str, Json]) -> AnswerSchema:
    """Prepare a schema for a service."""
    if asked.get("type") == "object":
        return AnswerSchema(dict(asked), is_wrapped=False)
    inner = {name: value for name, value in asked.items() if name not in (*_DEFINITIONS, "$schema", "$id")}
    outer: dict[str, Json] = {
        "type": "object",
        "properties": {WRAPPED: inner},
        "required": [WRAPPED],
        "additionalProperties": False,
    }
    # References count from the root, so what they name moves there too.
    outer |= {name: asked[name] for name in _DEFINITIONS if name in asked}
    return AnswerSchema(outer, is_wrapped=True)


def read_arguments(written: Any) -> Json:
    """Read a tool's arguments, written as JSON, as JSON in JSON, or as they are; none are an empty object.

    A text that is not JSON stays what it is.
    """
    if written is None or (isinstance(written, str) and not written.strip()):
        return {}
    if not isinstance(written, str):
        return cast("Json", written)
    try:
        value = parse_json(written, big_integers="text")
        return parse_json(value, big_integers="text") if isinstance(value, str) else value
    except LlmteamError:
        return written


def as_object(arguments: Json) -> dict[str, Json]:
    """Make an object of a tool's arguments, which services and their templates take for one when they get them back."""
    return arguments if isinstance(arguments, dict) else {"arguments": arguments}


def _is_strict(schema: Json) -> bool:
    if not isinstance(schema, dict) or not _STRICT_KEYWORDS.issuperset(schema):
        return False
    if not _is_closed(schema):
        return False
    inner: list[Json] = list(cast("list[Json]", schema.get("anyOf", [])))
    for name in ("properties", *_DEFINITIONS):
        inner += cast("dict[str, Json]", schema.get(name, {})).values()
    if "items" in schema:
        inner.append(schema["items"])
    return all(map(_is_strict, inner))


def _is_closed(schema: Mapping[str, Json]) -> bool:
    """Whether an object names all it has, and needs all of it."""
    if "properties" not in schema and schema.get("type") != "object":
        return True
    names, required = schema.get("properties", {}), schema.get("required", [])
    return (
        schema.get("additionalProperties") is False
        and isinstance(names, dict)
        and isinstance(required, list)
        and set(names) == {name for name in required if isinstance(name, str)}
    )
