"""Recorder of one run: records each fact in the journal and applies it to the state in one step."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kernel.types import Json
from kernel.values import normalise
from runs.core import Event, EventType, Phase, State, apply_in_pieces, decide, failed_payload, next_retry, route_error
from runs.core.events import USAGE
from runs.core.state import ActivationKey
from runs.engine.journal.journal import Journal
from runs.engine.run.outcomes import error_object
from runs.engine.run.pending_commands import PendingCommands
from runs.engine.run.run_endings import at_of, event_of
from runs.engine.run.spending import Spending
from runs.engine.run.times import written_time
from runs.engine.run.waits import Waits
from runs.metrics import DEFERRED
from runs.models.wait_kinds import PLATFORM
from runs.step_api.answer_checks import check_record
from runs.step_api.base import Defer, StepFailed
from runs.step_api.cookies import RunCookies
from runs.step_api.recorded_calls import RecordedCalls
from segments.plan import RetryPolicy

if TYPE_CHECKING:
    from runs.engine.run.attempts import Attempt

FIRST_FAULT_SECONDS: Final = 1.0
MAX_FAULT_SECONDS: Final = 60.0
_ENDS_OF_ACTIONS: Final = frozenset({EventType.ACTION_COMPLETED, EventType.ACTION_FAILED})
_OUTCOMES: Final = frozenset({EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_SKIPPED})


class RunRecorder:
    """The journal, and what follows from it: the core's state, the waits, the orders, the cookies, what is spent.

    ``made`` has the calls that are not made twice; ``faults`` counts by activation how often in a row the platform kept
    it from being executed.
    """

    def __init__(self, journal: Journal, state: State, spending: Spending) -> None:
        self.state = state
        self.cookies = RunCookies(journal.tenant_id, journal.run_id)
        self.made = RecordedCalls()
        self.waits = Waits()
        self.orders = PendingCommands(journal)
        self.faults: Counter[ActivationKey] = Counter()
        self._journal = journal
        self._spending = spending
        self._applying: Iterator[None] = iter(())

    def fold(self, row: Sequence[Any]) -> Iterator[None]:
        """Take in an event that an earlier owner recorded, as ``store.journals.load_journal`` returns it, in pieces."""
        event = event_of(row)
        self._journal.hold_again(event, row[5])
        yield from apply_in_pieces(self.state, event)
        self.orders.fold(event)
        self.waits.fold(event, at_of(row))
        if event.type is EventType.STEP_RETRYING:
            self._count_fault(event)
        self._fold_action(event)
        self._spending.fold(event)

    def record(
        self,
        event_type: EventType,
        payload: Mapping[str, Json],
        key: ActivationKey | tuple[None, None] = (None, None),
        attempt: int | None = None,
        usage: Sequence[Json] = (),
    ) -> None:
        """Append a fact to the journal and take it into account at once.

        Args:
            event_type: What kind of fact.
            payload: As ``runs.core.events.Event`` says.
            key: The activation it tells of.
            attempt: Its attempt.
            usage: What model calls of the attempt took until then.

        Raises:
            ValueTooLarge: It does not fit; nothing was recorded.
        """
        for _ in self.record_in_pieces(event_type, payload, key, attempt, usage):
            pass

    def record_in_pieces(
        self,
        event_type: EventType,
        payload: Mapping[str, Json],
        key: ActivationKey | tuple[None, None] = (None, None),
        attempt: int | None = None,
        usage: Sequence[Json] = (),
    ) -> Iterator[None]:
        """Do as ``record`` does; yield where others may go first.

        What is recorded meanwhile has all of this taken into account before.
        """
        for _ in self._applying:
            pass
        if usage:
            payload = {**payload, USAGE: list(usage)}
        event = self._journal.append(event_type, payload, step_id=key[0], activation=key[1], attempt=attempt)
        self._applying = apply_in_pieces(self.state, event)
        yield from self._applying
        self.waits.fold(event, event.at)
        if event_type is EventType.STEP_RETRYING:
            self._count_fault(event)
        self._fold_action(event)
        self._journal.activations = self.state.activations
        self._journal.active = len(self.state.active)
        self._spending.record(event, usage)

    def has_work(self, now: float) -> bool:
        """Whether the run has more to do than to wait again."""
        if self.orders.is_pausing:
            return False
        is_in_flight = any(one.phase is Phase.RUNNING for one in self.state.active.values())
        return is_in_flight or bool(decide(self.state, self.waits.due(now)))

    def fail(self, key: ActivationKey, failure: StepFailed, retry: RetryPolicy, usage: Sequence[Json] = ()) -> None:
        """Record that an attempt failed: its activation waits for another one, or has failed for good."""
        activation = self.state.active[key]
        delay = next_retry(
            retry,
            consumed=activation.consumed + 1,
            retryable=failure.retryable,
            retry_after=failure.retry_after_seconds,
            jitter=random.random(),  # noqa: S311 - spreads retries
        )
        if delay is None:
            self.give_failed(key, failure, usage)
        else:
            error = error_object(failure, key=key, attempts=activation.consumed + 1)
            at = self._journal.clock.now() + delay
            self.try_again(key, reason="failed", at=at, consumed=True, error=error, usage=usage)

    def record_action(self, attempt: "Attempt", event_type: str, payload: Mapping[str, Json]) -> None:
        """Append what a handler tells of its attempt.

        Raises:
            StepFailed: It is no event of the action kinds.
        """
        check_record(event_type)
        plain = normalise(dict(payload), big_integers="text")
        if isinstance(plain, dict):
            self.record(EventType(event_type), plain, attempt.key, attempt.number)

    def give_failed(self, key: ActivationKey, failure: StepFailed, usage: Sequence[Json] = ()) -> None:
        """Record that an activation failed for good."""
        activation = self.state.active[key]
        error = error_object(failure, key=key, attempts=activation.consumed + 1)
        payload = failed_payload(error, *route_error(self.state, activation.token, error))
        self.record(EventType.STEP_FAILED, payload, key, activation.attempt, usage)

    def wait(self, key: ActivationKey, outcome: Defer, at: float, usage: Sequence[Json] = ()) -> None:
        """Record that an activation waits until a time for what its attempt needs, at no cost."""
        self.try_again(key, reason=outcome.reason, at=at, consumed=False, usage=usage, waits_for=outcome.details)

    def put_off(self, key: ActivationKey, usage: Sequence[Json] = ()) -> None:
        """Record that the platform kept an activation from being executed; each time in a row it waits for longer."""
        pause = min(FIRST_FAULT_SECONDS * 2 ** min(self.faults[key], 16), MAX_FAULT_SECONDS)
        at = self._journal.clock.now() + pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries
        DEFERRED.labels(PLATFORM).inc()
        self.try_again(key, reason=PLATFORM, at=at, consumed=False, usage=usage)

    def try_again(
        self,
        key: ActivationKey,
        *,
        reason: str,
        at: float,
        consumed: bool,
        error: Mapping[str, Json] | None = None,
        usage: Sequence[Json] = (),
        waits_for: Mapping[str, Json] | None = None,
    ) -> None:
        """Record that an activation waits for another attempt; ``waits_for`` names what it needs, if there is more."""
        payload: dict[str, Json] = {"reason": reason, "retry_at": written_time(at), "consumed": consumed}
        if error is not None:
            payload["error"] = dict(error)
        if waits_for:
            payload["waits_for"] = dict(waits_for)
        self.record(EventType.STEP_RETRYING, payload, key, self.state.active[key].attempt, usage)

    def _fold_action(self, event: Event) -> None:
        activation = event.step_id, event.activation
        if event.type in _ENDS_OF_ACTIONS:
            self.cookies.fold(event.payload)
            self.made.end(activation, event.payload)
        elif event.type is EventType.ACTION_STARTED:
            self.made.begin(activation, event.payload)
        elif event.type in _OUTCOMES:
            self.made.forget(activation)

    def _count_fault(self, event: Event) -> None:
        if event.step_id is not None and event.activation is not None:
            key = event.step_id, event.activation
            self.faults[key] = self.faults[key] + 1 if event.payload["reason"] == PLATFORM else 0
