"""Which activations of a run wait for a time, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kernel.values import Json
from runs.core.state import ActivationKey
from runs.engine.times import read_time, written_time

KINDS = frozenset({"rate_limit", "circuit", "budget"})
"""Reasons of a retry that people read by their own name; every other is a ``retry``."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One of them: until when, by the clock, and what for."""

    until: float
    kind: str


class Waits:
    """The activations that are tried again at a time."""

    def __init__(self) -> None:
        self._by_key: dict[ActivationKey, Wait] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def add(self, key: ActivationKey, payload: Mapping[str, Json]) -> None:
        """Take in what a ``step.retrying`` says."""
        reason = str(payload["reason"])
        self._by_key[key] = Wait(read_time(payload["retry_at"]), reason if reason in KINDS else "retry")

    def drop(self, key: ActivationKey) -> None:
        """Forget an activation: it goes on, or is over."""
        self._by_key.pop(key, None)

    def due(self, now: float) -> list[ActivationKey]:
        """Return those whose time has come."""
        return [key for key, wait in self._by_key.items() if wait.until <= now]

    def next_time(self, *, without: list[ActivationKey] | None = None) -> float:
        """Return the first time to come; infinity when there is none."""
        passed = without or ()
        return min((wait.until for key, wait in self._by_key.items() if key not in passed), default=float("inf"))

    def describe(self, now: float) -> Iterator[Json]:
        """Write them as a run's ``waiting_for`` has them."""
        for (step_id, activation), wait in self._by_key.items():
            yield {
                "kind": wait.kind,
                "since": written_time(now),
                "until": written_time(wait.until),
                "ref": f"{step_id}#{activation}",
            }
