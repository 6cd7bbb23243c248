"""Values as expressions see them: their kinds, their text, when two are equal, and which comes first."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, cast

import orjson

from kernel.values import Json, dump_json, is_deeper
from segments.expressions.errors import ExpressionFailed, LimitPassed
from segments.expressions.limits import (
    BYTES_PER_UNIT,
    MAX_INTEGER,
    MAX_RESULT,
    MAX_RESULT_DEPTH,
    UNITS_PER_CONTAINER,
    Fuel,
    number_too_large,
)

STRICT = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_STRICT_INTEGER
)
CHUNK = 2_000  # values of a long list given to the encoder at once, which reserves memory by their number
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class MadeList(list[Json]):
    """A list the expression made, which may hold one value many times; lists of the data are plain trees."""


class MadeObject(dict[str, Json]):
    """An object the expression made; see `MadeList`."""


class Distinct(list[Json]):
    """A set: its values once each, in the order of their first appearance. Not JSON, so never a result."""


KINDS: dict[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    MadeList: "list",
    Distinct: "list",
    dict: "object",
    MadeObject: "object",
    type(None): "null",
}


MISSING: Any = object()
"""Stands for an argument that was not given."""

NAMED = {"object": "an object", "null": "null", "unknown": "something that is not JSON"}


def kind_of(value: object) -> str:
    """Name the kind of a value: boolean, number, text, list, object, null, or unknown for what is not JSON."""
    known = KINDS.get(type(value))
    if known:
        return known
    return "object" if isinstance(value, Mapping) else "unknown"


def named(value: object) -> str:
    """Name the kind of a value in a sentence."""
    kind = kind_of(value)
    return NAMED.get(kind) or f"a {kind}"


def need(kind: str, value: Json, owner: str) -> Any:
    """Return a value that has to be of one kind.

    Args:
        kind: The kind.
        value: The value.
        owner: What needs it, for the message.

    Raises:
        ExpressionFailed: It is of another kind.
    """
    if kind_of(value) != kind:
        raise ExpressionFailed(f"{owner} needs a {kind}, not {named(value)}.")
    return value


def need_list(fuel: Fuel, value: Json, owner: str) -> list[Json]:
    """Return a list that is about to be gone through.

    Raises:
        ExpressionFailed: It is something else, or too long to be gone through.
    """
    if not isinstance(value, list):
        hint = "use `keys(x)`, `values(x)` or `items(x)`" if kind_of(value) == "object" else None
        raise ExpressionFailed(f"{owner} needs a list, not {named(value)}.", hint=hint)
    fuel.read_list(len(value))
    return value


def need_integer(value: Json, owner: str) -> int:
    """Return a value that has to be a whole number.

    Raises:
        ExpressionFailed: It is something else.
    """
    if type(value) is not int:
        raise ExpressionFailed(f"{owner} needs a whole number, not {named(value)}.")
    return value


def finite(number: float) -> int | float:
    """Return a computed number that JSON can hold.

    Raises:
        LimitPassed: It is infinite, or a whole number beyond 2^53.
    """
    if type(number) is int:
        if -MAX_INTEGER <= number <= MAX_INTEGER:
            return number
    elif type(number) is float and math.isfinite(number):
        return number
    raise number_too_large()


def computed(fuel: Fuel, number: float) -> int | float:
    """Return the result of arithmetic: fractions to 15 significant digits, so that 0.1 + 0.2 is 0.3.

    Raises:
        LimitPassed: JSON cannot hold it.
    """
    fuel.spend(3)
    return finite(float(f"{number:.15g}") if type(number) is float else number)


def text_of(fuel: Fuel, value: Json) -> str:
    """Write a value as text: null is empty, lists and objects are JSON.

    Raises:
        ExpressionFailed: The value is not JSON, or its text would be too long.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(finite(value))
    return json_text(fuel, value)


def json_text(fuel: Fuel, value: Json) -> str:
    """Write a value as compact JSON.

    Raises:
        ExpressionFailed: The value is not JSON, or its text would be too long.
    """
    text = dump_json(plain(value, fuel))
    fuel.make_text(len(text))
    return text


def equal(fuel: Fuel, left: Json, right: Json) -> bool:
    """Compare two values as JSON: numbers by value, booleans only with booleans.

    Raises:
        LimitPassed: The comparison takes too long.
    """
    pairs: list[tuple[Any, Any]] = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        kind = kind_of(one)
        if kind != kind_of(other):
            return False
        if kind in {"list", "object"}:
            inner = _inner_pairs(fuel, one, other)
            if inner is None:
                return False
            pairs.extend(inner)
        else:
            if kind == "text":
                fuel.read_text(min(len(one), len(other)))
            if one != other:
                return False
    return True


def _inner_pairs(fuel: Fuel, one: Any, other: Any) -> list[tuple[Any, Any]] | None:
    """Pair the values of two lists or two objects; None when they cannot be equal."""
    if len(one) != len(other):
        return None
    fuel.spend(1 + 2 * len(one))
    if isinstance(one, list):
        return list(zip(one, other, strict=True))
    if any(key not in other for key in one):
        return None
    return [(value, other[key]) for key, value in one.items()]


