"""Prices of models: the one that holds for a model and a tenant. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Final

from runs.step_api.resources import Price

ANY_END: Final = "*"
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)


class PriceSource(IntEnum):
    """Sources of a model's price, in order of precedence."""

    TENANT = 0
    INSTALLATION = 1
    LIST = 2


@dataclass(frozen=True, slots=True)
class Rate:
    """One version of a price. ``model`` is a model's whole name, or how names begin, with ``*`` behind."""

    source: PriceSource
    provider: str
    model: str
    valid_from: datetime
    price: Price

    def covers(self, provider: str, model: str, at: datetime) -> bool:
        """Whether it tells of a model at a time."""
        if self.provider != provider or self.valid_from > at:
            return False
        if self.model.endswith(ANY_END):
            return model.startswith(self.model[: -len(ANY_END)])
        return model == self.model


def find_price(rates: Iterable[Rate], *, provider: str, model: str, at: datetime) -> Price | None:
    """Choose what holds for a model at a time.

    The tenant's own word before the installation's, and that before the list's; of one source the whole name before
    the longest beginning, and of the same words the newest. A later version never changes what was counted before.

    Returns:
        The price, or None where nobody says.
    """
    found = [rate for rate in rates if rate.covers(provider, model, at)]
    return min(found, key=_rank).price if found else None


def _rank(rate: Rate) -> tuple[int, bool, int, float]:
    return rate.source, rate.model.endswith(ANY_END), -len(rate.model), -rate.valid_from.timestamp()


def _listed(provider: str, **dollars: str) -> tuple[Rate, ...]:
    """Read ``name="input/output"``; underscores stand for hyphens, and ``__`` for a dot."""
    rates = []
    for name, pair in dollars.items():
        given, answered = (Decimal(number) for number in pair.split("/"))
        model = name.replace("__", ".").replace("_", "-") + ANY_END
        rates.append(Rate(PriceSource.LIST, provider, model, ALWAYS, Price(given, answered, is_estimated=True)))
    return tuple(rates)


LIST_PRICES: Final = (
    *_listed(
        "openai",
        gpt_3__5_turbo="0.50/1.50",
        gpt_4_turbo="10/30",
        gpt_4o="2.50/10",
        gpt_4o_mini="0.15/0.60",
        gpt_4__1="2/8",
        gpt_4__1_mini="0.40/1.60",
        gpt_4__1_nano="0.10/0.40",
        gpt_5="1.25/10",
        gpt_5_mini="0.25/2",
        gpt_5_nano="0.05/0.40",
        o3="2/8",
        o3_mini="1.10/4.40",
        o4_mini="1.10/4.40",
    ),
    *_listed(
        "anthropic",
        claude_3_haiku="0.25/1.25",
        claude_3_opus="15/75",
        claude_3_5_haiku="0.80/4",
        claude_3_5_sonnet="3/15",
        claude_3_7_sonnet="3/15",
        claude_haiku_4="1/5",
        claude_sonnet_4="3/15",
        claude_opus_4="15/75",
    ),
)
"""List prices as the vendors have published them: estimates, in US dollars per million tokens, of input and output.

What is agreed with a vendor is the operator's to enter.
"""
