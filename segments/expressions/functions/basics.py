"""Functions of numbers, texts, lists and objects."""

import math
import re
from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any, Final, cast

from kernel.types import Json
from segments.expressions import methods
from segments.expressions.errors import ExpressionFailed, LimitPassed
from segments.expressions.limits import MAX_TEXT, Fuel, number_too_large
from segments.expressions.operators import add, contains
from segments.expressions.values import (
    MISSING,
    NUMBERS,
    MadeList,
    MadeObject,
    before,
    computed,
    distinct,
    finite,
    kind_of,
    named,
    need,
    need_integer,
    need_list,
    text_of,
)

NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
MAX_NUMBER_LENGTH = 1_000  # characters


def length(fuel: Fuel, value: Json, /) -> Json:
    """Count the characters, values or keys."""
    if kind_of(value) not in {"text", "list", "object"}:
        raise ExpressionFailed(f"{named(value).capitalize()} has no length.")
    return len(cast("str", value))


def any_of(fuel: Fuel, values: Json, /) -> Json:
    """Tell whether a value of a list holds."""
    return any(need_list(fuel, values, "`any`"))


def all_of(fuel: Fuel, values: Json, /) -> Json:
    """Tell whether all values of a list hold."""
    return all(need_list(fuel, values, "`all`"))


def total(fuel: Fuel, values: Json, start: Json = 0, /) -> Json:
    """Add the numbers of a list; true counts as 1."""
    listed = need_list(fuel, values, "`sum`")
    kinds = {type(start), *map(type, listed)}
    if kinds <= NUMBERS:
        return _total_of_numbers(fuel, [cast("float", start), *cast("list[float]", listed)], are_whole=kinds == {int})
    sum_: Json = start
    for value in listed:
        fuel.spend(2)
        sum_ = add(fuel, sum_, int(value) if isinstance(value, bool) else value)
    return sum_


