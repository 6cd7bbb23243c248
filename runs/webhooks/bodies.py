"""Bodies of what endpoints are told: what callbacks are told, and its place among the endpoint's events. Pure."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import orjson

from kernel.types import Json
from runs.callbacks.payload import MAX_BYTES, DeliveredFact, write_body
from runs.webhooks.matching import EndpointFilter, OutgoingEvent

PLACE_BYTES: Final = 250
"""Room for what is the endpoint's own: two numbers, its id, the event's number in its run."""


@dataclass(slots=True)
class BodyWriter:
    """Writes an event for several endpoints: what is the same for all is written once."""

    event: OutgoingEvent
    _written: dict[tuple[bool, str], str] = field(default_factory=dict)

    def write(self, endpoint: EndpointFilter, sequence: int) -> str:
        """Write the body for an endpoint; shorter than ``MAX_BYTES``."""
        shared = self.write_shared(endpoint.runs_url, is_thin=endpoint.is_thin)
        return with_place(shared, endpoint.endpoint_id, sequence, self.event.seq)

    def write_shared(self, runs_url: str, *, is_thin: bool = False) -> str:
        """Write what is the same for all endpoints that are alike."""
        key = is_thin, runs_url
        if key not in self._written:
            self._written[key] = _thin(self.event, runs_url) if is_thin else self._whole(runs_url)
        return self._written[key]

    def _whole(self, runs_url: str) -> str:
        event = self.event
        if event.run_id is None:
            return _dump({"type": event.type, "timestamp": _timestamp(event), **(event.payload or {})})
        fact = DeliveredFact(
            run_id=event.run_id,
            segment_id=event.segment_id,
            client_reference=event.client_reference,
            metadata=event.metadata,
            event_type=event.type,
            at=event.at,
            payload=event.payload,
            runs_url=runs_url,
            step_id=event.step_id,
            activation=event.activation,
        )
        return write_body(fact, most=MAX_BYTES - PLACE_BYTES)


def with_place(body: str, endpoint_id: UUID, sequence: int | None, seq: int | None = None) -> str:
    """Add to a body whose event it is, its place among that endpoint's events, and its number in its run."""
    before = None if sequence is None else sequence - 1
    place: dict[str, Json] = {"endpoint_id": str(endpoint_id), "sequence": sequence, "previous_sequence": before}
    if seq is not None:
        place["seq"] = seq
    return f"{body[:-1]},{_dump(place)[1:]}"


def _thin(event: OutgoingEvent, runs_url: str) -> str:
    """Name what an event is about, and where to read it."""
    head: dict[str, Json] = {"type": event.type, "timestamp": _timestamp(event)}
    if event.run_id is not None:
        head |= {"run_id": str(event.run_id), "output_url": f"{runs_url}/{event.run_id}"}
    if event.step_id is not None:
        head |= {"step_id": event.step_id, "activation": event.activation}
    if event.payload is not None and "task_id" in event.payload:
        head["task_id"] = event.payload["task_id"]
    return _dump(head)


def _timestamp(event: OutgoingEvent) -> str:
    return event.at.isoformat().replace("+00:00", "Z")


def _dump(value: Json) -> str:
    return orjson.dumps(value).decode()
