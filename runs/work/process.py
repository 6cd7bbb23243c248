"""The function by which the compute pool does the pure work of steps."""

from collections import ChainMap
from typing import Any, Final

import orjson

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import ValueTooLarge
from runs.core.scope import CarriedScope
from runs.work.errors import told
from runs.work.functions import FUNCTIONS
from segments.expressions import Account, Draws, ExpressionError

MAX_ANSWER_BYTES: Final = 4 << 20
"""What the loop that asked can take in without holding anybody up; a value of a run has a quarter of it."""


def do_work(payload: bytes) -> bytes:
    """Do a piece of work.

    Args:
        payload: JSON with ``function``, ``arguments``, ``scope`` (``Scope.carried``), ``found``, names that win, and
            ``draws`` (``Draws.to_json``).

    Returns:
        JSON with ``value``, or ``error`` as ``runs.work.errors.told`` writes it.
    """
    asked = orjson.loads(payload)
    names: Any = CarriedScope(asked["scope"])
    if asked["found"]:
        names = ChainMap(asked["found"], names)
    account = Account()
    account.draws = asked["draws"] and Draws.from_json(asked["draws"])
    try:
        made: Json = FUNCTIONS[asked["function"]](asked["arguments"], names, account)
    except (ExpressionError, LlmteamError) as error:
        return orjson.dumps({"error": told(error)})
    answer = orjson.dumps({"value": made})
    if len(answer) > MAX_ANSWER_BYTES:
        too_large = ValueTooLarge(f"What it gives takes {len(answer)} bytes; at most {MAX_ANSWER_BYTES} are taken.")
        return orjson.dumps({"error": told(too_large)})
    return answer
