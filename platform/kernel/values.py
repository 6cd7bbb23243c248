"""Values as the platform keeps them: plain JSON, bounded, written and read back the same.

A value enters in one of two ways, and both leave nothing but exact `None, bool, int, float, str,
list, dict`: text from outside through `parse_json`, Python values from handlers through `normalise`.
Everything behind them may rely on it.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final, Literal, NoReturn, TypeAlias, get_args

import orjson

from kernel.errors import ErrorItem, Invalid, Malformed
from kernel.numbers import MAX_DIGITS, MAX_SAFE_INTEGER, changed_digits
from kernel.types import Json

BigIntegers: TypeAlias = Literal["refuse", "text"]

MAX_DEPTH = 64
MAX_VALUE_BYTES = 1024 * 1024
TOO_LARGE_NUMBER = "A number is beyond 2^53, where not every reader keeps all digits: send its digits as a text."

_STRICT_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_STRICT_INTEGER
)
# Possessive, and with an optional closing quote: linear on any text, also on strings never closed.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_LONG_DIGITS = re.compile(r"[0-9.]{16}")
"""Digits of a number beyond 2^53 that are not all kept."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MAX_SAFE_DIGITS = len(str(MAX_SAFE_INTEGER))
_BEYOND = MAX_SAFE_INTEGER + 1
"""Stands for a number that would change, while its place is looked for."""


class MalformedJson(Malformed):
    """The text is not the JSON we read: syntax, encoding, duplicate keys, NaN, nesting."""

    code = "MALFORMED_JSON"
    title = "The text is not valid JSON"


class ValueRefused(Invalid):
    """A value that cannot be kept: NUL, a lone surrogate, a number out of range, not JSON."""

    code = "VALUE_REFUSED"
    title = "The value cannot be stored"


class ValueTooLarge(Invalid):
    """A value over its bound in bytes."""

    code = "VALUE_TOO_LARGE"
    title = "The value is too large"


def parse_json(data: bytes | str, *, max_depth: int = MAX_DEPTH, big_integers: BigIntegers = "refuse") -> Json:
    """Read JSON text strictly.

    The nesting is counted before anything is parsed, so hostile text costs one linear scan.

    Args:
        data: The text; bytes must be UTF-8, a leading byte order mark is skipped.
        max_depth: Containers within containers; a scalar has depth 0.
        big_integers: What becomes of integers beyond 2^53, and of other numbers there that would change: an error,
            or their digits as text.

    Returns:
        The value, plain and normalised.

    Raises:
        MalformedJson: Bad syntax or encoding, a duplicate key, NaN or an infinite number, or
            nesting deeper than `max_depth`.
        ValueRefused: NUL, a lone surrogate, or a number out of range.
    """
    text = _decode(data)
    if text.count("[") + text.count("{") > max_depth:
        _check_text_depth(text, max_depth)
    decoder = _DECODERS[big_integers] if _LONG_DIGITS.search(text) else _PLAIN_DECODER
    try:
        value: Json = decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _malformed("INVALID_SYNTAX", f"{error.msg} ({place}).") from error
    except ValueRefused:
        _find_number(text)
        raise
    if _SUSPECT_ESCAPE.search(text):
        _check_characters(value)
    return value


def load_json(data: bytes | str) -> Any:
    """Read JSON of a stranger as it comes; numbers beyond 2^53 become text as in ``parse_json``.

    NUL and halves of characters stay in texts, NaN is a number, and of a key that comes twice the last counts: for
    pieces that are mended and judged once they are whole.

    Raises:
        ValueError: No JSON.
        RecursionError: It is nested too deeply.
        ValueRefused: A number has too many digits.
    """
    text = data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
    if _LONG_DIGITS.search(text) is None:
        return json.loads(text)
    return json.loads(text, parse_int=_INTEGERS["text"], parse_float=load_number)


