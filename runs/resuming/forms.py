"""Values of form fields, typed by a schema: forms have no numbers, and no true and false."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import load_number, normalise, parse_json

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_TRUTHS: Final = dict.fromkeys(("true", "1", "on", "yes"), True) | dict.fromkeys(("false", "0", "off", "no"), False)
_MAX_NESTED: Final = 8
_NESTED: Final = frozenset(("array", "object"))
_NUMBERS: Final = frozenset(("integer", "number"))


def as_the_schema_has_it(fields: Mapping[str, Json], schema: Mapping[str, Any]) -> dict[str, Json]:
    """Read texts as the numbers, truths and lists that a schema asks for; what cannot be read so stays as it is."""
    known = schema.get("properties")
    properties = known if isinstance(known, dict) else {}
    return {name: _read(value, properties.get(name)) for name, value in fields.items()}


def _read(value: Json, schema: Any) -> Json:
    types = _types(schema)
    if isinstance(value, str) and "string" not in types and types & _NESTED:
        value = _json_of(value)
    if "array" in types and not isinstance(value, list):
        value = [value]
    if isinstance(value, list):
        items = schema.get("items") if isinstance(schema, dict) else None
        return [_read(item, items) for item in value] if items else value
    return _scalar(value.strip(), types, value) if isinstance(value, str) and "string" not in types else value


def _json_of(text: str) -> Json:
    """Read the object or list that a field holds as JSON; anything else stays a text."""
    if text.lstrip()[:1] in {"{", "["}:
        with suppress(LlmteamError):
            return parse_json(text, big_integers="text")
    return text


def _scalar(text: str, types: frozenset[str], sent: Json) -> Json:
    if types & _NUMBERS and _WHOLE.fullmatch(text):
        return normalise(int(text), big_integers="text")
    if "number" in types and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return load_number(text)
    if "boolean" in types and text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    return None if "null" in types and not text else sent


def _types(schema: Any, depth: int = 0) -> frozenset[str]:
    """Give the types a schema names, alternatives among them; none where it names none."""
    if not isinstance(schema, dict) or depth > _MAX_NESTED:
        return frozenset()
    types = schema.get("type", ())
    found = frozenset([types] if isinstance(types, str) else [one for one in types if isinstance(one, str)])
    for key in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(key) or ():
            found |= _types(one, depth + 1)
    return found
