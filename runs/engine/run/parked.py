"""Parked activations of one run: they wait for a person, a time or a call."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

import orjson

from kernel.types import Json
from kernel.values import normalise
from runs.core import EventType, Phase
from runs.core.call_places import is_same_place, place_of
from runs.core.state import ActivationKey
from runs.engine.journal.journal import Journal
from runs.engine.run.attempts import Attempt
from runs.engine.run.outcomes import Outcome
from runs.engine.run.recorder import RunRecorder
from runs.engine.run.times import written_time
from runs.engine.store.journals import ReceivedCommand
from runs.models import SignalKind
from runs.models.wait_kinds import CALL, HUMAN
from runs.step_api.base import Emit, StepFailed, Wait

log = logging.getLogger(__name__)

MIN_LOOK_SECONDS: Final = 1.0
LOOK_AGAIN_SECONDS: Final = 30.0
"""Time until an activation is looked at again that could not be looked at."""


@dataclass(slots=True)
class ParkedSteps:
    """Parks activations, looks at them in their time, and takes news of what they wait for.

    News of an activation that has not parked yet stays in the inbox until it has.
    """

    recorder: RunRecorder
    journal: Journal
    attempt_of: Callable[[ActivationKey], Attempt]
    settle_in_pieces: Callable[[Attempt, Outcome], Iterator[None]]
    now: Callable[[], float]

    @property
    def unrecorded(self) -> tuple[int, ...]:
        """The news that no event has told yet."""
        return tuple(news.signal_id for news in self.recorder.orders.news if news.signal_id not in self.journal.seen)

    def let_go(self) -> None:
        """Refer to the run no more, so that all it had is freed at once."""
        self.attempt_of, self.settle_in_pieces = _not_here, _not_here

    def park(self, attempt: Attempt, wait: Wait) -> None:
        """Record that an activation waits, and hear what came too early for that."""
        details = normalise(dict(wait.details), big_integers="text")
        payload: dict[str, Json] = {**(details if isinstance(details, dict) else {}), "until": self._until(wait)}
        if wait.kind == HUMAN:
            event_type, payload["task_id"] = EventType.HUMAN_TASK_CREATED, wait.ref
        else:
            event_type, payload["kind"] = EventType.STEP_WAITING, wait.kind
        if wait.kind == CALL:
            token = self.recorder.state.active[attempt.key].token
            payload["place"] = place_of(token, attempt.key[0])
            payload["resume_url"] = attempt.scope.resume_url(attempt.key[0])
        self.recorder.record(event_type, payload, attempt.key, attempt.number, attempt.usage)
        self.hear()

    def hear(self) -> None:
        """Record the news of all that is parked, or over; an answer is the outcome of its activation."""
        for news in self.recorder.orders.news:
            if news.signal_id not in self.journal.seen:
                (self._take if news.kind == SignalKind.TASK else self._take_call)(news)

    async def look(self, key: ActivationKey) -> None:
        """Have an activation's handler look at it; what it finds out is its outcome, or in the inbox then."""
        attempt = self.attempt_of(key)
        try:
            found = await attempt.look()
        except StepFailed as failure:
            self._settle(attempt, failure)
            return
        except Exception:
            log.exception("a step that waits could not be looked at")
            at: float | None = self.now() + LOOK_AGAIN_SECONDS
        else:
            if isinstance(found, Emit):
                self._settle(attempt, attempt.answer(found.ports))
                return
            at = None if found is None else max(found.timestamp(), self.now() + MIN_LOOK_SECONDS)
        self.recorder.waits.look_again(key, at)

    async def withdraw(self, key: ActivationKey) -> None:
        """Have the handler take back what a parked activation asks for."""
        attempt = self.attempt_of(key)
        try:
            await attempt.prepare()
        except Exception:
            log.exception("a step that waits could not be taken back")
        else:
            await attempt.abandon()

    def _until(self, wait: Wait) -> str | None:
        if wait.seconds is not None:
            return written_time(self.now() + wait.seconds)
        return None if wait.until is None else wait.until.isoformat()

    def _take(self, news: ReceivedCommand) -> None:
        decision = orjson.loads(news.payload)
        key = str(decision["step_id"]), int(decision["activation"])
        activation = self.recorder.state.active.get(key)
        if activation is not None and activation.phase is not Phase.PARKED:
            return
        attempt = None if activation is None else activation.attempt
        self.recorder.record(EventType(decision["event"]), decision["told"], key, attempt)
        if activation is not None and "answer" in decision and key not in self.recorder.state.to_cancel:
            self._answer(self.attempt_of(key), decision["answer"])
        self.journal.take([news.signal_id])

    def _take_call(self, news: ReceivedCommand) -> None:
        """End the wait that a call is for, the oldest of several; one that comes too early stays in the inbox."""
        call = orjson.loads(news.payload)
        key = next(self._waiting_for_call(str(call["step_id"]), str(call["place"])), None)
        if key is not None:
            attempt = self.attempt_of(key)
            self._settle(attempt, attempt.answer({"output": call["body"]}))
        if key is not None or news.kind == SignalKind.CALL:
            self.journal.take([news.signal_id])

    def _waiting_for_call(self, step_id: str, place: str) -> Iterator[ActivationKey]:
        state, waits = self.recorder.state, self.recorder.waits
        for key, activation in state.active.items():
            is_waiting = key[0] == step_id and waits.kind(key) == CALL and key not in state.to_cancel
            if is_waiting and is_same_place(place_of(activation.token, step_id), place):
                yield key

    def _answer(self, attempt: Attempt, answer: dict[str, Json]) -> None:
        error = answer.get("error")
        if isinstance(error, dict):
            self._settle(attempt, StepFailed(str(error["code"]), str(error["message"])))
        else:
            self._settle(attempt, attempt.answer({str(answer["port"]): answer["value"]}))

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        for _ in self.settle_in_pieces(attempt, outcome):
            pass


def _not_here(*_: object) -> NoReturn:
    raise RuntimeError("the run has been given up")
