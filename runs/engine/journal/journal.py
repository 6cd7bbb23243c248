"""One run's journal in memory: what is recorded and not yet committed."""

from asyncio import Future
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from uuid import UUID

from kernel.ids import new_id
from kernel.types import Json
from kernel.values import MAX_VALUE_BYTES, ValueTooLarge, check_size, dump_json
from runs.core.events import OF_TASKS, Event, EventType
from runs.core.journal import MAX_JOURNAL_BYTES, chain, microseconds_stored
from runs.engine.clock import DatabaseClock
from runs.engine.memory.weights import weight_of
from runs.metrics import RUNS_OUT_OF_MEMORY
from runs.models import RunStatus

BUFFERED_EVENTS: Final = 256
BUFFERED_BYTES: Final = 1024 * 1024
UNLIMITED: Final = 1 << 62
REPORTED_BYTES: Final = 16 * 1024
"""Smaller changes of what a run holds are reported together."""

Row: TypeAlias = tuple[UUID, int, UUID, str, str | None, int | None, int | None, float, str]
"""As the table has it: run, seq, tenant, type, step, activation, attempt, time, payload."""

SideRow: TypeAlias = tuple[int, str, tuple[Any, ...]]
"""Row written in the transaction of an event: its number, the name of the statement, and the statement's values."""

CARRIES_VALUES: Final = frozenset(
    {
        EventType.STEP_COMPLETED,
        EventType.SEGMENT_COMPLETED,
        EventType.ACTION_STARTED,
        EventType.ACTION_COMPLETED,
        EventType.ACTION_FAILED,
    }
)


class MemoryLimit(ValueTooLarge):
    """A run would hold more than its share of a worker's memory."""

    code = "MEMORY_LIMIT"
    title = "The run takes too much memory"


@dataclass(slots=True)
class Closing:
    """End of a host's ownership of a run: final, parked, or for another host. Texts are JSON; times as the clock's.

    ``charged_until``: until when the run's timeout pays for being parked. ``signal_ids`` are the commands its last
    event takes, ``leaves`` those that stay in the inbox. ``yields_to_signals``: nothing is closed while the inbox holds
    any other.
    """

    status: RunStatus | str
    over: bool = False
    wake_at: float | None = None
    charged_until: float | None = None
    waiting_for: str = "[]"
    output: str | None = None
    error: str | None = None
    warnings: str | None = None
    signal_ids: tuple[int, ...] = ()
    side: list[SideRow] = field(default_factory=list)
    row: Row | None = None
    last_seq: int = 0
    size_after: int = 0
    digest_after: bytes = b""
    yields_to_signals: bool = True
    leaves: tuple[int, ...] = ()
    done: "Future[bool] | None" = None


