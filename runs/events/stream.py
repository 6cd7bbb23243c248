"""Streams of events: a position in a journal, an authorised caller, and the events from there on."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from kernel.errors import ErrorItem, Invalid
from kernel.ids import parse_id
from runs.bus.deltas import Delta
from runs.errors import ProcessStops
from runs.events.cursor import (
    EVENT_TYPES,
    EVERYTHING,
    NOW,
    EventPlace,
    Filter,
    Record,
    RunSource,
    TenantSource,
    read_cursor,
)
from runs.events.feed import Feed, following
from runs.events.hub import current_hub
from runs.events.send_buffer import SendBuffer
from runs.selectors import get_run, read_run_id, read_seq
from tenants.errors import KeyRefused, ScopeMissing
from tenants.types import Caller

PING_SECONDS: Final = 10.0
SCOPE: Final = "runs:read"
MAX_NAMES: Final = 100
STEP_DELTA: Final = "step.delta"
MAX_UNSENT_FOR_LIVE: Final = 64 * 1024
"""Bytes a caller has not taken yet: behind so many live frames are left out, events never."""


@dataclass(frozen=True)
class Stream:
    """Stream that a caller was admitted to.

    Attributes:
        caller: Who reads; asked again and again whether they still may.
        source: What is read, with the caller's filter.
        place: From where on.
        head: Where the journal ended when the stream was opened.
        ended: Whether the journal was complete then.
        filter: Which records are wanted.
    """

    caller: Caller
    source: RunSource | TenantSource
    place: EventPlace
    head: EventPlace
    ended: bool = False
    filter: Filter = EVERYTHING

    @property
    def is_over(self) -> bool:
        """Whether nothing will ever follow."""
        return self.ended and self.place >= self.head

    def feed(self) -> Feed:
        """Make the feed everybody shares who follows this journal."""
        source = TenantSource(self.caller.tenant) if isinstance(self.source, TenantSource) else self.source
        return Feed(source, self.head, ended=self.ended)


@dataclass(frozen=True)
class StreamPiece:
    """One event's records, and the cursor that goes on behind them; None of a live frame, which nobody goes on from."""

    records: tuple[Record, ...]
    cursor: str | None


Pieces: TypeAlias = list[StreamPiece]


def open_run(*, caller: Caller, run_id: str, after: str) -> Stream:
    """Open the journal of a run behind an event's ``seq``; empty means from the start.

    Raises:
        ScopeMissing: The caller's key may not read runs.
        RunNotFound: The tenant has no such run.
        CursorRefused: ``after`` is not a number of an event.
    """
    check_scope(caller)
    run = get_run(tenant=caller.tenant, run_id=read_run_id(run_id))
    source = RunSource(run)
    seq = read_seq(after) if after else 0
    return Stream(caller, source, source.place(seq), source.place(run.last_seq), ended=run.is_over)


def open_tenant(*, caller: Caller, cursor: str, wanted: Filter = EVERYTHING) -> Stream:
    """Open the journals of all runs of the caller's tenant behind a cursor; empty means from now on.

    Raises:
        ScopeMissing: The caller's key may not read runs.
        CursorRefused: Not a cursor of ours.
    """
    check_scope(caller)
    source = TenantSource(caller.tenant, wanted)
    now = source.now()
    return Stream(caller, source, read_cursor(cursor) if cursor not in {"", NOW} else now, now, filter=wanted)


def check_scope(caller: Caller) -> None:
    """Refuse a key without the right to read runs.

    Raises:
        ScopeMissing: It lacks the scope.
    """
    if SCOPE not in caller.scopes:
        raise ScopeMissing(f"This call needs a key with the scope `{SCOPE}`.", extra={"scope": SCOPE})


def read_filter(*, event_type: str = "", segment: str = "", run: str = "") -> Filter:
    """Read the three filters of a tenant's stream: lists separated by commas.

    Raises:
        Invalid: An event type there is none of, a run that is no id, or more than 100 names.
    """
    types, segments, runs = _names(event_type), _names(segment), _names(run)
    unknown = [name for name in types if name not in EVENT_TYPES]
    ids = [parse_id(name) for name in runs]
    if unknown:
        hint = "One of " + ", ".join(EVENT_TYPES) + "."
        raise Invalid(
            errors=[ErrorItem("UNKNOWN_EVENT_TYPE", f"There is no event type {unknown[0][:64]!r}.", hint=hint)]
        )
    if None in ids:
        raise Invalid(errors=[ErrorItem("NOT_AN_ID", "`run` names runs by their run_id.")])
    known: list[UUID] = [run_id for run_id in ids if run_id is not None]
    return Filter(frozenset(types), frozenset(segments), frozenset(known))


def _names(text: str) -> list[str]:
    names = text.split(",") if text else []
    if len(names) > MAX_NAMES:
        raise Invalid(errors=[ErrorItem("TOO_MANY", f"A filter takes at most {MAX_NAMES} names.")])
    return names


async def follow(stream: Stream, send_buffer: SendBuffer) -> AsyncGenerator[Pieces, None]:
    """Yield what comes, in order, without a gap; nothing, an empty list, after ten silent seconds.

    Ends after the run's last event. Close it (``contextlib.aclosing``): it holds its place in a shared feed.

    Raises:
        KeyRefused: The caller's key has been revoked meanwhile, or has run out.
        ConsumerTooSlow: The caller does not read.
        ProcessStops: This process stops; the caller is to come again with its cursor.
    """
    place = stream.place
    spoke = time.monotonic()
    hub = current_hub()
    with hub.guarding(stream.caller, SCOPE) as allowed:
        async with following(stream.source.key, stream.feed) as feed:
            heard = feed.live.heard
            while not feed.is_over_at(place):
                if hub.is_closing:
                    raise ProcessStops
                stretch = await feed.after(
                    place, stream.source, seconds=max(0.0, spoke + PING_SECONDS - time.monotonic())
                )
                if not allowed.is_valid or not stream.caller.is_live():
                    raise KeyRefused
                pieces: Pieces = []
                if stretch is not None:
                    place = stretch.place
                    picked = ((stream.filter.pick(frame), frame.cursor) for frame in stretch.frames)
                    pieces = [StreamPiece(records, cursor) for records, cursor in picked if records]
                if send_buffer.unsent < MAX_UNSENT_FOR_LIVE:
                    deltas, heard = feed.live.after(heard, place.seq)
                    pieces += map(_live, deltas)
                else:
                    heard = feed.live.heard
                if pieces or time.monotonic() - spoke >= PING_SECONDS:
                    spoke = time.monotonic()
                    yield pieces
                    await send_buffer.has_room()


def _live(delta: Delta) -> StreamPiece:
    body = {
        "event_type": STEP_DELTA,
        "run_id": delta.run_id,
        "step_id": delta.step_id,
        "activation": delta.activation,
        "attempt": delta.attempt,
        "payload": {"answer": delta.answer, "offset": delta.offset, "text": delta.text},
    }
    return StreamPiece((Record(body),), None)