def normalise(value: object, *, big_integers: BigIntegers = "refuse") -> Json:
    """Copy a Python value into plain JSON.

    Every step's result passes through here, so the usual value takes one round trip through the
    encoder; only what that cannot vouch for is walked.

    Args:
        value: What a handler produced.
        big_integers: What becomes of integers beyond 2^53: an error, or their digits as text.

    Returns:
        A copy that shares nothing mutable with `value`.

    Raises:
        ValueRefused: It holds NUL, a lone surrogate, NaN or an infinite number, an integer out of
            range, something that is not JSON (sets, tuples, objects), or is deeper than 64.
    """
    try:
        encoded = orjson.dumps(value, option=_STRICT_OPTIONS)
    except (TypeError, RecursionError):
        return _copy(value, (), big_integers)
    if b"\\u0000" in encoded:
        return _copy(value, (), big_integers)
    copy: Json = orjson.loads(encoded)
    may_be_deep = encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH
    # NaN comes back as null and a tuple as a list: both compare unequal here.
    if copy != value or (may_be_deep and is_deeper(copy, MAX_DEPTH)):
        return _copy(value, (), big_integers)
    return copy


def dump_json(value: Json) -> str:
    """Write a normalised value as compact JSON text; keys keep their order.

    Reading the text gives an equal value; the same value always gives the same text.
    """
    return orjson.dumps(value).decode()


def size_of(value: Json) -> int:
    """Return the bytes a normalised value takes when stored."""
    return len(orjson.dumps(value))


def check_size(value: Json, *, limit: int = MAX_VALUE_BYTES) -> int:
    """Return the size of a normalised value, in bytes.

    Raises:
        ValueTooLarge: It is over `limit`.
    """
    size = size_of(value)
    check_bytes(size, limit=limit)
    return size


def check_bytes(size: int, *, limit: int = MAX_VALUE_BYTES) -> None:
    """Look at the size of a value; raises as ``check_size``."""
    if size > limit:
        raise ValueTooLarge(
            f"The value takes {size} bytes; at most {limit} are kept.",
            extra={"size": size, "limit": limit},
        )


def check_depth(value: Json) -> None:
    """Look at a value made of normalised ones.

    Raises:
        ValueRefused: It is deeper than 64.
    """
    if is_deeper(value, MAX_DEPTH):
        raise _refused("TOO_DEEP", f"The nesting is deeper than {MAX_DEPTH}.", None)


def is_deeper(value: Json, levels: int) -> bool:
    """Whether containers stand within more containers than some levels; level by level, at little cost."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        if not level:
            return False
        inner = chain.from_iterable(one.values() if type(one) is dict else one for one in level)
        level = [one for one in inner if type(one) is dict or type(one) is list]
    return bool(level)


def shortened(text: str, most: int) -> str:
    """Cut a text to ``most`` characters; the last tells that there was more."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def pointer_of(path: Iterable[str | int]) -> str:
    """Spell a path of keys and indexes as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _decode(data: bytes | str) -> str:
    if isinstance(data, str):
        if _SURROGATE.search(data):
            raise _malformed("INVALID_ENCODING", "The text holds a lone surrogate.")
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        detail = f"The text is not UTF-8 (byte {error.start})."
        raise _malformed("INVALID_ENCODING", detail) from error


def _check_text_depth(text: str, max_depth: int) -> None:
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > max_depth:
                detail = f"The nesting is deeper than {max_depth} (character {token.start()})."
                raise _malformed("TOO_DEEP", detail)
        elif first != '"':
            depth -= 1


def _unique_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    raise _malformed("DUPLICATE_KEY", f"An object has the key {_shown(key)} twice.")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if math.isfinite(number):
        return number
    raise _malformed("NOT_FINITE", "A number is too large for a JSON number.")


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed("NOT_FINITE", f"{name} is not JSON.")


def _integer_reader(big_integers: BigIntegers) -> Callable[[str], Json]:
    def read(digits: str) -> Json:
        if len(digits) < _MAX_SAFE_DIGITS:
            return int(digits)
        _check_digits(digits)
        number = int(digits)
        if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
            return number
        return _beyond(digits, big_integers)

    return read


def _fraction_reader(big_integers: BigIntegers) -> Callable[[str], Json]:
    def read(written: str) -> Json:
        number = _finite_float(written)
        digits = changed_digits(written)
        return number if digits is None else _beyond(digits, big_integers)

    return read


def _beyond(digits: str, big_integers: BigIntegers) -> str:
    _check_digits(digits)
    if big_integers == "text":
        return digits
    raise _refused("INTEGER_TOO_LARGE", TOO_LARGE_NUMBER, None)


def _check_digits(digits: str) -> None:
    if len(digits) > MAX_DIGITS:
        raise _refused("INTEGER_TOO_LARGE", f"A number has {len(digits)} digits.", None)


def _decoder(parse_int: Callable[[str], Json], parse_float: Callable[[str], Json]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_unique_object,
        parse_float=parse_float,
        parse_int=parse_int,
        parse_constant=_refuse_constant,
    )


# Only a text with a long run of digits pays for more than it must per number.
_PLAIN_DECODER = _decoder(int, _finite_float)
_INTEGERS: dict[BigIntegers, Callable[[str], Json]] = {way: _integer_reader(way) for way in get_args(BigIntegers)}
_FRACTIONS: dict[BigIntegers, Callable[[str], Json]] = {way: _fraction_reader(way) for way in get_args(BigIntegers)}
_DECODERS = {way: _decoder(reader, _FRACTIONS[way]) for way, reader in _INTEGERS.items()}
_FINDING_DECODER = _decoder(int, lambda written: _finite_float(written) if changed_digits(written) is None else _BEYOND)
load_number: Final = _FRACTIONS["text"]
"""Read one number of a stranger that has a fraction or an exponent, as ``load_json`` does."""


def _find_number(text: str) -> None:
    """Refuse the first number out of range with its pointer; one of too many digits has no place."""
    try:
        value = _FINDING_DECODER.decode(text)
    except ValueError:
        return
    _copy(value, (), "refuse")


def _check_characters(value: Json) -> None:
    """Refuse NUL and lone surrogates in a parsed value; anything else in it is known to be good."""
    _copy(value, (), "text")


def _copy(value: object, path: tuple[str | int, ...], big_integers: BigIntegers) -> Json:
    """Walk a value and copy it, or say with a pointer what is wrong with it."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _copy_text(value, path)
    if isinstance(value, int | float):
        return _copy_number(value, path, big_integers)
    if not isinstance(value, list | dict):
        detail = f"A value of the type {type(value).__name__} is not JSON."
        raise _refused("NOT_JSON", detail, path)
    if len(path) >= MAX_DEPTH:
        raise _refused("TOO_DEEP", f"The nesting is deeper than {MAX_DEPTH}.", path)
    if isinstance(value, list):
        return [_copy(item, (*path, index), big_integers) for index, item in enumerate(value)]
    return {_copy_key(key, path): _copy(item, (*path, key), big_integers) for key, item in value.items()}


