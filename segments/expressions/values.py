"""Values as expressions see them: their kinds, their text, when two are equal, and which comes first."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, cast

import orjson

from kernel.types import Json
from kernel.values import dump_json, is_deeper
from segments.expressions.errors import ExpressionFailed, LimitPassed
from segments.expressions.limits import (
    BYTES_PER_UNIT,
    MAX_INTEGER,
    MAX_RESULT,
    MAX_RESULT_DEPTH,
    UNITS_PER_CONTAINER,
    Fuel,
    integer_too_large,
    number_too_large,
)

STRICT = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_STRICT_INTEGER
)
MILLION = 1e6
FEW = 1e9  # numbers below have at most 15 digits if they have at most six behind the point
LONG = 1_000  # characters of a text that is looked through only where there is room for it
SHORT = 32  # characters that are compared at no cost of their own
CHUNK = 2_000  # values of a long list given to the encoder at once, which reserves memory by their number
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class MadeList(list[Json]):
    """A list the expression made, which may hold one value many times; lists of the data are plain trees."""

    __slots__ = ()


class MadeObject(dict[str, Json]):
    """An object the expression made; see `MadeList`."""

    __slots__ = ()


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


DATA: frozenset[type] = frozenset((dict, list))
MADE: frozenset[type] = frozenset((dict, list, MadeList, MadeObject))
SCALARS: frozenset[type] = frozenset((int, float, bool, type(None)))
"""The types of what is neither a text nor holds others."""
NUMBERS: frozenset[type] = frozenset((int, float))
"""The types of numbers; true and false are of another."""

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
        raise integer_too_large()
    if type(number) is float and math.isfinite(number):
        return number
    raise number_too_large()


def computed(fuel: Fuel, number: float) -> int | float:
    """Return the result of arithmetic: fractions to 15 significant digits, so that 0.1 + 0.2 is 0.3.

    Raises:
        LimitPassed: JSON cannot hold it.
    """
    fuel.left -= 4
    if type(number) is int:
        return finite(number)
    if -FEW < number < FEW and round(number * MILLION) / MILLION == number:
        return number
    fuel.left -= 6
    return finite(float(f"{number:.15g}"))


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
    if type(left) is str and type(right) is str:
        if len(left) > SHORT and len(right) > SHORT:
            fuel.read_text(min(len(left), len(right)))
        return left == right
    return _equal_parts(fuel, left, right)


def _equal_parts(fuel: Fuel, left: Json, right: Json) -> bool:
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
    fuel.spend(3 + 2 * len(one))
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
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return bool(cast("float", left) < cast("float", right))
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
        fuel.spend(2)
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


def _too_deep() -> LimitPassed:
    return LimitPassed(
        f"The result is nested too deeply: more than {MAX_RESULT_DEPTH} levels.", hint="keep only the levels you need"
    )


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
        self.keys: set[str] = set()

    def of(self, value: Any, depth: int) -> Json:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind in SCALARS:
            self._take(2)
            return finite(value) if kind in NUMBERS else cast("Json", value)
        if kind in DATA and not self.by_hand:
            return self._data(value, depth)
        if kind in MADE or isinstance(value, Mapping):
            return self._made(value, depth)
        if kind is Distinct:
            raise ExpressionFailed("A set is not JSON.", hint="make a list of it: `list(set(x))`")
        raise ExpressionFailed("The result is not JSON.")

    def _data(self, value: Any, depth: int) -> Json:
        """Copy a part of the data: a tree, so the encoder may take it whole, which a hundred thousand values need."""
        if type(value) is list and len(value) > CHUNK:
            parts = (self.of(value[start : start + CHUNK], depth) for start in range(0, len(value), CHUNK))
            return list(chain.from_iterable(cast("Iterator[list[Json]]", parts)))
        try:
            encoded = orjson.dumps(value, option=STRICT)
        except TypeError:  # it holds something that is not JSON, to be found and named
            self.by_hand = True
            return self._made(value, depth)
        self._take(len(encoded))
        containers = encoded.count(b"[") + encoded.count(b"{")
        self.fuel.spend(1 + len(encoded) // BYTES_PER_UNIT + int(containers * UNITS_PER_CONTAINER))
        if b"\\u0000" in encoded and NUL.search(encoded):
            raise ExpressionFailed("A text holds the character NUL.")
        copy: Json = orjson.loads(encoded)
        if containers + depth > MAX_RESULT_DEPTH and is_deeper(copy, MAX_RESULT_DEPTH - depth):
            raise _too_deep()
        return copy

    def _made(self, value: Any, depth: int) -> Json:
        """Copy a list or object, and what is in it that needs a copy."""
        if depth >= MAX_RESULT_DEPTH:
            raise _too_deep()
        size = len(value)
        self.fuel.spend(1 + size * 2 // 5)
        if isinstance(value, list):
            self._take(2 + 2 * size)
            copied: Any = list(value)
            return cast("Json", self._filled(copied, enumerate(value), depth))
        if not self.keys.issuperset(value):
            for key in value:
                self._check_key(key)
        self._take(2 + 4 * size + sum(map(len, value)))
        return cast("Json", self._filled(dict(value), value.items(), depth))

    def _filled(self, copied: Any, members: Iterable[tuple[Any, Any]], depth: int) -> Any:
        """Put copies in the place of those members that need one; numbers and short texts are only looked at."""
        characters = 0
        for place, member in members:
            kind = type(member)
            if kind is str and len(member) < LONG and member.isascii() and "\0" not in member:
                characters += len(member)
            elif kind not in SCALARS or (kind in NUMBERS and not -MAX_INTEGER <= member <= MAX_INTEGER):
                copied[place] = self.of(member, depth + 1)
        self._take(characters)
        return copied

    def _check_key(self, key: Any) -> None:
        """Judge a key that was not seen before."""
        if type(key) is not str:
            raise ExpressionFailed("The keys of an object are texts.", hint="write `str(key)`")
        self._text(key)
        self.keys.add(key)

    def _text(self, text: str) -> str:
        self.room -= len(text) + 2
        if not text.isascii():
            try:
                self.room -= len(text.encode()) - len(text)
            except UnicodeEncodeError:
                raise ExpressionFailed("A text holds half a character (a lone surrogate).") from None
        if self.room < 0:
            raise self._too_large()
        if "\0" in text:
            raise ExpressionFailed("A text holds the character NUL.")
        return text

    def _take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise self._too_large()

    def _too_large(self) -> LimitPassed:
        return LimitPassed("The result is larger than 1 MiB.", hint="keep only the keys you need")
