"""Spending of one run on language models: counted with its events, bounded by the budgets of step, run and day."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kernel.types import Json
from kernel.values import dump_json
from runs.core import Event, EventType
from runs.core.events import REPLAYED_FROM, USAGE
from runs.core.state import ActivationKey
from runs.engine.journal.journal import Journal
from runs.engine.pricing import Pricing
from runs.engine.reservations import Reservations
from runs.engine.store.budgets import AttemptKey, HoldRequest
from runs.step_api.resources import Budget, Hold
from runs.usage.amounts import NOTHING, Amount, amount_of, bounded, largest, sum_of
from runs.usage.budgets import BudgetAccount, check_room
from runs.usage.sums import RunUsage

if TYPE_CHECKING:
    from runs.engine.run.attempts import Attempt

OUTCOMES = frozenset({EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_RETRYING, EventType.STEP_SKIPPED})
UNBOUNDED = Budget()


class Spending:
    """The books of one run, kept by its owner.

    What is counted is folded from the journal, so the next owner has the same books. What attempts in flight may
    still take is held here for step and run, and in the database for the tenant's day; their outcomes let go of it,
    in the transaction that counts what they took.
    """

    def __init__(self, journal: Journal, pricing: Pricing, reservations: Reservations) -> None:
        self._journal = journal
        self._pricing = pricing
        self._reservations = reservations
        self._usage = RunUsage()
        self._spent = NOTHING
        self._spent_by: dict[ActivationKey, Amount] = {}
        self._held: dict[AttemptKey, Amount] = {}
        self._asked: set[AttemptKey] = set()
        self._let_go: set[AttemptKey] = set()

    def fold(self, event: Event) -> None:
        """Take in what an earlier owner recorded; what was copied from another run was counted there."""
        if USAGE in event.payload and REPLAYED_FROM not in event.payload:
            self._count(event, event.payload[USAGE])

    def record(self, event: Event, usage: Sequence[Json]) -> None:
        """Count what an attempt took until the event just appended; its outcome lets go of what it holds."""
        if usage:
            self._count(event, usage)
            at = self._journal.rows[-1][7]
            for ordinal, used in enumerate(usage):
                self._journal.accompany("usage", _entry(self._journal.run_id, event, ordinal, at, used))
        if (self._held or self._asked) and event.type in OUTCOMES and event.step_id is not None:
            key = self._journal.run_id, event.step_id, event.activation or 0, event.attempt or 0
            self._held.pop(key, None)
            if key in self._asked:
                self._asked.discard(key)
                self._let_go.add(key)
                self._journal.accompany("release", key)

    async def reserve(self, attempt: "Attempt", hold: Hold) -> None:
        """Hold room for an attempt's next call of a model.

        Raises:
            StepFailed: BUDGET_EXCEEDED, or PRICE_UNKNOWN where money is bounded.
        """
        key: AttemptKey = (self._journal.run_id, *attempt.key, attempt.number)
        caps = await self._pricing.caps(self._journal.tenant_id)
        hold, taken = bounded(hold), sum_of(attempt.usage)
        in_step = self._spent_by.get(attempt.key, NOTHING) + taken
        others = sum((held for other, held in self._held.items() if other != key), NOTHING)
        check_room(BudgetAccount("step", hold.step_budget or UNBOUNDED, in_step), hold)
        check_room(BudgetAccount("run", caps.run, self._spent + taken, others), hold)
        before = self._held.get(key, NOTHING)
        self._held[key] = taken + amount_of(hold)
        if caps.day == UNBOUNDED:
            return
        self._asked.add(key)
        try:
            await self._reservations.reserve(HoldRequest(self._journal.tenant_id, key, taken, hold))
        except BaseException:
            if key in self._held:
                self._held[key] = largest(before, taken)
            raise

    def close(self) -> None:
        """Let go of what is held for attempts whose outcome will not be recorded here."""
        left = self._asked | (self._let_go if self._journal.trouble is not None else set())
        if left:
            self._reservations.release(left)
            self._asked.clear()
            self._let_go.clear()

    def _count(self, event: Event, records: Any) -> None:
        amount = sum_of(records)
        self._usage.add(records)
        self._journal.usage = dump_json(self._usage.to_dict())
        self._spent += amount
        if event.step_id is not None and event.activation is not None:
            key = event.step_id, event.activation
            self._spent_by[key] = self._spent_by.get(key, NOTHING) + amount


def _entry(run_id: UUID, event: Event, ordinal: int, at: float, used: Any) -> tuple[Any, ...]:
    """Write one call as ``store.budgets.COUNT`` takes it."""
    record: Mapping[str, Any] = used
    return (
        run_id,
        event.seq,
        ordinal,
        at,
        event.step_id,
        event.activation,
        event.attempt,
        record["connection"],
        record["provider"],
        record["model"],
        record["input_tokens"],
        record["output_tokens"],
        record["cost"],
        record["estimated"],
        record["latency_ms"],
        record["request_id"] or "",
        record["prompt"] or "",
    )
