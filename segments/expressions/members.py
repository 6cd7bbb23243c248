"""Keys and methods of values, by name; what is not there is told with the nearest that is."""

import ast
from typing import Any, cast

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed, MissingName, quoted
from segments.expressions.methods import METHODS
from segments.expressions.nodes import OptionalLink
from segments.expressions.values import kind_of, named
from segments.expressions.wording import ELSEWHERE, OF_DATES, nearest


def key_of(value: Json) -> str:
    """Give a key of an object."""
    if not isinstance(value, str):
        raise ExpressionFailed(f"The keys of an object are texts, not {named(value)}.", hint="write `str(key)`")
    return value


def member_of(node: ast.Subscript, base: Any, key: Json) -> Json:
    """Give what an object has under a key; null behind `?.` where it has none."""
    if not isinstance(key, str):
        raise ExpressionFailed(f"The keys of an object are texts, not {named(key)}.")
    if key in base:
        return cast("Json", base[key])
    if isinstance(node.value, OptionalLink):
        return None
    raise no_key("object", key if isinstance(node.slice, ast.Constant) else None, base)


def no_key(kind: str, key: str | None, base: Any) -> ExpressionFailed:
    """Say that a value has no such key."""
    if kind != "object":
        hint = of_dates(kind, key or "") or ELSEWHERE.get(key or "") or nearest(key or "", METHODS.get(kind, ()))
        return MissingName(f"{named(base).capitalize()} has no {quoted(key or '')}.", wanted=None, hint=hint)
    told = "such key" if key is None else f"key {quoted(key)}"
    return MissingName(f"The object has no {told}.", wanted=key, candidates=base, is_absent=True)


def of_dates(kind: str, name: str) -> str | None:
    """Say what to write for what dates have in other languages."""
    return OF_DATES.get(name) if kind == "text" else None


def method_of(base: Json, name: str, count: int, keywords: list[ast.keyword]) -> Any:
    """Give the signature of a method, held against what it is called with."""
    kind = kind_of(base)
    signature = METHODS.get(kind, {}).get(name)
    if signature is None:
        hint = of_dates(kind, name) or ELSEWHERE.get(name) or nearest(name, METHODS.get(kind, ()))
        raise ExpressionFailed(f"{named(base).capitalize()} has no method {quoted(name)}.", hint=hint)
    complaint = signature.complaint(count, [keyword.arg or "" for keyword in keywords])
    if complaint:
        raise ExpressionFailed(f"{quoted(name)} {complaint}")
    return signature