def before(fuel: Fuel, left: Json, right: Json) -> bool:
    """Tell whether one value sorts before another: two numbers, two texts, or two lists of such.

    Raises:
        ExpressionFailed: The two have no order.
    """
    while True:
        kind = kind_of(left)
        if kind != kind_of(right) or kind not in {"number", "text", "list"}:
            raise ExpressionFailed(f"{named(left).capitalize()} and {named(right)} have no order.")
        one, other = cast("Any", left), cast("Any", right)
        if kind != "list":
            if kind == "text":
                fuel.read_text(min(len(one), len(other)))
            return bool(one < other)
        for left, right in zip(one, other, strict=False):  # noqa: PLR1704 the pair that differs decides
            if not equal(fuel, left, right):
                break
        else:
            return len(one) < len(other)


def distinct(fuel: Fuel, values: Iterable[Json]) -> Distinct:
    """Keep the first of equal values.

    Raises:
        LimitPassed: There are too many.
    """
    found = Distinct()
    seen: set[tuple[str, object]] = set()
    for value in values:
        fuel.spend(1)
        kind = kind_of(value)
        if kind in {"list", "object"}:
            is_new = not any(equal(fuel, value, other) for other in found)
        else:
            is_new = (kind, value) not in seen
            seen.add((kind, cast("Any", value)))
        if is_new:
            found.append(value)
    fuel.make_list(len(found))
    return found


def plain(value: Json, fuel: Fuel) -> Json:
    """Copy a value as plain JSON, so that a result shares nothing with the data it came from.

    Raises:
        ExpressionFailed: Something in it is not JSON.
        LimitPassed: It is too large or too deep.
    """
    return _Copy(fuel).of(value, 0)


class _Copy:
    """One copy being made, and the bytes it may still take."""

    def __init__(self, fuel: Fuel) -> None:
        self.fuel = fuel
        self.room = MAX_RESULT
        self.by_hand = False

    def of(self, value: Any, depth: int) -> Json:
        kind = type(value)
        if kind is list and len(value) > CHUNK:
            parts = (self.of(value[start : start + CHUNK], depth) for start in range(0, len(value), CHUNK))
            return list(chain.from_iterable(cast("Iterator[list[Json]]", parts)))
        if (kind is dict or kind is list) and not self.by_hand:
            return self._data(value, depth)
        if kind in {dict, list, MadeList, MadeObject} or isinstance(value, Mapping):
            return self._made(value, depth)
        if kind is str:
            return self._text(value)
        self._take(2)
        if value is None or kind is bool:
            return cast("Json", value)
        if kind is int or kind is float:
            return finite(value)
        if kind is Distinct:
            raise ExpressionFailed("A set is not JSON.", hint="make a list of it: `list(set(x))`")
        raise ExpressionFailed("The result is not JSON.")

    def _data(self, value: Any, depth: int) -> Json:
        """Copy a part of the data: a tree, so the encoder may take it whole, which a hundred thousand values need."""
        try:
            encoded = orjson.dumps(value, option=STRICT)
        except TypeError:  # it holds something that is not JSON, to be found and named
            self.by_hand = True
            return self._made(value, depth)
        self._take(len(encoded))
        containers = encoded.count(b"[") + encoded.count(b"{")
        self.fuel.spend(len(encoded) // BYTES_PER_UNIT + int(containers * UNITS_PER_CONTAINER))
        if NUL.search(encoded):
            raise ExpressionFailed("A text holds the character NUL.")
        copy: Json = orjson.loads(encoded)
        if containers + depth > MAX_RESULT_DEPTH and is_deeper(copy, MAX_RESULT_DEPTH - depth):
            raise LimitPassed(f"The result is nested too deeply: more than {MAX_RESULT_DEPTH} levels.")
        return copy

    def _made(self, value: Any, depth: int) -> Json:
        if depth >= MAX_RESULT_DEPTH:
            raise LimitPassed(f"The result is nested too deeply: more than {MAX_RESULT_DEPTH} levels.")
        self.fuel.spend(1 + len(value))
        self._take(2 + 2 * len(value))
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}

    def _key(self, key: object) -> str:
        if type(key) is not str:
            raise ExpressionFailed("The keys of an object are texts.", hint="write `str(key)`")
        return self._text(key)

    def _text(self, text: str) -> str:
        self._take(len(text) + 2)
        if not text.isascii():
            try:
                self._take(len(text.encode()) - len(text))
            except UnicodeEncodeError:
                raise ExpressionFailed("A text holds half a character (a lone surrogate).") from None
        if "\0" in text:
            raise ExpressionFailed("A text holds the character NUL.")
        return text

    def _take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise LimitPassed("The result is larger than 1 MiB.", hint="keep only the keys you need")