def _total_of_numbers(fuel: Fuel, numbers: list[float], *, are_whole: bool) -> int | float:
    """Add numbers exactly, and round once."""
    fuel.spend(len(numbers) // 4)
    try:
        return computed(fuel, sum(numbers) if are_whole else math.fsum(numbers))
    except OverflowError:
        raise number_too_large() from None


def smallest(fuel: Fuel, /, *values: Json, default: Json = MISSING) -> Json:
    """Give the value that sorts first."""
    return _extreme(fuel, values, default, min, lambda value, best: before(fuel, value, best))


def largest(fuel: Fuel, /, *values: Json, default: Json = MISSING) -> Json:
    """Give the value that sorts last."""
    return _extreme(fuel, values, default, max, lambda value, best: before(fuel, best, value))


def _extreme(
    fuel: Fuel,
    values: tuple[Json, ...],
    default: Json,
    pick: Callable[[list[float]], float],
    wins: Callable[[Json, Json], bool],
) -> Json:
    listed = need_list(fuel, values[0], "The smallest or largest of one value") if len(values) == 1 else list(values)
    if not listed:
        if default is MISSING:
            raise ExpressionFailed("An empty list has no smallest or largest value.", hint="give `default=`")
        return default
    if NUMBERS.issuperset(map(type, listed)):
        fuel.read_list(len(listed))
        return pick(cast("list[float]", listed))
    best = listed[0]
    for value in listed:
        fuel.spend(1)
        if wins(value, best):
            best = value
    return best


def in_order(fuel: Fuel, values: Json, /, *, reverse: Json = False) -> Json:
    """Sort a list of numbers, of texts or of lists; equal values keep their order."""
    listed = need_list(fuel, values, "`sorted`")
    fuel.make_list(len(listed))
    kinds = {kind_of(value) for value in listed}
    if kinds <= {"number"} or kinds == {"text"}:
        rounds = len(listed).bit_length()
        fuel.spend(len(listed) * rounds // 8)
        if kinds == {"text"}:
            fuel.read_text(sum(len(cast("str", value)) for value in listed) * rounds)
        return sorted(cast("list[Any]", listed), reverse=bool(reverse))

    def order(left: Json, right: Json) -> int:
        fuel.spend(8)
        return -1 if before(fuel, left, right) else int(before(fuel, right, left))

    return sorted(listed, key=cmp_to_key(order), reverse=bool(reverse))


def backwards(fuel: Fuel, values: Json, /) -> Json:
    """Give a list or text from its end to its start."""
    if isinstance(values, str):
        fuel.make_text(len(values))
        return values[::-1]
    listed = need_list(fuel, values, "`reversed`")
    fuel.make_list(len(listed))
    return listed[::-1]


def rounded(fuel: Fuel, number: Json, digits: Json = None, /) -> Json:
    """Round to some digits, halves to the even neighbour; without digits to a whole number."""
    value = finite(need("number", number, "`round`"))
    if digits is None:
        return finite(round(value))
    return finite(round(value, max(-20, min(20, need_integer(digits, "`round`")))))


def rounded_down(fuel: Fuel, number: Json, /) -> Json:
    """Round to the whole number below."""
    return finite(math.floor(finite(need("number", number, "`floor`"))))


def rounded_up(fuel: Fuel, number: Json, /) -> Json:
    """Round to the whole number above."""
    return finite(math.ceil(finite(need("number", number, "`ceil`"))))


def absolute(fuel: Fuel, number: Json, /) -> Json:
    """Drop the sign of a number."""
    return finite(abs(need("number", number, "`abs`")))


def _defaulted(read: Callable[[Fuel, Json], Json]) -> Callable[..., Json]:
    """Make a function that takes a default for values which cannot be read."""

    def function(fuel: Fuel, value: Json, default: Json = MISSING, /) -> Json:
        try:
            return read(fuel, value)
        except ExpressionFailed:
            if default is MISSING or fuel.left < 0:
                raise
            return default

    return function


def to_whole(fuel: Fuel, value: Json, /) -> Json:
    """Make a whole number of a number (towards zero), a boolean or a text such as `7`."""
    if isinstance(value, str):
        digits = _number_in(fuel, value, "int")
        if not digits.lstrip("+-").isdigit():
            raise ExpressionFailed("The text is not a whole number.", hint="use `int(float(x))`")
        return finite(int(digits))
    if isinstance(value, int | float):
        return finite(int(finite(value) if not isinstance(value, bool) else value))
    raise ExpressionFailed(f"{named(value).capitalize()} is not a number.")


def to_fraction(fuel: Fuel, value: Json, /) -> Json:
    """Make a number with a fraction of a number, a boolean or a text such as `42.50`."""
    if isinstance(value, str):
        return finite(float(_number_in(fuel, value, "float")))
    if isinstance(value, int | float):
        return finite(float(finite(value) if not isinstance(value, bool) else value))
    raise ExpressionFailed(f"{named(value).capitalize()} is not a number.")


def _number_in(fuel: Fuel, text: str, owner: str) -> str:
    """Give the digits of a text that is a number, without the blanks around it."""
    fuel.read_text(4 * len(text))
    short = text.strip() if len(text) < MAX_TEXT else ""
    if not NUMBER.fullmatch(short):
        raise ExpressionFailed(f"The text given to `{owner}` is not a number.")
    if len(short) > MAX_NUMBER_LENGTH:
        raise LimitPassed(
            f"`{owner}` reads numbers of at most {MAX_NUMBER_LENGTH} characters.", hint="keep it as a text"
        )
    return short


def to_text(fuel: Fuel, value: Json, /) -> Json:
    """Write a value as text: null is empty, lists and objects are JSON."""
    return text_of(fuel, value)


def to_boolean(fuel: Fuel, value: Json, /) -> Json:
    """Tell whether a value holds: not null, false, zero or empty."""
    return bool(value)


def to_list(fuel: Fuel, value: Json = None, /) -> Json:
    """List the values of a list, the characters of a text, the keys of an object."""
    if value is None:
        return []
    if isinstance(value, str):
        return methods.characters(fuel, value)
    if kind_of(value) == "object":
        return methods.keys(fuel, value)
    listed = need_list(fuel, value, "`list`")
    fuel.make_list(len(listed))
    return list(listed)


def to_object(fuel: Fuel, value: Json, /) -> Json:
    """Make an object of a list of pairs."""
    if kind_of(value) == "object":
        return value
    listed = need_list(fuel, value, "`dict`")
    fuel.make_list(len(listed))
    made = MadeObject()
    for pair in listed:
        fuel.spend(1)
        if not isinstance(pair, list) or len(pair) != 2:
            raise ExpressionFailed("`dict` needs a list of pairs.")
        made[need("text", pair[0], "A key of an object")] = pair[1]
    return made


def to_set(fuel: Fuel, values: Json = None, /) -> Json:
    """Keep the first of equal values; only for use inside a larger expression."""
    return distinct(fuel, cast("list[Json]", to_list(fuel, values)))


def counting(fuel: Fuel, start: Json, stop: Json = None, step: Json = 1, /) -> Json:
    """List the whole numbers from a start up to, not including, a stop."""
    first, last, by = (need_integer(x, "`range`") for x in ((0, start, step) if stop is None else (start, stop, step)))
    if by == 0:
        raise ExpressionFailed("The step of `range` is zero.")
    span = range(first, last, by)
    fuel.make_list(len(span))
    return list(span)


def in_parallel(fuel: Fuel, /, *values: Json) -> Json:
    """List the first values of some lists, then the second, up to the end of the shortest."""
    listed = [need_list(fuel, value, "`zip`") for value in values]
    count = min((len(one) for one in listed), default=0)
    fuel.make_list(count)
    fuel.spend(count * len(listed))
    return [MadeList(group) for group in zip(*listed, strict=False)]


def numbered(fuel: Fuel, values: Json, start: Json = 0, /) -> Json:
    """List the pairs of number and value of a list."""
    listed = need_list(fuel, values, "`enumerate`")
    fuel.make_list(len(listed))
    fuel.spend(len(listed))
    first = need_integer(start, "`enumerate`")
    return [MadeList([first + index, value]) for index, value in enumerate(listed)]


def look_up(fuel: Fuel, value: Json, path: Json, default: Json = None, /) -> Json:
    """Follow a path such as `a.b.0` and give the default where it ends early."""
    if isinstance(path, int) and not isinstance(path, bool):
        path = str(path)
    way = cast("str", need("text", path, "The path of `get`"))
    fuel.make_text(len(way))
    found = value
    for part in way.split("."):
        fuel.spend(1)
        if isinstance(found, list) and len(part) < 9 and part.lstrip("-").isdigit() and part.isascii():
            index = int(part)
            found = found[index] if -len(found) <= index < len(found) else MISSING
        else:
            found = found.get(part, MISSING) if isinstance(found, Mapping) else MISSING
        if found is MISSING:
            return default
    return found


def joined(fuel: Fuel, values: Json, separator: Json = "", /) -> Json:
    """Join the values of a list to a text; what is not text is written as text."""
    glue = cast("str", need("text", separator, "`join`"))
    texts = [text_of(fuel, value) for value in need_list(fuel, values, "`join`")]
    fuel.spend(len(texts))
    fuel.make_text(sum(map(len, texts)) + len(glue) * max(len(texts) - 1, 0))
    return glue.join(texts)


def has(fuel: Fuel, container: Json, item: Json, /) -> Json:
    """Find a text in a text, a value in a list, a key in an object."""
    return contains(fuel, item, container)


def as_it_is(fuel: Fuel, value: Json, /) -> Json:
    """Give a value back: where a template escapes values, one that is `raw(...)` is not."""
    return value


BASICS: Final[dict[str, Callable[..., Json]]] = {
    "len": length,
    "size": length,
    "any": any_of,
    "all": all_of,
    "sum": total,
    "min": smallest,
    "max": largest,
    "sorted": in_order,
    "reversed": backwards,
    "round": rounded,
    "floor": rounded_down,
    "ceil": rounded_up,
    "abs": absolute,
    "int": _defaulted(to_whole),
    "float": _defaulted(to_fraction),
    "str": to_text,
    "bool": to_boolean,
    "list": to_list,
    "dict": to_object,
    "set": to_set,
    "keys": methods.keys,
    "values": methods.values,
    "items": methods.items,
    "range": counting,
    "zip": in_parallel,
    "enumerate": numbered,
    "get": look_up,
    "join": joined,
    "split": methods.split,
    "replace": methods.replace,
    "upper": methods.upper,
    "lower": methods.lower,
    "trim": methods.strip,
    "contains": has,
    "raw": as_it_is,
}
