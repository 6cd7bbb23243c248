"""Entry point of pure step work in a process of the compute pool."""

from collections import ChainMap
from typing import Any, Final

import orjson

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import MAX_VALUE_BYTES, ValueTooLarge, check_bytes
from runs.core.scope import CarriedScope
from runs.work.errors import error_facts
from runs.work.functions import FUNCTIONS
from segments.expressions import Draws, ExpressionError, FuelAccount

MAX_ANSWER_BYTES: Final = 4 << 20
"""Of a config or prompt, which is text for the most part; any other answer is to be a value of a run."""
_TEXTS: Final = frozenset(("config", "prompt"))


def do_work(payload: bytes) -> bytes:
    """Do a piece of work.

    Args:
        payload: JSON with ``function``, ``arguments``, ``scope`` (``Scope.carried``), ``found``, names that win, and
            ``draws`` (``Draws.to_json``).

    Returns:
        JSON with ``value``, or ``error`` as ``error_facts`` writes it: also where the value is too large.
    """
    asked = orjson.loads(payload)
    names: Any = CarriedScope(asked["scope"])
    if asked["found"]:
        names = ChainMap(asked["found"], names)
    account = FuelAccount()
    account.draws = asked["draws"] and Draws.from_json(asked["draws"])
    try:
        made: Json = FUNCTIONS[asked["function"]](asked["arguments"], names, account)
    except (ExpressionError, LlmteamError) as error:
        return orjson.dumps({"error": error_facts(error)})
    text = orjson.dumps(made)
    try:
        check_bytes(len(text), limit=MAX_ANSWER_BYTES if asked["function"] in _TEXTS else MAX_VALUE_BYTES)
    except ValueTooLarge as error:
        return orjson.dumps({"error": error_facts(error)})
    return orjson.dumps({"value": orjson.Fragment(text)})
