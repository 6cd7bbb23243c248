"""The kinds of pure work a step may have, each a function of plain JSON, names and an account of fuel."""

from collections.abc import Callable, Mapping, Sized
from typing import Any, Final, TypeAlias, cast

from kernel.types import Json
from kernel.values import normalise
from runs.core.scope import EdgeScope, Scope
from runs.work.comparisons import NotComparable, compare
from runs.work.errors import error_facts
from segments.definition.config import fill_config
from segments.expressions import ExpressionError, Form, FuelAccount, MissingName, Names

VALUES_PER_UNIT: Final = 4
"""Of a list or text that is compared value by value."""

Work: TypeAlias = Callable[[Mapping[str, Any], Names, FuelAccount], Json]
"""Raises ExpressionError, LlmteamError for a value that cannot be kept, and AccountEmpty; the value is normalised."""


def value(arguments: Mapping[str, Any], names: Names, account: FuelAccount) -> Json:
    """Evaluate one expression: ``source``, which stands at ``place`` in the config."""
    try:
        return account.value_of(arguments["source"], names)
    except ExpressionError as error:
        raise error.at(arguments.get("place", "")) from None


def prompt(arguments: Mapping[str, Any], names: Names, account: FuelAccount) -> Json:
    """Fill in one prompt: ``text``."""
    return account.render(arguments["text"], names, Form.PROMPT)


def config(arguments: Mapping[str, Any], names: Names, account: FuelAccount) -> Json:
    """Fill in the templates of a ``config``; ``kinds`` says how the texts below each key are read."""
    return fill_config(arguments["kinds"], arguments["config"], names, account)


def mapping(arguments: Mapping[str, Any], names: Names, account: FuelAccount) -> Json:
    """Evaluate a tree whose texts are expressions; ``default`` stands in for null and missing values at its top."""
    fields, default = arguments["mapping"], arguments["default"]
    by_field = default if isinstance(default, dict) else dict.fromkeys(fields, default)
    made = {key: _mapped(item, by_field.get(key), f"mapping.{key}", names, account) for key, item in fields.items()}
    return normalise(made, big_integers="text")


def expression(arguments: Mapping[str, Any], names: Names, account: FuelAccount) -> Json:
    """Evaluate one expression, ``source``; ``default`` stands in for a null or missing value."""
    return _mapped(arguments["source"], arguments["default"], "expression", names, account)


def condition(arguments: Mapping[str, Any], names: Names, account: FuelAccount) -> Json:
    """Tell whether ``source`` holds, or with an ``operator`` whether its value compares so with ``value``.

    ``source`` stands at ``place`` in the config.

    Returns:
        True or false; a text that says why the two cannot be compared.
    """
    found = value(arguments, names, account)
    if arguments["operator"] is None:
        return bool(found)
    account.spend(sum(len(one) for one in (found, arguments["value"]) if isinstance(one, Sized)) // VALUES_PER_UNIT)
    try:
        return compare(arguments["operator"], found, arguments["value"])
    except NotComparable as error:
        return str(error)


def conditions(arguments: Mapping[str, Any], names: Names, account: FuelAccount) -> Json:
    """Tell which conditions of a step's ``edges`` hold: each has its index, a number in ``values``, and its source.

    ``own`` has, by name, what ``steps.<id>`` is of the step, each a number in ``values`` too.

    Returns:
        By index of the edge, as text: true, false, or the error as ``runs.work.errors.error_facts`` writes it.
    """
    values = arguments["values"]
    own = {arguments["step_id"]: {name: values[number] for name, number in arguments["own"].items()}}
    decided: dict[str, Json] = {}
    for index, number, source in arguments["edges"]:
        try:
            decided[str(index)] = bool(account.value_of(source, EdgeScope(cast("Scope", names), values[number], own)))
        except ExpressionError as error:
            decided[str(index)] = error_facts(error)
    return decided


def _mapped(item: Json, default: Json, place: str, names: Names, account: FuelAccount) -> Json:
    if isinstance(item, dict):
        return {key: _mapped(inner, None, f"{place}.{key}", names, account) for key, inner in item.items()}
    if isinstance(item, list):
        return [_mapped(inner, None, f"{place}[{index}]", names, account) for index, inner in enumerate(item)]
    if not isinstance(item, str):
        return item
    try:
        found = account.value_of(item, names)
    except ExpressionError as error:
        if isinstance(error, MissingName) and default is not None:
            return default
        raise error.at(place) from None
    return default if found is None else found


FUNCTIONS: Final[dict[str, Work]] = {
    "value": value,
    "prompt": prompt,
    "config": config,
    "mapping": mapping,
    "expression": expression,
    "condition": condition,
    "conditions": conditions,
}
WHAT: Final[dict[str, str]] = {
    "value": "The expression takes",
    "prompt": "The prompt takes",
    "config": "The templates of the config take",
    "mapping": "The mapping takes",
    "expression": "The expression takes",
    "condition": "The condition takes",
    "conditions": "The conditions of the edges take",
}
"""Beginning of the sentence that says what was too much."""
