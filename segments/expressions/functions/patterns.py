"""Functions with regular expressions, on an engine whose time is linear in the text (RE2)."""

import re
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, cast

import re2

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed
from segments.expressions.limits import Fuel
from segments.expressions.values import MadeList, MadeObject, need

MAX_PATTERN: Final = 1_000  # characters
MEMORY: Final = 1 << 18
WORK_PER_UNIT: Final = 64
"""Steps of the program times bytes of the text: what a pattern may cost at worst."""
AHEAD_PER_UNIT: Final = 192
"""Bytes behind a match, which the engine may have looked through to find it."""
HERE_SECONDS: Final = 0.003
"""Time for finding many matches where others wait for it: how far the engine looks ahead is not known before."""
_GROUP: Final = re.compile(r"\\([0-9])")


def matches(fuel: Fuel, text: Json, pattern: Json, /) -> Json:
    """Tell whether a pattern is found in a text; `^` and `$` stand for its ends."""
    return next(_matches(fuel, text, pattern, "matches"), None) is not None


def find(fuel: Fuel, text: Json, pattern: Json, default: Json = None, /) -> Json:
    """Give the first match: its text; of a pattern with a group that group, with more a list, with names an object."""
    match = next(_matches(fuel, text, pattern, "find"), None)
    return default if match is None else _value_of(fuel, match)


def find_all(fuel: Fuel, text: Json, pattern: Json, /) -> Json:
    """List all matches, each as `find` gives it."""
    made = MadeList()
    for match in _matches(fuel, text, pattern, "find_all"):
        made.append(_value_of(fuel, match))
        fuel.grow_list(len(made))
    return made


def replace_re(fuel: Fuel, text: Json, pattern: Json, replacement: Json, /) -> Json:
    r"""Replace every match; `\1` in the replacement is the first group (`$1` is a text), `\0` all of the match."""
    source = cast("str", need("text", text, "`replace_re`"))
    parts = _parts(cast("str", need("text", replacement, "The replacement of `replace_re`")))
    pieces: list[str] = []
    end = 0
    for match in _matches(fuel, source, pattern, "replace_re"):
        pieces += [source[end : match.start()], _filled(match, parts)]
        fuel.make_text(len(pieces[-1]) + len(pieces[-2]))
        end = match.end()
    pieces.append(source[end:])
    fuel.make_text(sum(map(len, pieces)))
    return "".join(pieces)


def split_re(fuel: Fuel, text: Json, pattern: Json, /) -> Json:
    """Cut a text wherever a pattern matches."""
    source = cast("str", need("text", text, "`split_re`"))
    pieces, end = MadeList(), 0
    for match in _matches(fuel, source, pattern, "split_re"):
        pieces.append(source[end : match.start()])
        fuel.grow_list(len(pieces))
        end = match.end()
    pieces.append(source[end:])
    return pieces


def check_pattern(pattern: str) -> None:
    """Find out whether a pattern can be used.

    Raises:
        ExpressionFailed: It cannot.
    """
    _compiled(pattern)


def _matches(fuel: Fuel, text: Json, pattern: Json, owner: str) -> Iterator[Any]:
    """Find the matches one by one; charges for what each may have cost."""
    source = cast("str", need("text", text, f"`{owner}`"))
    regexp = _ready(fuel, cast("str", need("text", pattern, f"The pattern of `{owner}`")))
    size = len(source) if source.isascii() else len(source.encode(errors="replace"))
    fuel.spend_on_text(20 + size * regexp.programsize // WORK_PER_UNIT)
    if not source.isascii() and any("\ud800" <= character <= "\udfff" for character in source):
        raise ExpressionFailed("The text holds half a character (a lone surrogate).")
    started = time.thread_time()
    for match in regexp.finditer(source):
        yield match
        fuel.spend_on_text(8 + (size - match.end()) // AHEAD_PER_UNIT)
        if fuel.is_shared and time.thread_time() - started > HERE_SECONDS:
            raise fuel.exhausted()


def _ready(fuel: Fuel, pattern: str) -> Any:
    """Compile a pattern; in one evaluation each is paid for once, whether or not it is remembered."""
    if pattern not in fuel.patterns:
        fuel.spend(100 + len(pattern))
        fuel.patterns[pattern] = _compiled(pattern)
        fuel.spend(fuel.patterns[pattern].programsize)
    return fuel.patterns[pattern]


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    if len(pattern) > MAX_PATTERN:
        raise ExpressionFailed(f"The pattern is longer than {MAX_PATTERN} characters.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        raise ExpressionFailed(
            "The pattern cannot be used.",
            hint="write `\\\\d` for `\\d` in quotes; looking ahead, back and references in a pattern are not supported",
        ) from None


def _value_of(fuel: Fuel, match: Any) -> Json:
    names, count = match.re.groupindex, match.re.groups
    fuel.spend(count)
    fuel.make_text(match.end() - match.start())
    if names:
        return MadeObject({name: match[name] for name in names})
    if count > 1:
        return MadeList(match.groups())
    return cast("Json", match[count])


def _parts(replacement: str) -> list[str]:
    """Cut a replacement into texts and, at every second place, numbers of groups."""
    return _GROUP.split(replacement)


def _filled(match: Any, parts: list[str]) -> str:
    try:
        return "".join((match[int(part)] or "") if index % 2 else part for index, part in enumerate(parts))
    except IndexError:
        raise ExpressionFailed("The replacement names a group that the pattern does not have.") from None


PATTERNS: Final[dict[str, Callable[..., Json]]] = {
    "matches": matches,
    "find": find,
    "find_all": find_all,
    "replace_re": replace_re,
    "split_re": split_re,
}
