"""One cursor over journals: of one run by ``seq``, of a whole tenant by the order in which events became visible."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import orjson
from django.db.models import Func, Q, QuerySet

from foundation.scope import tenant_scope
from kernel.ids import parse_id
from kernel.paging import PAGE_BYTES, CursorRefused, fitting
from runs import selectors
from runs.core.events import EventType
from runs.events.bodies import event_body, step_types_of
from runs.journals.records import Attempt, attempt_starts, event_records, read_events
from runs.models import Run, RunEvent, TransactionIdField
from segments.models import Revision
from tenants.models import Tenant

ATTEMPT_ENDS: Final = {EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_SKIPPED, EventType.STEP_RETRYING}
ENDS: Final = {EventType.SEGMENT_COMPLETED, EventType.SEGMENT_FAILED, EventType.SEGMENT_CANCELLED}
PRODUCED: Final = "data.produced"
EVENT_TYPES: Final = (*(kind.value for kind in EventType), PRODUCED)
NOW: Final = "now"
FIRST_EVENTS: Final = 8
STRETCH_EVENTS: Final = 100
STRETCH_BYTES: Final = 256 * 1024
"""Most bytes read at once: values may be large, so a little is read before much is."""
_UNREAD: Final = ("run__input", "run__output", "run__error", "run__metadata", "run__waiting_for", "run__digest")
_HIGHEST: Final = UUID(int=2**128 - 1)
_LOWEST: Final = UUID(int=0)


class EventPlace(NamedTuple):
    """Position of a reader: behind this event. For one run only ``seq`` counts."""

    transaction: int
    run_id: UUID
    seq: int


@dataclass(frozen=True)
class Record:
    """One record as every reader gets it."""

    body: dict[str, Any]

    @cached_property
    def text(self) -> bytes:
        """The record as JSON, written once for all readers."""
        return orjson.dumps(self.body, option=orjson.OPT_UTC_Z)


@dataclass(frozen=True)
class EventFrame:
    """All records of one stored event: itself, then what is derived from it."""

    place: EventPlace
    cursor: str
    records: tuple[Record, ...]
    ends: bool = False

    @property
    def ended_attempt(self) -> "AttemptKey | None":
        """The attempt this event is the end of."""
        body = self.records[0].body
        return (body["step_id"], body["activation"], body["attempt"]) if body["event_type"] in ATTEMPT_ENDS else None

    @cached_property
    def size(self) -> int:
        """Bytes of its records."""
        return sum(len(record.text) for record in self.records)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Some frames in order.

    Attributes:
        frames: What was found.
        place: Where to go on.
        more: Whether there is more to read at once.
        held_back: Whether events are there already that an unfinished transaction keeps from being read.
    """

    frames: list[EventFrame]
    place: EventPlace
    more: bool
    held_back: bool = False

    def page(self) -> "EventBatch":
        """Return as much of it as a page holds."""
        count = fitting((frame.size for frame in self.frames), PAGE_BYTES)
        if count == len(self.frames):
            return self
        return EventBatch(self.frames[:count], self.frames[count - 1].place, more=True)


class EventSource(Protocol):
    """A journal that can be read from any place. Calls need a thread; they open their own transaction."""

    @property
    def key(self) -> "Key":
        """The key of what is followed: ``("run", id)`` or ``("tenant", id)``."""

    def read(self, after: EventPlace) -> EventBatch:
        """Read on behind a place."""


Key: TypeAlias = tuple[str, UUID]
AttemptKey: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True)
class RunSource:
    """The journal of one run."""

    run: Run

    @property
    def key(self) -> Key:
        """The key of what is followed."""
        return "run", self.run.id

    @cached_property
    def step_types(self) -> dict[str, str]:
        """The type of each step."""
        return step_types_of(self.run)

    def place(self, seq: int) -> EventPlace:
        """Name the place behind an event."""
        return EventPlace(0, _LOWEST, seq)

    def read(self, after: EventPlace) -> EventBatch:
        """Read some events behind ``after.seq``."""
        return _bounded(self.read_page, after)

    def read_page(self, after: EventPlace, limit: int) -> EventBatch:
        """Read so many events behind ``after.seq``, or as many as 4 MiB hold."""
        with tenant_scope(self.run.tenant_id):
            found, more = read_events(self.run.events.filter(seq__gt=after.seq).order_by("seq"), limit)
            starts = attempt_starts(found)
        frames = [self._frame(event, starts) for event in found]
        return EventBatch(frames, frames[-1].place if frames else after, more)

    def _frame(self, event: RunEvent, starts: Mapping[Attempt, datetime]) -> EventFrame:
        records = (Record(event_body(self.run, self.step_types, record)) for record in event_records(event, starts))
        return EventFrame(self.place(event.seq), str(event.seq), tuple(records), event.type in ENDS)


