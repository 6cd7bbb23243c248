"""Amounts of tokens and money, and what the journal keeps of a call of a model. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from kernel.types import Json
from runs.step_api.resources import Hold, Usage

MAX_TOKENS: Final = 2**31 - 1
MAX_COST: Final = Decimal(10**6)
MAX_HELD: Final = 10**12
COST_STEP: Final = Decimal("1e-12")
TEXT_CHARACTERS: Final = 200
_UNPRINTABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and US dollars where they are known."""

    tokens: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens - other.tokens, self.cost - other.cost)


NOTHING: Final = Amount()


def largest(first: Amount, second: Amount) -> Amount:
    """Return the larger tokens and the larger cost of two amounts."""
    return Amount(max(first.tokens, second.tokens), max(first.cost, second.cost))


def bounded(hold: Hold) -> Hold:
    """Return a hold that can be counted: a cost that is no amount of money is unknown."""
    return replace(hold, tokens=max(0, min(int(hold.tokens), MAX_HELD)), cost=_cost(hold.cost))


def amount_of(hold: Hold) -> Amount:
    """Return what a hold asks for; an unknown cost counts nothing."""
    return Amount(hold.tokens, hold.cost or Decimal(0))


def sum_of(records: Iterable[Mapping[str, Any]]) -> Amount:
    """Add up calls as the journal has them; an unknown cost counts nothing."""
    total = NOTHING
    for record in records:
        cost = Decimal(0) if record["cost"] is None else Decimal(record["cost"])
        total += Amount(record["input_tokens"] + record["output_tokens"], cost)
    return total


def money(cost: Decimal) -> str:
    """Write US dollars without needless zeros and without an exponent."""
    text = format(cost, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def record_of(used: Usage) -> dict[str, Json]:
    """Write a call as the journal and the books keep it, whatever a provider or a step type said of it.

    ``cost`` is a decimal text. Counts that are none become 0 and estimated, costs that are none unknown; texts are cut
    and made storable.
    """
    tokens = [_count(used.input_tokens), _count(used.output_tokens)]
    cost = _cost(used.cost)
    return {
        "connection": _text(used.connection),
        "provider": _text(used.provider),
        "model": _text(used.model),
        "input_tokens": tokens[0] or 0,
        "output_tokens": tokens[1] or 0,
        "cost": None if cost is None else money(cost),
        "estimated": bool(used.is_estimated) or None in tokens,
        "latency_ms": _count(used.latency_ms) or 0,
        "request_id": None if used.request_id is None else _text(used.request_id),
        "prompt": None if used.prompt is None else _text(used.prompt),
    }


def _count(number: Any) -> int | None:
    if not isinstance(number, int | float) or not number >= 0:
        return None
    return int(min(number, MAX_TOKENS))


def _cost(cost: Any) -> Decimal | None:
    try:
        exact = Decimal(str(cost))
        return exact.quantize(COST_STEP) if 0 <= exact < MAX_COST else None
    except InvalidOperation:
        return None


def _text(text: Any) -> str:
    return _UNPRINTABLE.sub("\ufffd", str(text))[:TEXT_CHARACTERS]
