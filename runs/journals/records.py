"""The lines of journals as callers read them, so many bytes at a time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from kernel.paging import PAGE_BYTES, READ_BYTES, fitting
from kernel.types import Json
from runs.core import emitted
from runs.large_values import WHOLE_BYTES, shortened
from runs.models import RunEvent

_STARTED: Final = "step.started"
Attempt = tuple[UUID, str | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One line of the journal as others see it; ``data.produced`` is derived, one per port of a completed step.

    ``payload`` has links in the place of large values.
    """

    event_id: str
    event: RunEvent
    event_type: str
    payload: dict[str, Json]
    duration_ms: int | None


def read_events(rows: QuerySet[RunEvent], limit: int, *, most: int = READ_BYTES) -> tuple[list[RunEvent], bool]:
    """Read the first of some events: so many, and so many bytes of them, at most, but at least one.

    Of events that are shown whole no more is read than a page holds.

    Returns:
        The events, and whether there are more.
    """
    sizes = list(rows.values_list("bytes", flat=True)[: limit + 1])
    shown = fitting((size if size <= WHOLE_BYTES else 0 for size in sizes), PAGE_BYTES)
    count = min(limit, shown, fitting(sizes, most))
    return list(rows[:count]) if count else [], len(sizes) > count


def attempt_starts(events: list[RunEvent]) -> dict[Attempt, datetime]:
    """Read when the attempts began that end in these events, of any runs; to be called in their tenant's scope."""
    ended: dict[UUID, set[str]] = {}
    for event in events:
        if event.step_id and event.type != _STARTED:
            ended.setdefault(event.run_id, set()).add(event.step_id)
    if not ended:
        return {}
    wanted = reduce(or_, (Q(run_id=run_id, step_id__in=step_ids) for run_id, step_ids in ended.items()))
    rows = RunEvent.objects.filter(wanted, type=_STARTED)
    return {
        (run_id, step_id, activation, attempt): created_at
        for run_id, step_id, activation, attempt, created_at in rows.values_list(
            "run_id", "step_id", "activation", "attempt", "created_at"
        )
    }


def event_records(event: RunEvent, starts: Mapping[Attempt, datetime]) -> Iterable[EventRecord]:
    """Write a stored event and what is derived from it."""
    attempt = (event.run_id, event.step_id, event.activation, event.attempt)
    began = starts.get(attempt) if event.type != _STARTED else None
    duration = None if began is None else max(0, round((event.created_at - began).total_seconds() * 1000))
    event_id = f"{event.run_id}:{event.seq}"
    payload = shortened(event.payload, event.bytes, run_id=event.run_id, seq=event.seq)
    yield EventRecord(event_id, event, event.type, payload, duration)
    if event.type == "step.completed":
        for port, value in emitted_values(payload).items():
            yield EventRecord(f"{event_id}:{port}", event, "data.produced", {"port": port, "value": value}, None)


def emitted_values(payload: Mapping[str, Json]) -> dict[str, Json]:
    """Read what a ``step.completed`` sent out by port, links as well; a split over items sent the items."""
    ports, items = emitted(payload), payload.get("items")
    return ports if items is None else dict.fromkeys(ports, items)
