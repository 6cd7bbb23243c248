"""Waits of a run's activations: until when, and what for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from kernel.types import Json
from runs.core import Event, EventType
from runs.core.events import TASK_NEWS
from runs.core.state import ActivationKey
from runs.engine.run.times import read_time, written_time
from runs.models.wait_kinds import FREE, HUMAN, KINDS, PARKED, PLATFORM

NEVER: Final = float("inf")
PARK_SECONDS: Final = 5.0
"""A run whose only waits are longer than this gives its host back."""


@dataclass(frozen=True, slots=True)
class PendingWait:
    """One of them: since when and until when, by the clock, and what for.

    Of one that is parked, ``until`` is when its step is to be looked at; ``details`` is what else ``waiting_for``
    has of it.
    """

    until: float
    kind: str
    since: float
    details: Mapping[str, Json] = field(default_factory=dict)


class Waits:
    """The activations that are tried again at a time, and those that are parked."""

    def __init__(self) -> None:
        self._by_key: dict[ActivationKey, PendingWait] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    @property
    def stop_the_clock(self) -> bool:
        """Whether any wait is free; then the run's timeout stands still while it is parked."""
        return any(wait.kind in FREE for wait in self._by_key.values())

    def give_the_host_back(self, now: float) -> bool:
        """Whether a run that only waits is parked: for long, or for the platform, which may be well on another host."""
        return self.next_time() - now > PARK_SECONDS or any(wait.kind == PLATFORM for wait in self._by_key.values())

    def fold(self, event: Event, at: float) -> None:
        """Take in an event, recorded at a time: an activation begins to wait, goes on, or is over."""
        if event.step_id is None or event.activation is None:
            return
        key = event.step_id, event.activation
        if event.type in TASK_NEWS:
            self._hear(key, event)
            return
        self._by_key.pop(key, None)
        payload = event.payload
        if event.type is EventType.STEP_RETRYING:
            reason = str(payload["reason"])
            kind = reason if reason in KINDS else "retry"
            details = dict(cast("Mapping[str, Json]", payload.get("waits_for", {})))
            self._by_key[key] = PendingWait(read_time(payload["retry_at"]), kind, at, details)
        elif event.type is EventType.HUMAN_TASK_CREATED:
            details = {"task_id": payload["task_id"], "task_url": payload.get("url")}
            self._by_key[key] = PendingWait(_until(payload), HUMAN, at, details)
        elif event.type is EventType.STEP_WAITING:
            details = {"resume_url": payload["resume_url"]} if "resume_url" in payload else {}
            self._by_key[key] = PendingWait(_until(payload), str(payload["kind"]), at, details)

    def has(self, kind: str) -> bool:
        """Whether any waits for this."""
        return any(wait.kind == kind for wait in self._by_key.values())

    def kind(self, key: ActivationKey) -> str | None:
        """Return what an activation waits for."""
        wait = self._by_key.get(key)
        return None if wait is None else wait.kind

    def look_again(self, key: ActivationKey, until: float | None) -> None:
        """Have an activation that is parked be looked at again at a time; None: not before an answer."""
        if key in self._by_key:
            self._by_key[key] = replace(self._by_key[key], until=NEVER if until is None else until)

    def due(self, now: float) -> list[ActivationKey]:
        """Return those that may be tried again now."""
        if not self._by_key:
            return []
        return [key for key, wait in self._by_key.items() if wait.kind not in PARKED and wait.until <= now]

    def to_look_at(self, now: float) -> list[ActivationKey]:
        """Return those that are parked, and whose time to be looked at has come."""
        if not self._by_key:
            return []
        return [key for key, wait in self._by_key.items() if wait.kind in PARKED and wait.until <= now]

    def next_time(self, *, without: list[ActivationKey] | None = None, of_parked: bool = False) -> float:
        """Return the first time to come; infinity when there is none. ``of_parked``: of those alone."""
        if not self._by_key:
            return NEVER
        passed = without or ()
        waits = ((key, wait) for key, wait in self._by_key.items() if wait.kind in PARKED or not of_parked)
        return min((wait.until for key, wait in waits if key not in passed), default=NEVER)

    def describe(self, *, of_parked: bool = False) -> Iterator[Json]:
        """Write them as a run's ``waiting_for`` has them."""
        for (step_id, activation), wait in self._by_key.items():
            if of_parked and wait.kind not in PARKED:
                continue
            yield {
                "kind": wait.kind,
                "since": written_time(wait.since),
                "until": None if wait.until == NEVER else written_time(wait.until),
                "ref": f"{step_id}#{activation}",
                **wait.details,
            }

    def _hear(self, key: ActivationKey, event: Event) -> None:
        if event.type is EventType.HUMAN_TASK_COMPLETED:
            self._by_key.pop(key, None)
        elif "until" in event.payload:
            until = _until(event.payload)
            self.look_again(key, None if until == NEVER else until)


def _until(payload: Mapping[str, Json]) -> float:
    until = payload.get("until")
    return NEVER if until is None else read_time(until)
