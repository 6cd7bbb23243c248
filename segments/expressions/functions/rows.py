"""Functions for lists of objects: group, sort, add up, pick. A key may be a path such as `customer.id`."""

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any, Final, cast

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed
from segments.expressions.functions.basics import look_up, to_fraction, total
from segments.expressions.limits import Fuel
from segments.expressions.operators import add
from segments.expressions.values import (
    MISSING,
    NUMBERS,
    MadeList,
    MadeObject,
    before,
    distinct,
    kind_of,
    named,
    need,
    need_integer,
    need_list,
    text_of,
)

DEEPEST: Final = 10


def group_by(fuel: Fuel, rows: Json, key: Json, /) -> Json:
    """Make an object with the rows of a list by the value of a key, as text; null and missing are the empty text."""
    made = MadeObject()
    for row, found in _keyed(fuel, rows, key, "group_by"):
        group = made.get(name := found if type(found) is str else text_of(fuel, found))
        if group is None:
            made[name] = MadeList([row])
            fuel.grow_list(len(made))
            fuel.spend(1)
        else:
            cast("list[Json]", group).append(row)
    return made


def sum_by(fuel: Fuel, rows: Json, key: Json, by: Json = None, /) -> Json:
    """Add up a key of a list of rows, null and missing as 0; with another key an object of the sums by its value."""
    numbers = [_counted(fuel, found) for _, found in _keyed(fuel, rows, key, "sum_by")]
    if by is None:
        return total(fuel, numbers)
    addends = MadeObject()
    for number, (_, found) in zip(numbers, _keyed(fuel, rows, by, "sum_by"), strict=True):
        name = found if type(found) is str else text_of(fuel, found)
        if name not in addends:
            addends[name] = []
            fuel.grow_list(len(addends))
        cast("list[Json]", addends[name]).append(number)
    fuel.spend(4 * len(addends))
    return MadeObject((name, total(fuel, listed)) for name, listed in addends.items())


def _counted(fuel: Fuel, found: Json) -> Json:
    if type(found) in NUMBERS:
        return found
    if found is None:
        return 0
    return to_fraction(fuel, found) if isinstance(found, str) else add(fuel, 0, found)