def _copy_text(text: str, path: tuple[str | int, ...]) -> str:
    if "\0" in text:
        raise _refused("NUL_CHARACTER", "A text holds the NUL character.", path)
    if _SURROGATE.search(text):
        raise _refused("LONE_SURROGATE", "A text holds a lone surrogate.", path)
    return str.__str__(text)


def _copy_key(key: object, path: tuple[str | int, ...]) -> str:
    if isinstance(key, str):
        return _copy_text(key, path)
    raise _refused("NOT_JSON", f"An object key of the type {type(key).__name__} is not JSON.", path)


def _copy_number(number: float, path: tuple[str | int, ...], big_integers: BigIntegers) -> float | str:
    if isinstance(number, float):
        if math.isfinite(number):
            return float.__float__(number)
        raise _refused("NOT_FINITE", "NaN and infinite numbers are not JSON.", path)
    if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
        return int.__int__(number)
    if big_integers == "refuse":
        raise _refused("INTEGER_TOO_LARGE", TOO_LARGE_NUMBER, path)
    try:
        return int.__repr__(number)
    except ValueError as error:
        detail = f"An integer has more than {MAX_DIGITS} digits."
        raise _refused("INTEGER_TOO_LARGE", detail, path) from error


def _malformed(code: str, detail: str) -> MalformedJson:
    return MalformedJson(detail, errors=[ErrorItem(code=code, detail=detail)])


def _refused(code: str, detail: str, path: tuple[str | int, ...] | None) -> ValueRefused:
    pointer = None if path is None else _shown_pointer(path)
    return ValueRefused(detail, errors=[ErrorItem(code=code, detail=detail, pointer=pointer)])


def _shown_pointer(path: tuple[str | int, ...]) -> str:
    return pointer_of(_shown_part(part) for part in path)


def _shown_part(part: str | int) -> str | int:
    if isinstance(part, int):
        return part
    clean = _SURROGATE.sub("\ufffd", part).replace("\0", "\ufffd")
    return clean if len(clean) <= 64 else clean[:63] + "…"


def _shown(key: str) -> str:
    return json.dumps(_shown_part(key), ensure_ascii=False)
