"""Functions that tell kinds of values, and write numbers."""

from collections.abc import Callable
from typing import Final

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed
from segments.expressions.limits import Fuel
from segments.expressions.values import finite, kind_of, need, need_integer


def kind(fuel: Fuel, value: Json, /) -> Json:
    """Name the kind of a value: `text`, `number`, `boolean`, `list`, `object` or `null`."""
    return kind_of(value)


def _is(kind: str) -> Callable[[Fuel, Json], Json]:
    """Make a function that tells whether a value is of a kind."""

    def function(fuel: Fuel, value: Json, /) -> Json:
        return kind_of(value) == kind

    return function


def is_empty(fuel: Fuel, value: Json, /) -> Json:
    """Tell whether a value is null, a text of blanks, or a list or object without values."""
    if isinstance(value, str):
        fuel.read_text(len(value))
        return not value or value.isspace()
    return value is None or (kind_of(value) in {"list", "object"} and not value)


def format_number(fuel: Fuel, number: Json, digits: Json = 2, /, *, thousands: Json = ",", point: Json = ".") -> Json:
    """Write a number with some digits behind the point, halves to the even neighbour, and marks between thousands."""
    places = need_integer(digits, "`format_number`")
    if not 0 <= places <= 20:
        raise ExpressionFailed("`format_number` needs 0 to 20 digits.")
    marks = [str(need("text", mark, "A mark of `format_number`")) for mark in (thousands, point)]
    if max(map(len, marks)) > 3:
        raise ExpressionFailed("A mark of `format_number` has at most 3 characters.")
    fuel.spend(4)
    text = f"{finite(need('number', number, '`format_number`')):,.{places}f}"
    return text.replace(",", "\0").replace(".", marks[1]).replace("\0", marks[0])


KINDS: Final[dict[str, Callable[..., Json]]] = {
    "type": kind,
    "is_text": _is("text"),
    "is_number": _is("number"),
    "is_boolean": _is("boolean"),
    "is_list": _is("list"),
    "is_object": _is("object"),
    "is_null": _is("null"),
    "is_empty": is_empty,
    "format_number": format_number,
}
