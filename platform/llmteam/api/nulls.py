"""Null in bodies, as the API's description has it: an optional field that is null counts as left out."""

from collections.abc import Iterator
from typing import Any, Final

from drf_spectacular.plumbing import append_meta

KINDS: Final = {"type", "$ref", "oneOf", "anyOf", "allOf"}
"""A schema without any of them takes every value."""
COMPONENT: Final = "#/components/schemas/"


def allow_nulls(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe every optional field of a JSON body as one that may be null; a hook of drf-spectacular."""
    components: dict[str, Any] = result["components"]["schemas"]
    left = [name for body in _bodies(result) for name in _named(body)]
    seen: set[str] = set()
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += _named(components[name])
            _allow(components[name])
    return result


def _bodies(result: dict[str, Any]) -> Iterator[Any]:
    for operations in result["paths"].values():
        for operation in operations.values():
            yield operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")


def _allow(component: dict[str, Any]) -> None:
    properties: dict[str, Any] = component.get("properties", {})
    for name, schema in properties.items():
        if name not in component.get("required", ()) and schema.keys() & KINDS and not _takes_null(schema):
            properties[name] = append_meta(schema, {"nullable": True})


def _takes_null(schema: dict[str, Any]) -> bool:
    return "null" in schema.get("type", ()) or {"type": "null"} in schema.get("oneOf", ())


def _named(schema: Any) -> Iterator[str]:
    """Name the components that a schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].removeprefix(COMPONENT)
        for value in schema.values():
            yield from _named(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _named(item)
