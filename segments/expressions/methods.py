"""The methods of texts, lists, objects and numbers. None changes its value; each charges before it works."""

from collections.abc import Callable
from typing import Final, cast

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed, MissingName
from segments.expressions.limits import Fuel
from segments.expressions.operators import contains, position_in
from segments.expressions.signature import Signature, signature_of
from segments.expressions.values import MadeList, equal, finite, named, need, need_integer, text_of

WHITE_SPACE: Final = " \t\n\r\v\f\x1c\x1d\x1e\x1f" + "".join(filter(str.isspace, map(chr, range(0x80, 0x3001))))
LINE_ENDS: Final = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
ASCII_SEPARATORS: Final = 10
"""Most of either that may stand in a text of ASCII."""


def _text(value: Json, owner: str) -> str:
    return cast("str", need("text", value, owner))


def _object(value: Json, owner: str) -> dict[str, Json]:
    return cast("dict[str, Json]", need("object", value, owner))


def _mapped(name: str, change: Callable[[str], str]) -> Callable[[Fuel, Json], Json]:
    """Make a method that changes a text to one that is not much longer."""

    def method(fuel: Fuel, text: Json, /) -> Json:
        source = _text(text, f"`{name}`")
        fuel.make_text(len(source))
        return change(source)

    return method


def _stripped(name: str, change: Callable[[str, str | None], str]) -> Callable[..., Json]:
    """Make a method that takes characters off the ends of a text."""

    def method(fuel: Fuel, text: Json, characters: Json = None, /) -> Json:
        source = _text(text, f"`{name}`")
        taken = None if characters is None else _text(characters, f"`{name}`")
        fuel.make_text(len(source))
        # Each character of the text is looked up among those to take off, one after the other.
        fuel.read_text(len(source) * len(taken or ""))
        return change(source, taken)

    return method


upper = _mapped("upper", str.upper)
lower = _mapped("lower", str.lower)
strip = _stripped("strip", str.strip)
strip_left = _stripped("lstrip", str.lstrip)
strip_right = _stripped("rstrip", str.rstrip)


def _tested(name: str, test: Callable[[str, str], bool]) -> Callable[..., Json]:
    """Make a method that looks for one text, or one of some, at an end of a text."""

    def method(fuel: Fuel, text: Json, part: Json, /) -> Json:
        source = _text(text, f"`{name}`")
        parts = part if isinstance(part, list) else [part]
        for one in parts:
            fuel.spend(1)
            fuel.read_text(len(_text(one, f"`{name}`")))
        return any(test(source, cast("str", one)) for one in parts)

    return method


starts_with = _tested("startswith", str.startswith)
ends_with = _tested("endswith", str.endswith)


