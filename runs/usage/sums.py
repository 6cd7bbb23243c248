"""The sums of what one run's model calls took. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(slots=True)
class RunUsage:
    """Adds up usage records as the journal has them (``runs.usage.amounts.record_of``).

    ``unpriced_calls`` are those whose cost is not known: they are not in ``cost``.
    """

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced_calls: int = 0
    is_estimated: bool = False

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take calls into account."""
        for record in records:
            self.model_calls += 1
            self.input_tokens += record["input_tokens"]
            self.output_tokens += record["output_tokens"]
            self.is_estimated = self.is_estimated or record["estimated"]
            if record["cost"] is None:
                self.unpriced_calls += 1
            else:
                self.cost += Decimal(record["cost"])

    def to_dict(self) -> dict[str, Any]:
        """Write it as the run's row and the API have it; ``cost`` is a decimal text in US dollars."""
        return {
            "model_calls": self.model_calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": format(self.cost, "f"),
            "currency": "USD",
            "unpriced_calls": self.unpriced_calls,
            "estimated": self.is_estimated,
        }


NOTHING_USED = RunUsage().to_dict()
