"""The keywords of a schema, and an upper bound of the work they make."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

from kernel.types import Json
from kernel.values import size_of

PATTERNS: Final = frozenset({"pattern", "patternProperties"})
UNEVALUATED: Final = frozenset({"unevaluatedItems", "unevaluatedProperties"})
MAX_OF_A_PATTERN: Final = 2_000
MOST: Final = 2**40
_DATA: Final = frozenset({"const", "enum", "default", "examples"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DEFINITIONS: Final = ("$defs", "definitions")
LOCAL_REFERENCE: Final = re.compile(r"#/(\$defs|definitions)/([^/~%]+)")
_REPEATED: Final = re.compile(r"\{(\d{1,6})(?:,(\d{0,6}))?\}")
_UNICODE_CLASS: Final = re.compile(r"\\[pP]|[^\x00-\x7f]")
_BYTES_AS_A_KEYWORD: Final = 8

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword, where its schema stands, and that schema."""

    path: Path
    name: str
    value: Json
    schema: Mapping[str, Json]


def keywords_of(schema: object, path: Path = ()) -> Iterator[Keyword]:
    """Give every keyword of a schema and the schemas in it, but not the data it quotes or the names it lists."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from keywords_of(item, (*path, index))
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        yield Keyword(path, keyword, value, schema)
        if keyword in _NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield from keywords_of(inner, (*path, keyword, name))
        elif keyword not in _DATA:
            yield from keywords_of(value, (*path, keyword))


def weight_of(schema: Mapping[str, Json]) -> int:
    """Tell how many keywords look at one place of a value at most, with each reference as heavy as what it leads to.

    A pattern counts as the keywords that take as long for one character; every ``unevaluated...`` may look at all
    again. References that lead back to themselves weigh more than anything.
    """
    again = sum(keyword.name in UNEVALUATED for keyword in keywords_of(schema))
    at_root = {name: value for name, value in schema.items() if name not in _DEFINITIONS}
    return min(MOST, _Weigher(schema).weigh(at_root) << min(again, 40))


class _Weigher:
    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self._known: dict[str, int] = {}

    def weigh(self, schema: Json) -> int:
        if isinstance(schema, list):
            return sum(self.weigh(item) for item in schema)
        if not isinstance(schema, dict):
            return 1
        return 1 + sum(self._weigh_keyword(name, value) for name, value in schema.items())

    def _weigh_keyword(self, name: str, value: Json) -> int:
        if name == "$ref":
            return self._weigh_target(str(value))
        if name in _DATA:
            return 1 + size_of(value) // _BYTES_AS_A_KEYWORD
        if name == "pattern":
            return _weight_of_pattern(str(value))
        if name in _NAMED and isinstance(value, dict):
            patterns = sum(map(_weight_of_pattern, value)) if name == "patternProperties" else 0
            return 1 + patterns + sum(self.weigh(inner) for inner in value.values())
        return 1 + self.weigh(value)

    def _weigh_target(self, reference: str) -> int:
        found = LOCAL_REFERENCE.fullmatch(reference)
        definitions = self._root.get(found[1]) if found else None
        if not found or not isinstance(definitions, dict) or found[2] not in definitions:
            return MOST
        if reference not in self._known:
            self._known[reference] = MOST  # for a way that leads back here
            self._known[reference] = self.weigh(definitions[found[2]])
        return self._known[reference]


def _weight_of_pattern(pattern: str) -> int:
    """Bound the states of a compiled pattern: its text, times all that is repeated, as if each were in the other."""
    if _UNICODE_CLASS.search(pattern):
        return MAX_OF_A_PATTERN
    counts = (max(int(least), int(most or 0), 1) for least, most in _REPEATED.findall(pattern))
    return min(MAX_OF_A_PATTERN, reduce(lambda product, count: product * count, counts, 2 * len(pattern) + 1))