@dataclass(slots=True)
class Journal:
    """Journal of one run in the hands of its owner.

    Sequence numbers, digest and size are decided here at once; ``committed_*`` is what Postgres has. Only the writer
    moves the latter. Between the two lie ``rows``, and ``taken``: the commands that events among them take, each with
    the number of its event. ``seen`` has all that were ever taken here. ``side`` has what is written along with events
    (``accompany``), also that the run's callback is told of events in ``callback_events``; ``usage`` the run's sums as
    JSON, once there are any. ``trouble`` says why nothing more can be written; ``notify`` is called when it is set.
    ``held`` is about what the run's events take in memory, ``memory_limit`` the most that may be; ``grow`` is told of
    changes, so that ``reported`` is what it knows of.
    ``has_progressed``: this owner has committed an outcome.
    """

    run_id: UUID
    tenant_id: UUID
    epoch: int
    clock: DatabaseClock
    seq: int = 0
    size: int = 0
    digest: bytes = b""
    activations: int = 0
    active: int = 0
    rows: list[Row] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)
    side: list[SideRow] = field(default_factory=list)
    usage: str | None = None
    seen: set[int] = field(default_factory=set)
    buffered: int = 0
    callback_events: frozenset[str] = frozenset()
    closing: Closing | None = None
    waiters: "list[tuple[int, Future[None]]]" = field(default_factory=list)
    trouble: Exception | None = None
    notify: Callable[[], None] | None = None
    held: int = 0
    memory_limit: int = UNLIMITED
    grow: Callable[[int], None] | None = None
    reported: int = 0
    misses: int = 0
    has_progressed: bool = False
    committed_seq: int = 0
    committed_size: int = 0
    committed_digest: bytes = b""
    _latest: float = 0.0

    def __post_init__(self) -> None:
        self.committed_seq, self.committed_size, self.committed_digest = self.seq, self.size, self.digest

    @property
    def is_large(self) -> bool:
        """Whether so many bytes are buffered that they are to be written before there are more."""
        return self.buffered >= BUFFERED_BYTES

    @property
    def is_full(self) -> bool:
        """Whether enough is buffered to be written without anybody waiting for it."""
        return len(self.rows) >= BUFFERED_EVENTS or self.buffered >= BUFFERED_BYTES

    def append(
        self,
        event_type: EventType,
        payload: Mapping[str, Json],
        *,
        step_id: str | None = None,
        activation: int | None = None,
        attempt: int | None = None,
    ) -> Event:
        """Record a fact with the next number.

        Raises:
            ValueTooLarge: A value in it is over its bound, or the journal would be, or what the run holds in memory;
                nothing was recorded.
        """
        event = Event(self.seq + 1, event_type, payload, step_id, activation, attempt, self._now())
        row, stored = self._write(event)
        self._hold(event, row[8], len(stored))
        self.seq += 1
        self.size += len(stored)
        self.buffered += len(stored)
        self.digest = chain(self.digest, _head(row), stored)
        self.rows.append(row)
        if event_type in self.callback_events:
            self.side.append(self._delivery(row, ends=False))
        if event_type in OF_TASKS:
            self.side.append((event.seq, "notify", (new_id(), self.run_id, event.seq, event_type.value, row[7])))
        return event

    def take(self, signal_ids: Iterable[int]) -> None:
        """Have commands marked as taken by the last event, in the transaction that commits it."""
        for signal_id in signal_ids:
            self.taken.append((signal_id, self.seq))
            self.seen.add(signal_id)

    def accompany(self, statement: str, values: tuple[Any, ...]) -> None:
        """Have one of ``store.journals.SIDE`` executed in the transaction that commits the last event."""
        self.side.append((self.seq, statement, values))

    def end_with(self, closing: Closing, event_type: EventType, payload: Mapping[str, Json]) -> None:
        """Give a closing its last event, which takes its number only if the closing is committed.

        Nothing may be appended until the writer has answered.

        Raises:
            ValueTooLarge: As for ``append``.
        """
        row, stored = self._write(Event(self.seq + 1, event_type, payload, at=self._now()))
        closing.row = row
        closing.last_seq = self.seq + 1
        closing.size_after = self.size + len(stored)
        closing.digest_after = chain(self.digest, _head(row), stored)
        if event_type in self.callback_events:
            closing.side.append(self._delivery(row, ends=closing.over))

    def refuse(self) -> None:
        """Forget everything that is not committed, because Postgres does not take it."""
        self.rows.clear()
        self.seen -= {signal_id for signal_id, _ in self.taken}
        self.taken.clear()
        self.side.clear()
        self.closing = None
        self.hold(-self.buffered)
        self.buffered = 0
        self.seq, self.size, self.digest = self.committed_seq, self.committed_size, self.committed_digest

    def hold(self, change: int) -> None:
        """Count what the run takes more in memory, or less."""
        self.held += change
        if not -REPORTED_BYTES < self.held - self.reported < REPORTED_BYTES:
            self._report_memory()

    def let_go(self) -> None:
        """Count nothing any more: the run is not here any longer."""
        self.held = 0
        self._report_memory()

    def _report_memory(self) -> None:
        change, self.reported = self.held - self.reported, self.held
        if self.grow is not None:
            self.grow(change)

    def hold_again(self, event: Event, text: str) -> None:
        """Count an event that was recorded before, given its payload's text, too."""
        self.hold(weight_of(text, event.payload))

    def _hold(self, event: Event, text: str, size: int) -> None:
        """Count an event and its row; those that only tell of a failure or a start always fit."""
        weight = weight_of(text, event.payload)
        limit = self.memory_limit
        if self.held - self.buffered + weight > limit and event.type in CARRIES_VALUES:
            RUNS_OUT_OF_MEMORY.inc()
            raise MemoryLimit(
                f"The run would hold more than the {limit} bytes of memory that a worker has for it.",
                extra={"limit": limit},
            )
        self.hold(weight + size)

    def _delivery(self, row: Row, *, ends: bool) -> SideRow:
        """Have the run's callback told of an event, as ``store.deliveries.INSERT`` takes it."""
        run_id, seq, _, event_type, _, _, _, at, _ = row
        return seq, "deliver", (new_id(), run_id, seq, event_type, at, ends)

    def _now(self) -> float:
        """The time of the next event, never before that of the last one."""
        self._latest = max(self._latest, self.clock.now())
        return self._latest

    def _write(self, event: Event) -> tuple[Row, bytes]:
        """Write an event as the table has it; return the stored bytes of its payload too."""
        payload = dump_json(dict(event.payload))
        stored = payload.encode()
        if event.type in CARRIES_VALUES:
            self._check_size(event, len(stored))
        row: Row = (
            self.run_id,
            event.seq,
            self.tenant_id,
            event.type.value,
            event.step_id,
            event.activation,
            event.attempt,
            event.at,
            payload,
        )
        return row, stored

    def _check_size(self, event: Event, size: int) -> None:
        """Bound each value, and the journal; events that only tell of a failure or a start always fit."""
        if size > MAX_VALUE_BYTES:
            for value in _values(event):
                check_size(value)
        if self.size + size > MAX_JOURNAL_BYTES:
            raise ValueTooLarge(
                f"The journal would take more than {MAX_JOURNAL_BYTES} bytes.", extra={"limit": MAX_JOURNAL_BYTES}
            )


def _head(row: Row) -> list[str | int | None]:
    _, seq, _, event_type, step_id, activation, attempt, at, _ = row
    return [seq, event_type, step_id, activation, attempt, microseconds_stored(at)]


def _values(event: Event) -> list[Json]:
    """Return the single values an event carries."""
    payload = event.payload
    if event.type is EventType.SEGMENT_COMPLETED:
        return [payload["output"]]
    if event.type is not EventType.STEP_COMPLETED:
        return [dict(payload)]
    ports = payload["ports"]
    values = list(ports.values()) if isinstance(ports, dict) else [payload["value"]]
    return [*values, payload.get("items")]
