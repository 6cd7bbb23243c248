"""One pass over a tenant's events: what its webhook endpoints ask for becomes deliveries, exactly once each.

Place, numbers and deliveries are written in one transaction, so that a killed host has handed out all of a pass or
nothing; the tenant's place is locked, so that nobody else hands out meanwhile.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from kernel.types import Json
from runs.core.events import OF_TASKS, EventType
from runs.engine.store import hand_outs
from runs.engine.store.connection import Database, transaction
from runs.engine.store.hand_outs import FeedPlace, HandedEvent, LockedEndpoint
from runs.models.webhooks import HIGHEST_RUN, HIGHEST_SEQ
from runs.webhooks.bodies import BodyWriter
from runs.webhooks.bounds import MAX_WAITING
from runs.webhooks.event_types import CHECKPOINT, OF_RUNS
from runs.webhooks.matching import EndpointFilter, OutgoingEvent, endpoints_for

MAX_EVENTS: Final = 100
MAX_DELIVERIES: Final = 1_000
"""Of one transaction, save where a single event has more."""
CUT_TO_SIZE: Final = (EventType.SEGMENT_FAILED.value, *(kind.value for kind in OF_TASKS))


class HandOut(NamedTuple):
    """Result of a pass: how much was handed out, and whether there is more, now or once a transaction is over."""

    deliveries: int
    has_more: bool = False
    is_held_back: bool = False


def hand_out(connection: Database, tenant_id: UUID) -> HandOut:
    """Hand out the next events of a tenant; nothing where another host does."""
    with transaction(connection):
        place = hand_outs.lock_feed(connection, tenant_id)
        if place is None:
            return HandOut(0)
        filters = hand_outs.read_filters(connection, tenant_id)
        types = {kind for one in filters for kind in one.event_types}.intersection(OF_RUNS)
        horizon = hand_outs.read_horizon(connection)
        events = hand_outs.read_events(
            connection,
            tenant_id,
            place=place,
            horizon=horizon,
            types=types,
            short_types=CUT_TO_SIZE,
            most=MAX_EVENTS,
        )
        chosen = _choose(events, filters)
        has_more = len(chosen) < len(events) or len(events) == MAX_EVENTS
        place = _behind(place, events[: len(chosen)], horizon, has_more=has_more)
        if place.reads_audit:
            of_audit, place = _read_audit(connection, tenant_id, place)
            chosen += [(event, list(endpoints_for(event, filters))) for event in of_audit]
        _hand(connection, tenant_id, chosen)
        hand_outs.move_feed(connection, tenant_id, place)
        held = not has_more and hand_outs.is_held_back(connection, tenant_id, horizon=horizon, types=types)
    return HandOut(sum(len(wanting) for _, wanting in chosen), has_more, held)


def _read_audit(connection: Database, tenant_id: UUID, place: FeedPlace) -> tuple[list[OutgoingEvent], FeedPlace]:
    """Read what the audit has told since, and the place behind it; a checkpoint at most once a minute."""
    newest = hand_outs.read_checkpoint(connection, tenant_id)
    if newest is None:
        return [], place
    events = hand_outs.read_entries(connection, tenant_id, first=place.entries, end=newest.size)
    if newest.checkpoint_id > place.checkpoint and place.may_tell_checkpoint:
        told: dict[str, Json] = {"log": newest.origin, "size": newest.size, "checkpoint": newest.note}
        events.append(OutgoingEvent(CHECKPOINT, newest.at, told))
        place = place._replace(checkpoint=newest.checkpoint_id)
    return events, place._replace(entries=newest.size)


Chosen = list[tuple[OutgoingEvent, list[EndpointFilter]]]


def _choose(events: Sequence[OutgoingEvent], filters: Sequence[EndpointFilter]) -> Chosen:
    """Say who is told of which events: of so many that not too much is written at once, and of one at least."""
    chosen: Chosen = []
    count = 0
    for event in events:
        wanting = list(endpoints_for(event, filters))
        count += len(wanting)
        if chosen and count > MAX_DELIVERIES:
            break
        chosen.append((event, wanting))
    return chosen


def _hand(connection: Database, tenant_id: UUID, chosen: Chosen) -> None:
    wanting = {one.endpoint_id for _, endpoints in chosen for one in endpoints}
    if not wanting:
        return
    locked = hand_outs.lock_endpoints(connection, wanting, most=MAX_WAITING)
    handed = _number(chosen, locked)
    if handed:
        hand_outs.insert_deliveries(connection, tenant_id, handed)


def _number(chosen: Chosen, locked: dict[UUID, LockedEndpoint]) -> list[HandedEvent]:
    """Give each event its number in each endpoint's row."""
    counted = dict.fromkeys(locked, 0)
    handed = []
    for event, endpoints in chosen:
        writer = BodyWriter(event)
        for one in endpoints:
            endpoint = locked.get(one.endpoint_id)
            if endpoint is None:
                continue
            is_full = endpoint.waiting + counted[one.endpoint_id] >= MAX_WAITING
            counted[one.endpoint_id] += 1
            sequence = endpoint.sequence + counted[one.endpoint_id]
            handed.append(HandedEvent(endpoint, sequence, event, writer.write(one, sequence), is_full))
    return handed


def _behind(place: FeedPlace, events: Sequence[OutgoingEvent], horizon: str, *, has_more: bool) -> FeedPlace:
    """Name the place behind what was handed out: the last event, or all that is over where nothing is left."""
    if not has_more:
        newest = max(int(place.transaction), int(horizon) - 1)
        if newest > int(place.transaction):
            return place._replace(transaction=str(newest), run_id=HIGHEST_RUN, seq=HIGHEST_SEQ)
        return place
    last = events[-1]
    return place._replace(transaction=str(last.transaction), run_id=last.run_id or HIGHEST_RUN, seq=last.seq or 0)
