"""The operators `+ - * / // % **`, comparisons and `in`; each charges fuel before it works."""

import ast
import operator
import re
from collections.abc import Callable
from typing import TypeAlias, cast

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed
from segments.expressions.limits import Fuel, integer_too_large, number_too_large
from segments.expressions.values import NUMBERS, MadeList, before, computed, equal, finite, kind_of, named

Operation: TypeAlias = Callable[[Fuel, Json, Json], Json]
Number: TypeAlias = int | float


def add(fuel: Fuel, left: Json, right: Json) -> Json:
    """Add numbers, join texts, join lists."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return computed(fuel, cast("float", left) + cast("float", right))
    if isinstance(left, str) and isinstance(right, str):
        fuel.make_text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        fuel.make_list(len(left) + len(right))
        fuel.spend(1)
        return MadeList([*left, *right])
    raise _no_numbers("+", left, right)


def subtract(fuel: Fuel, left: Json, right: Json) -> Json:
    """Subtract numbers."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return computed(fuel, cast("float", left) - cast("float", right))
    raise _no_numbers("-", left, right)


def multiply(fuel: Fuel, left: Json, right: Json) -> Json:
    """Multiply numbers; repeat a text or a list."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return computed(fuel, cast("float", left) * cast("float", right))
    if type(left) is int and isinstance(right, str | list):
        left, right = right, left
    if type(right) is int and isinstance(left, str):
        fuel.make_text(len(left) * max(right, 0))
        return left * right
    if type(right) is int and isinstance(left, list):
        fuel.make_list(len(left) * max(right, 0))
        return MadeList(left * right)
    raise _no_numbers("*", left, right)


def divide(fuel: Fuel, left: Json, right: Json) -> Json:
    """Divide numbers; the result keeps its fraction."""
    one, other = _divisible("/", left, right)
    return computed(fuel, one / other)


def divide_whole(fuel: Fuel, left: Json, right: Json) -> Json:
    """Divide numbers and round down."""
    one, other = _divisible("//", left, right)
    return computed(fuel, one // other)


def remainder(fuel: Fuel, left: Json, right: Json) -> Json:
    """Give what is left of a division that rounds down."""
    if type(left) in NUMBERS and type(right) in NUMBERS and right:
        return computed(fuel, cast("float", left) % cast("float", right))
    if isinstance(left, str):
        raise ExpressionFailed("`%` does not fill in texts.", hint="use an f-text: `f'{total:.2f} EUR'`")
    one, other = _divisible("%", left, right)
    return computed(fuel, one % other)


def power(fuel: Fuel, left: Json, right: Json) -> Json:
    """Raise a number to a power."""
    base, exponent = _numbers("**", left, right)
    if type(base) is int and type(exponent) is int and exponent >= 0:
        return finite(_whole_power(base, exponent))
    if base == 0 and exponent < 0:
        raise ExpressionFailed("Zero has no negative power.")
    try:
        result = float(base) ** exponent
    except OverflowError:
        raise number_too_large() from None
    if isinstance(result, complex):
        raise ExpressionFailed("A negative number has no such power.")
    return computed(fuel, result)


def _whole_power(base: int, exponent: int) -> int:
    if exponent == 0:
        return 1
    if -1 <= base <= 1:
        return base if exponent % 2 else base * base
    if exponent > 53:
        raise integer_too_large()  # even 2 ** 54 is beyond 2^53
    result: int = base**exponent
    return result


def contains(fuel: Fuel, item: Json, container: Json) -> bool:
    """Find a text in a text, a value in a list, a key in an object."""
    if isinstance(container, str):
        if not isinstance(item, str):
            raise ExpressionFailed(f"A text cannot contain {named(item)}.", hint="compare texts: `str(x) in text`")
        fuel.read_text(len(container) + len(item))
        return item in container
    if isinstance(container, list):
        return position_in(fuel, item, container) is not None
    if kind_of(container) == "object":
        return isinstance(item, str) and item in cast("dict[str, Json]", container)
    raise ExpressionFailed(f"{named(container).capitalize()} contains nothing.")


def negate(value: Json) -> Json:
    """Change the sign of a number."""
    if type(value) in NUMBERS:
        return finite(-cast("Number", value))
    raise ExpressionFailed(f"{named(value).capitalize()} has no sign.")


def keep_sign(value: Json) -> Json:
    """Return a number as it is."""
    if kind_of(value) != "number":
        raise ExpressionFailed(f"{named(value).capitalize()} has no sign.", hint="use `float(x)` or `int(x)`")
    return value


def key_of(value: Json) -> str:
    """Give a key of an object."""
    if not isinstance(value, str):
        raise ExpressionFailed(f"The keys of an object are texts, not {named(value)}.", hint="write `str(key)`")
    return value


def position_in(fuel: Fuel, item: Json, values: list[Json]) -> int | None:
    """Find the first value of a list that equals an item, at a cost in proportion to the list."""
    fuel.read_list(len(values))
    if isinstance(item, str):
        fuel.spend(len(values) * len(item) // 2_000)  # texts of one length are compared by blocks
        return values.index(item) if item in values else None
    if item is None or isinstance(item, bool):
        return next((index for index, value in enumerate(values) if value is item), None)
    if isinstance(item, int | float):
        found = (index for index, value in enumerate(values) if value == item and type(value) is not bool)
        return next(found, None)
    return next((index for index, value in enumerate(values) if equal(fuel, item, value)), None)


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _numbers(symbol: str, left: Json, right: Json) -> tuple[Number, Number]:
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return cast("Number", left), cast("Number", right)
    raise _no_numbers(symbol, left, right)


def _no_numbers(symbol: str, left: Json, right: Json) -> ExpressionFailed:
    kinds = f"{named(left)} and {named(right)}"
    hint = "write a value as text: `str(x)`" if symbol == "+" and "text" in kinds else None
    if any(isinstance(value, str) and _DATE.match(value) for value in (left, right)):
        hint = "dates are texts: `date_add(x, 1, 'days')`, `date_diff(x, y)`, `date_part(x, 'year')`"
    if "null" in kinds:
        hint = "give a value for null: `x ?? 0`"
    return ExpressionFailed(f"`{symbol}` does not work with {kinds}.", hint=hint)


def _divisible(symbol: str, left: Json, right: Json) -> tuple[Number, Number]:
    one, other = _numbers(symbol, left, right)
    if other == 0:
        raise ExpressionFailed("A number is divided by zero.")
    return one, other


OPERATORS: dict[type[ast.operator], Operation] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
    ast.FloorDiv: divide_whole,
    ast.Mod: remainder,
    ast.Pow: power,
}
OF_INTEGERS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
"""Results of ``OPERATORS`` where both sides are integers, before the result is judged."""
OF_NUMBERS: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
"""Results of ``COMPARISONS`` where both sides are numbers."""
COMPARISONS: dict[type[ast.cmpop], Callable[[Fuel, Json, Json], bool]] = {
    ast.Eq: equal,
    ast.NotEq: lambda fuel, left, right: not equal(fuel, left, right),
    ast.Lt: before,
    ast.LtE: lambda fuel, left, right: not before(fuel, right, left),
    ast.Gt: lambda fuel, left, right: before(fuel, right, left),
    ast.GtE: lambda fuel, left, right: not before(fuel, left, right),
    ast.In: contains,
    ast.NotIn: lambda fuel, left, right: not contains(fuel, left, right),
    ast.Is: lambda fuel, left, right: left is right,
    ast.IsNot: lambda fuel, left, right: left is not right,
}
PREFIXES: dict[type[ast.unaryop], Callable[[Json], Json]] = {
    ast.USub: negate,
    ast.UAdd: keep_sign,
    ast.Not: lambda value: not value,
}