def sort_by(fuel: Fuel, rows: Json, key: Json, /, *, reverse: Json = False) -> Json:
    """Sort a list of rows by a key; those without it come last, equal ones keep their order."""
    pairs = list(_keyed(fuel, rows, key, "sort_by"))
    fuel.grow_list(len(pairs))
    present = [pair for pair in pairs if pair[1] is not None]
    kinds = {kind_of(found) for _, found in present}
    if kinds <= {"number"} or kinds == {"text"}:
        rounds = len(present).bit_length()
        fuel.spend(len(present) * rounds // 8)
        if kinds == {"text"}:
            fuel.read_text(sum(len(cast("str", found)) for _, found in present) * rounds)
        order: Callable[[Any], Any] = _second
    else:
        order = cmp_to_key(lambda left, right: _compared(fuel, left[1], right[1]))
    ordered = sorted(present, key=order, reverse=bool(reverse))
    return MadeList([row for row, _ in ordered] + [row for row, found in pairs if found is None])


def unique(fuel: Fuel, values: Json, key: Json = None, /) -> Json:
    """List the values of a list once each, in the order of their first appearance; by a key, if one is given."""
    if key is None:
        return list(distinct(fuel, need_list(fuel, values, "`unique`")))
    made, seen = MadeList(), set[str]()
    for row, found in _keyed(fuel, values, key, "unique"):
        fuel.spend(3)
        name = f"{kind_of(found)} {text_of(fuel, found)}"
        if name not in seen:
            seen.add(name)
            made.append(row)
    return made


def flatten(fuel: Fuel, values: Json, depth: Json = 1, /) -> Json:
    """Put the values of lists inside a list in their place, as many levels deep as is said."""
    flat = need_list(fuel, values, "`flatten`")
    for _ in range(min(need_integer(depth, "`flatten`"), DEEPEST)):
        if not any(isinstance(value, list) for value in flat):
            break
        made = MadeList()
        for value in flat:
            fuel.spend(1)
            fuel.make_list(len(made) + (len(value) if isinstance(value, list) else 1))
            made.extend(value if isinstance(value, list) else [value])
        flat = made
    return list(flat)


def chunk(fuel: Fuel, values: Json, size: Json, /) -> Json:
    """Cut a list into lists of a size; the last may be shorter."""
    listed, length = need_list(fuel, values, "`chunk`"), need_integer(size, "`chunk`")
    if length < 1:
        raise ExpressionFailed("The size of `chunk` is at least 1.")
    fuel.make_list(len(listed))
    fuel.spend(len(listed) // length)
    return MadeList(MadeList(listed[start : start + length]) for start in range(0, len(listed), length))


def pick(fuel: Fuel, value: Json, /, *keys: Json) -> Json:
    """Keep only some keys of an object, or of each object of a list."""
    wanted = _names(fuel, keys, "pick")
    return _each(fuel, value, "pick", lambda row: {name: row[name] for name in wanted if name in row})


def omit(fuel: Fuel, value: Json, /, *keys: Json) -> Json:
    """Drop some keys of an object, or of each object of a list."""
    dropped = frozenset(_names(fuel, keys, "omit"))
    return _each(fuel, value, "omit", lambda row: {name: one for name, one in row.items() if name not in dropped})


def merge(fuel: Fuel, /, *objects: Json, deep: Json = False) -> Json:
    """Make one object of some; where they have the same key the last one counts. `deep` merges objects below too."""
    made = MadeObject()
    for one in objects:
        if one is not None:
            _merge_into(fuel, made, cast("dict[str, Json]", need("object", one, "`merge`")), DEEPEST if deep else 0)
    return made


def _merge_into(fuel: Fuel, made: MadeObject, other: dict[str, Json], levels: int) -> None:
    fuel.make_list(len(made) + len(other))
    fuel.spend(len(other))
    for key, value in other.items():
        earlier = made.get(key)
        if levels and kind_of(value) == "object" == kind_of(earlier):
            both = MadeObject(cast("dict[str, Json]", earlier))
            fuel.spend(len(both))
            _merge_into(fuel, both, cast("dict[str, Json]", value), levels - 1)
            value = both  # noqa: PLW2901 what both come to
        made[key] = value


def _keyed(fuel: Fuel, rows: Json, key: Json, owner: str) -> Iterable[tuple[Json, Json]]:
    """Give each row of a list with the value of a key, null where it has none."""
    listed, path = need_list(fuel, rows, f"`{owner}`"), cast("str", need("text", key, f"The key of `{owner}`"))
    fuel.spend(len(listed))
    wrong = next((row for row in listed if not isinstance(row, dict)), MISSING)
    if wrong is not MISSING:
        raise ExpressionFailed(f"`{owner}` needs a list of objects, and there is {named(wrong)} in it.")
    objects = cast("list[dict[str, Json]]", listed)
    if "." not in path:
        return [(row, row.get(path)) for row in objects]
    return ((row, row[path] if path in row else look_up(fuel, row, path)) for row in objects)


def _names(fuel: Fuel, keys: tuple[Json, ...], owner: str) -> list[str]:
    listed = keys[0] if len(keys) == 1 and isinstance(keys[0], list) else list(keys)
    fuel.make_list(len(listed))
    return [str(need("text", key, f"A key of `{owner}`")) for key in listed]


def _each(fuel: Fuel, value: Json, owner: str, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    if not isinstance(value, list):
        row = cast("dict[str, Json]", need("object", value, f"`{owner}`"))
        fuel.spend(3 + len(row))
        return MadeObject(change(row))
    fuel.make_list(len(value))
    return MadeList(
        _each(fuel, need("object", row, f"Each value of the list of `{owner}`"), owner, change) for row in value
    )


def _second(pair: tuple[Json, Json]) -> Any:
    return pair[1]


def _compared(fuel: Fuel, left: Json, right: Json) -> int:
    fuel.spend(8)
    return -1 if before(fuel, left, right) else int(before(fuel, right, left))


ROWS: Final[dict[str, Callable[..., Json]]] = {
    "group_by": group_by,
    "sum_by": sum_by,
    "sort_by": sort_by,
    "unique": unique,
    "flatten": flatten,
    "chunk": chunk,
    "pick": pick,
    "omit": omit,
    "merge": merge,
}
