"""The comparisons a condition may name instead of writing an expression."""

from collections.abc import Callable, Sized

from kernel.types import Json


class NotComparable(Exception):
    """The two values have no such relation."""


def compare(operator: str, found: Json, wanted: Json) -> bool:
    """Say whether a relation holds between the value found and the one wanted.

    A text that spells a number is compared with a number as that number: canvases write what a person typed.

    Args:
        operator: A key of ``OPERATORS``.
        found: The value in the data.
        wanted: The value in the config.

    Returns:
        True or false, nothing else.

    Raises:
        NotComparable: The relation has no meaning for values of these kinds.
    """
    return OPERATORS[operator](found, wanted)


def _as_number(value: Json) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equals(found: Json, wanted: Json) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if _is_number(found) or _is_number(wanted):
        number = _as_number(found)
        return number is not None and number == _as_number(wanted)
    return found == wanted


def _order(found: Json, wanted: Json) -> int:
    if isinstance(found, str) and isinstance(wanted, str):
        return (found > wanted) - (found < wanted)
    left, right = _as_number(found), _as_number(wanted)
    if left is None or right is None:
        raise NotComparable("only two numbers or two texts have an order")
    return (left > right) - (left < right)


def _contains(found: Json, wanted: Json) -> bool:
    if isinstance(found, str):
        if not isinstance(wanted, str):
            raise NotComparable("a text contains texts only")
        return wanted in found
    if isinstance(found, list):
        return any(_equals(item, wanted) for item in found)
    if isinstance(found, dict):
        return isinstance(wanted, str) and wanted in found
    raise NotComparable("only a text, a list or an object contains something")


def _ends(found: Json, wanted: Json, method: str) -> bool:
    if not isinstance(found, str) or not isinstance(wanted, str):
        raise NotComparable("only a text starts or ends with a text")
    return bool(getattr(found, method)(wanted))


def _is_empty(found: Json) -> bool:
    return found is None or (isinstance(found, Sized) and len(found) == 0)


OPERATORS: dict[str, Callable[[Json, Json], bool]] = {
    "equals": _equals,
    "not_equals": lambda found, wanted: not _equals(found, wanted),
    "gt": lambda found, wanted: _order(found, wanted) > 0,
    "gte": lambda found, wanted: _order(found, wanted) >= 0,
    "lt": lambda found, wanted: _order(found, wanted) < 0,
    "lte": lambda found, wanted: _order(found, wanted) <= 0,
    "contains": _contains,
    "not_contains": lambda found, wanted: not _contains(found, wanted),
    "in": lambda found, wanted: _contains(wanted, found),
    "not_in": lambda found, wanted: not _contains(wanted, found),
    "starts_with": lambda found, wanted: _ends(found, wanted, "startswith"),
    "ends_with": lambda found, wanted: _ends(found, wanted, "endswith"),
    "is_empty": lambda found, _: _is_empty(found),
    "is_not_empty": lambda found, _: not _is_empty(found),
}

_OTHER_SPELLINGS = {
    "equals": ("eq", "==", "="),
    "not_equals": ("ne", "neq", "!="),
    "gt": (">", "greater_than"),
    "gte": ("ge", ">=", "greater_than_or_equal"),
    "lt": ("<", "less_than"),
    "lte": ("le", "<=", "less_than_or_equal"),
    "not_contains": ("not contains",),
    "not_in": ("not in",),
    "starts_with": ("startswith",),
    "ends_with": ("endswith",),
}
SPELLINGS = {spelling: name for name in OPERATORS for spelling in (name, *_OTHER_SPELLINGS.get(name, ()))}
