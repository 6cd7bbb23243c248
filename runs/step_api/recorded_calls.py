"""Calls of an activation that are not made twice: recorded in the journal, known to later attempts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from kernel.types import Json

MADE: Final = "tool"
"""Member of an action's payload: when it starts ``name`` and ``arguments``, when it ends ``told``, if it was made, and
``is_lost`` where its answer did not come."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One such call.

    Attributes:
        key: Its idempotency key.
        name: Of the tool.
        arguments: Of the tool.
        result: The answer, as the model was given it; None while nobody knows.
        is_lost: Whether no answer says what came of it.
    """

    key: str
    name: str
    arguments: Json
    result: str | None = None
    is_lost: bool = True


Activation = tuple[str | None, int | None]


@dataclass(slots=True)
class RecordedCalls:
    """Recorded calls of one run's activations that are not over, from its journal."""

    _made: dict[Activation, dict[str, RecordedCall]] = field(default_factory=dict)
    _under_way: dict[Activation, str] = field(default_factory=dict)

    def of(self, activation: Activation) -> tuple[RecordedCall, ...]:
        """Give those of an activation, in the order they were made."""
        return tuple(self._made.get(activation, {}).values())

    def begin(self, activation: Activation, payload: Mapping[str, Json]) -> None:
        """Take in that a call is made."""
        self._under_way.pop(activation, None)
        call, key = payload.get(MADE), payload.get("idempotency_key")
        if isinstance(call, dict) and isinstance(key, str):
            self._under_way[activation] = key
            self._made.setdefault(activation, {})[key] = RecordedCall(key, str(call.get("name")), call.get("arguments"))

    def end(self, activation: Activation, payload: Mapping[str, Json]) -> None:
        """Take in how it ended; one that never got to the other side, or was refused there, was not made."""
        key = self._under_way.pop(activation, None)
        if key is None:
            return
        call = payload.get(MADE)
        made = self._made[activation].pop(key)
        if isinstance(call, dict):
            self._made[activation][key] = replace(
                made, result=str(call.get("told")), is_lost=call.get("is_lost") is True
            )

    def forget(self, activation: Activation) -> None:
        """Take in that an activation is over."""
        self._made.pop(activation, None)
        self._under_way.pop(activation, None)