def split(fuel: Fuel, text: Json, separator: Json = None, limit: Json = -1, /) -> Json:
    """Cut a text at a separator; without one at white space; at an empty one into characters."""
    source = _text(text, "`split`")
    most = need_integer(limit, "`split`")
    if separator is None:
        fuel.read_text(2 * len(source))
        fuel.make_list(min(_pieces(source, WHITE_SPACE), most + 1 if most >= 0 else len(source)))
        return cast("list[Json]", source.split(None, most))
    cut = _text(separator, "`split`")
    if not cut:
        return characters(fuel, source)
    fuel.read_text(2 * (len(source) + len(cut)))
    pieces = source.count(cut) + 1
    fuel.make_list(min(pieces, most + 1) if most >= 0 else pieces)
    fuel.spend(len(source) // 32)
    return cast("list[Json]", source.split(cut, most))


def characters(fuel: Fuel, text: str) -> Json:
    """List the characters of a text; those beyond Latin-1 take a place of their own each."""
    fuel.make_list(len(text))
    if not text.isascii():
        fuel.spend(len(text) // 3)
    return cast("list[Json]", list(text))


def _pieces(source: str, separators: str) -> int:
    """Bound the number of pieces that some characters cut a text into."""
    return 1 + sum(map(source.count, separators[:ASCII_SEPARATORS] if source.isascii() else separators))


def replace(fuel: Fuel, text: Json, old: Json, new: Json, count: Json = -1, /) -> Json:
    """Replace all occurrences of a text, or the first few."""
    source, was, becomes = (_text(one, "`replace`") for one in (text, old, new))
    fuel.read_text(2 * (len(source) + len(was)))
    found = source.count(was)
    most = need_integer(count, "`replace`")
    times = found if most < 0 else min(found, most)
    fuel.make_text(len(source) + times * (len(becomes) - len(was)))
    fuel.spend(times // 8)
    return source.replace(was, becomes, times)


def find(fuel: Fuel, text: Json, part: Json, /) -> Json:
    """Give the place of a text in a text, or -1."""
    source, wanted = _text(text, "`find`"), _text(part, "`find`")
    fuel.read_text(len(source) + len(wanted))
    return source.find(wanted)


def position(fuel: Fuel, value: Json, item: Json, /) -> Json:
    """Give the place of a text in a text or of a value in a list, or -1 (as in JavaScript)."""
    if isinstance(value, str):
        return find(fuel, value, item)
    found = position_in(fuel, item, cast("list[Json]", value))
    return -1 if found is None else found


def index_of(fuel: Fuel, value: Json, item: Json, /) -> Json:
    """Give the place of a text in a text or of a value in a list; it has to be there (as in Python)."""
    found = position(fuel, value, item)
    if found == -1:
        raise MissingName("The value given to `index` is not there.", hint="use `indexOf`, which gives -1")
    return found


def count(fuel: Fuel, value: Json, item: Json, /) -> Json:
    """Count a text in a text or a value in a list."""
    if isinstance(value, str):
        wanted = _text(item, "`count`")
        fuel.read_text(len(value) + len(wanted))
        return value.count(wanted)
    listed = cast("list[Json]", value)
    fuel.spend(len(listed))
    return sum(equal(fuel, item, one) for one in listed)


def includes(fuel: Fuel, value: Json, item: Json, /) -> Json:
    """Find a text in a text or a value in a list."""
    return contains(fuel, item, value)


def part_of(fuel: Fuel, value: Json, start: Json = 0, stop: Json = None, /) -> Json:
    """Give the part of a text or list from a place up to, not including, another; from the end if negative."""
    first = need_integer(start, "`slice`")
    last = None if stop is None else need_integer(stop, "`slice`")
    return cut(fuel, value, slice(first, last))


def cut(fuel: Fuel, value: Json, bounds: slice) -> Json:
    """Give a slice of a text or list."""
    fuel.spend(2)
    if isinstance(value, str):
        fuel.make_text(len(range(*bounds.indices(len(value)))))
        return value[bounds]
    if isinstance(value, list):
        fuel.make_list(len(range(*bounds.indices(len(value)))))
        return list(value[bounds])
    raise ExpressionFailed(f"{named(value).capitalize()} has no parts to cut out.")


def join_values(fuel: Fuel, glue: str, values: Json) -> Json:
    """Join the values of a list to a text; what is not text is written as text."""
    if not isinstance(values, list):
        raise ExpressionFailed(f"`join` needs a list, not {named(values)}.")
    fuel.spend(len(values))
    texts = [text_of(fuel, value) for value in values]
    fuel.make_text(sum(map(len, texts)) + len(glue) * max(len(texts) - 1, 0))
    return glue.join(texts)


def join_with(fuel: Fuel, glue: Json, values: Json, /) -> Json:
    """Join the values of a list with this text between them (as in Python)."""
    return join_values(fuel, _text(glue, "`join`"), values)


def join_list(fuel: Fuel, values: Json, glue: Json = ",", /) -> Json:
    """Join the values of this list with a text between them (as in JavaScript)."""
    return join_values(fuel, _text(glue, "`join`"), values)


def lines(fuel: Fuel, text: Json, /) -> Json:
    """Cut a text into its lines."""
    source = _text(text, "`splitlines`")
    fuel.read_text(2 * len(source))
    pieces = _pieces(source, LINE_ENDS)
    fuel.make_list(pieces)
    fuel.read_list(pieces)
    return cast("list[Json]", source.splitlines())


def without_prefix(fuel: Fuel, text: Json, prefix: Json, /) -> Json:
    """Drop a text from the start, if it is there."""
    source = _text(text, "`removeprefix`")
    fuel.make_text(len(source))
    return source.removeprefix(_text(prefix, "`removeprefix`"))


def without_suffix(fuel: Fuel, text: Json, suffix: Json, /) -> Json:
    """Drop a text from the end, if it is there."""
    source = _text(text, "`removesuffix`")
    fuel.make_text(len(source))
    return source.removesuffix(_text(suffix, "`removesuffix`"))


def _test_of_all(name: str, test: Callable[[str], bool]) -> Callable[[Fuel, Json], Json]:
    """Make a method that asks about all characters of a text."""

    def method(fuel: Fuel, text: Json, /) -> Json:
        source = _text(text, f"`{name}`")
        fuel.read_text(len(source))
        return test(source)

    return method


def padded_left(fuel: Fuel, text: Json, width: Json, filler: Json = " ", /) -> Json:
    """Fill a text up at its start."""
    source, missing = _padding(fuel, text, width, filler)
    return missing + source


def padded_right(fuel: Fuel, text: Json, width: Json, filler: Json = " ", /) -> Json:
    """Fill a text up at its end."""
    source, missing = _padding(fuel, text, width, filler)
    return source + missing


def _padding(fuel: Fuel, text: Json, width: Json, filler: Json) -> tuple[str, str]:
    source, unit = _text(text, "A padded text"), _text(filler, "A padded text")
    wanted = max(need_integer(width, "A padded text") - len(source), 0)
    fuel.make_text(len(source) + wanted)
    if not unit:
        return source, ""
    return source, (unit * (wanted // len(unit) + 1))[:wanted]


def zero_filled(fuel: Fuel, text: Json, width: Json, /) -> Json:
    """Fill a text up with zeros at its start."""
    source = _text(text, "`zfill`")
    wanted = need_integer(width, "`zfill`")
    fuel.make_text(max(len(source), wanted))
    return source.zfill(wanted)


def concatenated(fuel: Fuel, values: Json, /, *others: Json) -> Json:
    """Join lists, or a list and single values (as in JavaScript)."""
    made = list(cast("list[Json]", values))
    for other in others:
        more = other if isinstance(other, list) else [other]
        fuel.make_list(len(made) + len(more))
        made.extend(more)
    return made


def get(fuel: Fuel, value: Json, key: Json, default: Json = None, /) -> Json:
    """Give the value of a key, or the default."""
    return _object(value, "`get`").get(_text(key, "The key given to `get`"), default)


def keys(fuel: Fuel, value: Json, /) -> Json:
    """List the keys of an object."""
    source = _object(value, "`keys`")
    fuel.make_list(len(source))
    return list(source)


def values(fuel: Fuel, value: Json, /) -> Json:
    """List the values of an object."""
    source = _object(value, "`values`")
    fuel.make_list(len(source))
    return list(source.values())


def items(fuel: Fuel, value: Json, /) -> Json:
    """List the pairs of key and value of an object."""
    source = _object(value, "`items`")
    fuel.make_list(len(source))
    fuel.spend(len(source))
    return [MadeList([key, one]) for key, one in source.items()]


def fixed(fuel: Fuel, number: Json, digits: Json = 0, /) -> Json:
    """Write a number with a fixed number of digits after the point."""
    places = need_integer(digits, "`toFixed`")
    if not 0 <= places <= 20:
        raise ExpressionFailed("`toFixed` needs 0 to 20 digits.")
    return f"{finite(cast('float', number)):.{places}f}"


def as_text(fuel: Fuel, value: Json, /) -> Json:
    """Write a value as text."""
    return text_of(fuel, value)


_OF_TEXTS: dict[str, Callable[..., Json]] = {
    "upper": upper,
    "toUpperCase": upper,
    "lower": lower,
    "toLowerCase": lower,
    "casefold": _mapped("casefold", str.casefold),
    "capitalize": _mapped("capitalize", str.capitalize),
    "title": _mapped("title", str.title),
    "strip": strip,
    "trim": _mapped("trim", str.strip),
    "lstrip": strip_left,
    "trimStart": _mapped("trimStart", str.lstrip),
    "rstrip": strip_right,
    "trimEnd": _mapped("trimEnd", str.rstrip),
    "startswith": starts_with,
    "startsWith": starts_with,
    "endswith": ends_with,
    "endsWith": ends_with,
    "includes": includes,
    "contains": includes,
    "split": split,
    "splitlines": lines,
    "join": join_with,
    "replace": replace,
    "replaceAll": replace,
    "find": find,
    "indexOf": position,
    "index": index_of,
    "count": count,
    "slice": part_of,
    "removeprefix": without_prefix,
    "removesuffix": without_suffix,
    "isdigit": _test_of_all("isdigit", str.isdigit),
    "isalpha": _test_of_all("isalpha", str.isalpha),
    "isalnum": _test_of_all("isalnum", str.isalnum),
    "isnumeric": _test_of_all("isnumeric", str.isnumeric),
    "isspace": _test_of_all("isspace", str.isspace),
    "isupper": _test_of_all("isupper", str.isupper),
    "islower": _test_of_all("islower", str.islower),
    "padStart": padded_left,
    "rjust": padded_left,
    "padEnd": padded_right,
    "ljust": padded_right,
    "zfill": zero_filled,
    "toString": as_text,
}
_OF_LISTS: dict[str, Callable[..., Json]] = {
    "includes": includes,
    "contains": includes,
    "indexOf": position,
    "index": index_of,
    "count": count,
    "join": join_list,
    "slice": part_of,
    "concat": concatenated,
}
_OF_OBJECTS: dict[str, Callable[..., Json]] = {"get": get, "keys": keys, "values": values, "items": items}
_OF_NUMBERS: dict[str, Callable[..., Json]] = {"toFixed": fixed, "toString": as_text}

METHODS: dict[str, dict[str, Signature]] = {
    kind: {name: signature_of(call, leading=2) for name, call in table.items()}
    for kind, table in {"text": _OF_TEXTS, "list": _OF_LISTS, "object": _OF_OBJECTS, "number": _OF_NUMBERS}.items()
}
