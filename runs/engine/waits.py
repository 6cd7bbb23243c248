"""Which activations of a run wait, until when, and why: for a time of their own, or for a person."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from kernel.values import Json
from runs.core import Event, EventType
from runs.core.events import TASK_NEWS
from runs.core.state import ActivationKey
from runs.engine.times import read_time, written_time

HUMAN: Final = "human"
PLATFORM: Final = "platform"
KINDS: Final = frozenset({"rate_limit", "circuit", "budget", PLATFORM})
"""Reasons of a retry that people read by their own name; every other is a ``retry``."""
NEVER: Final = float("inf")
PARK_SECONDS: Final = 5.0
"""A run whose only waits are longer than this gives its host back."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One of them: since when and until when, by the clock, and what for.

    Of one for a person, ``until`` is when its step is to be looked at; ``task_id`` and ``url`` name the task.
    """

    until: float
    kind: str
    since: float
    task_id: Json = None
    url: Json = None


class Waits:
    """The activations that are tried again at a time, and those that wait for a person's answer."""

    def __init__(self) -> None:
        self._by_key: dict[ActivationKey, Wait] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    @property
    def stop_the_clock(self) -> bool:
        """Whether any waits for a person or the platform; then the run's timeout stands still while it is parked."""
        return any(wait.kind in {HUMAN, PLATFORM} for wait in self._by_key.values())

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
            self._by_key[key] = Wait(read_time(payload["retry_at"]), reason if reason in KINDS else "retry", at)
        elif event.type is EventType.HUMAN_TASK_CREATED:
            self._by_key[key] = Wait(_until(payload), HUMAN, at, payload.get("task_id"), payload.get("url"))

    def look_again(self, key: ActivationKey, until: float | None) -> None:
        """Have an activation that waits for a person be looked at again at a time; None: not before an answer."""
        if key in self._by_key:
            self._by_key[key] = replace(self._by_key[key], until=NEVER if until is None else until)

    def due(self, now: float) -> list[ActivationKey]:
        """Return those that may be tried again now."""
        return [key for key, wait in self._by_key.items() if wait.kind != HUMAN and wait.until <= now]

    def to_look_at(self, now: float) -> list[ActivationKey]:
        """Return those that wait for a person, and whose time to be looked at has come."""
        return [key for key, wait in self._by_key.items() if wait.kind == HUMAN and wait.until <= now]

    def next_time(self, *, without: list[ActivationKey] | None = None, of_people: bool = False) -> float:
        """Return the first time to come; infinity when there is none. ``of_people``: of those alone."""
        passed = without or ()
        waits = ((key, wait) for key, wait in self._by_key.items() if wait.kind == HUMAN or not of_people)
        return min((wait.until for key, wait in waits if key not in passed), default=NEVER)

    def describe(self, *, of_people: bool = False) -> Iterator[Json]:
        """Write them as a run's ``waiting_for`` has them."""
        for (step_id, activation), wait in self._by_key.items():
            if of_people and wait.kind != HUMAN:
                continue
            shown: dict[str, Json] = {
                "kind": wait.kind,
                "since": written_time(wait.since),
                "until": None if wait.until == NEVER else written_time(wait.until),
                "ref": f"{step_id}#{activation}",
            }
            if wait.task_id is not None:
                shown |= {"task_id": wait.task_id, "task_url": wait.url}
            yield shown

    def _hear(self, key: ActivationKey, event: Event) -> None:
        if event.type is EventType.HUMAN_TASK_COMPLETED:
            self._by_key.pop(key, None)
        elif "until" in event.payload:
            until = _until(event.payload)
            self.look_again(key, None if until == NEVER else until)


def _until(payload: Mapping[str, Json]) -> float:
    until = payload.get("until")
    return NEVER if until is None else read_time(until)
