"""Choice of who is told of an event. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kernel.types import Json
from runs.core.severities import SEVERITIES, severity_of

_RANKS: Final = {name: rank for rank, name in enumerate(SEVERITIES)}


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    """Filter of an endpoint; ``since`` is the first transaction whose events it is told of."""

    endpoint_id: UUID
    event_types: frozenset[str]
    segments: frozenset[str]
    severity: str
    is_thin: bool
    runs_url: str
    since: int


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event as it is handed out: one of a run, or, without one, one of the tenant.

    ``payload`` is None where it is too large to be told. ``transaction``: that which wrote it; 0 where the event has
    another order.
    """

    type: str
    at: datetime
    payload: dict[str, Json] | None
    transaction: int = 0
    run_id: UUID | None = None
    seq: int | None = None
    segment_id: str = ""
    client_reference: str = ""
    metadata: Json = None
    step_id: str | None = None
    activation: int | None = None


def endpoints_for(event: OutgoingEvent, filters: Sequence[EndpointFilter]) -> Iterable[EndpointFilter]:
    """Give those that ask for an event. Segments narrow events of runs only."""
    rank = _RANKS[severity_of(event.type, event.payload)]
    return (
        one
        for one in filters
        if event.type in one.event_types
        and rank >= _RANKS[one.severity]
        and (event.run_id is None or not one.segments or event.segment_id in one.segments)
        and (event.run_id is None or event.transaction >= one.since)
    )