@dataclass(frozen=True)
class Filter:
    """Filter of a tenant's records; empty means all."""

    event_types: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    runs: frozenset[UUID] = frozenset()

    def wants(self, record: Record) -> bool:
        """Tell whether a record passes."""
        body = record.body
        return (
            (not self.event_types or body["event_type"] in self.event_types)
            and (not self.segments or body["segment_id"] in self.segments)
            and (not self.runs or body["run_id"] in self.runs)
        )

    def pick(self, frame: EventFrame) -> tuple[Record, ...]:
        """Return the records of a frame that pass."""
        return tuple(record for record in frame.records if self.wants(record))

    def narrow(self, events: QuerySet[RunEvent]) -> QuerySet[RunEvent]:
        """Leave out events none of whose records can pass."""
        if self.event_types:
            stored = {EventType.STEP_COMPLETED.value if name == PRODUCED else name for name in self.event_types}
            events = events.filter(type__in=stored)
        if self.segments:
            events = events.filter(run__segment_id__in=self.segments)
        return events.filter(run_id__in=self.runs) if self.runs else events


EVERYTHING: Final = Filter()


@dataclass(frozen=True)
class TenantSource:
    """The journals of all runs of a tenant, in the order of the transactions that wrote them.

    Rows carry the id of their transaction, and nothing at or beyond the oldest unfinished transaction is read: what
    could still appear in front of a reader is waited for. Ids handed out when a row is written would not do, as rows
    become visible when their transaction ends, in another order.
    """

    tenant: Tenant
    filter: Filter = field(default=EVERYTHING)

    @property
    def key(self) -> Key:
        """The key of what is followed."""
        return "tenant", self.tenant.id

    def read(self, after: EventPlace) -> EventBatch:
        """Read some events behind a place that pass the filter."""
        return _bounded(self.read_page, after)

    def read_page(self, after: EventPlace, limit: int) -> EventBatch:
        """Read so many events behind a place that pass the filter, or as many as 4 MiB hold."""
        with tenant_scope(self.tenant.id):
            horizon = self._horizon()
            rows = self.filter.narrow(RunEvent.objects.filter(transaction__gte=after.transaction))
            rows = rows.filter(_behind(after), transaction__lt=horizon).select_related("run").defer(*_UNREAD)
            found, more = read_events(rows.order_by("transaction", "run_id", "seq"), limit)
            frames = list(_frames(found))
            held_back = not more and RunEvent.objects.filter(transaction__gte=horizon).exists()
        place = frames[-1].place if more else max(after, EventPlace(horizon - 1, _HIGHEST, selectors.MAX_SEQ))
        return EventBatch(frames, place, more, held_back)

    def now(self) -> EventPlace:
        """Name the present: everything that becomes visible from now on is behind it."""
        with tenant_scope(self.tenant.id):
            return EventPlace(self._horizon() - 1, _HIGHEST, selectors.MAX_SEQ)

    def _horizon(self) -> int:
        oldest = Func(
            Func(function="pg_current_snapshot"), function="pg_snapshot_xmin", output_field=TransactionIdField()
        )
        return int(Tenant.objects.filter(id=self.tenant.id).values_list(oldest, flat=True).get())


BEGINNING: Final = EventPlace(0, _LOWEST, 0)


def _bounded(read: Callable[[EventPlace, int], EventBatch], after: EventPlace) -> EventBatch:
    """Read on until it is enough. The records are written here, in the reader's thread."""
    frames: list[EventFrame] = []
    place, size, limit = after, 0, FIRST_EVENTS
    while True:
        found = read(place, limit)
        frames += found.frames
        place = found.place
        size += sum(frame.size for frame in found.frames)
        if not found.more or size >= STRETCH_BYTES or len(frames) >= STRETCH_EVENTS:
            return EventBatch(frames, place, found.more, found.held_back)
        limit = min(limit * 4, STRETCH_EVENTS - len(frames))


def _behind(place: EventPlace) -> Q:
    return (
        Q(transaction__gt=place.transaction)
        | Q(transaction=place.transaction, run_id__gt=place.run_id)
        | Q(transaction=place.transaction, run_id=place.run_id, seq__gt=place.seq)
    )


def _frames(events: list[RunEvent]) -> Iterable[EventFrame]:
    starts = attempt_starts(events)
    for event in events:
        types = _step_types(event.run.revision_id)
        records = (Record(event_body(event.run, types, record)) for record in event_records(event, starts))
        place = EventPlace(event.transaction, event.run_id, event.seq)
        yield EventFrame(place, write_cursor(place), tuple(records))


@lru_cache(maxsize=512)
def _step_types(revision_id: UUID) -> dict[str, str]:
    """Read the types of a revision's steps, in the scope of its tenant; revisions never change."""
    definition = Revision.objects.values_list("definition", flat=True).get(id=revision_id)
    return {step["step_id"]: step["type"] for step in definition["steps"]}


def write_cursor(place: EventPlace) -> str:
    """Write a place as opaque text that is safe in a URL."""
    plain = f"{place.transaction}.{place.run_id}.{place.seq}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(text: str) -> EventPlace:
    """Read what ``write_cursor`` wrote.

    Raises:
        CursorRefused: Anything else.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        transaction, run_id, seq = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(".")
    except (UnicodeError, binascii.Error, ValueError):
        raise CursorRefused from None
    known = parse_id(run_id)
    if known is None or not (transaction.isdigit() and len(transaction) < 20 and int(transaction) < 2**63):
        raise CursorRefused
    place = EventPlace(int(transaction), known, selectors.read_seq(seq))
    if write_cursor(place) != text:
        raise CursorRefused
    return place
