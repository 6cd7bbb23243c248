"""Snapshots: a run as one document with its segment, its journal, its state and a checksum over all of it."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from foundation.scope import tenant_scope
from kernel.canonical import canonical_json
from kernel.types import Json
from runs.core import Event, EventType, apply, emitted, new_state
from runs.core.journal import MAX_JOURNAL_BYTES
from runs.core.state import State
from runs.core.summary import summarise
from runs.errors import SnapshotTooLarge
from runs.journals.records import read_events
from runs.models import Run, RunEvent
from runs.selectors import get_run
from runs.steps.registry import installed_registry
from segments.definition import read_segment
from segments.plan.compilation import compile_plan
from tenants.models import Tenant

FORMAT: Final = "llmteam.run/1"
CHUNK_EVENTS: Final = 500
CHUNK_BYTES: Final = 256 * 1024


def snapshot_run(*, tenant: Tenant, run_id: UUID) -> Iterator[bytes]:
    """Write a run as one JSON document, as it is now, chunk by chunk.

    Its last member, ``checksum``, is the SHA-256 of the document without it in canonical form (RFC 8785). The journal
    ends with the last event the run's row told of, so that both belong together. Each chunk is read in a transaction of
    its own, when it is asked for.

    Raises:
        RunNotFound: The tenant has no such run.
        SnapshotTooLarge: The journal is over 64 MiB.
    """
    run = get_run(tenant=tenant, run_id=run_id)
    if run.journal_bytes > MAX_JOURNAL_BYTES:
        detail = f"The journal has {run.journal_bytes} bytes; read the run's events page by page instead."
        raise SnapshotTooLarge(detail, extra={"limit": MAX_JOURNAL_BYTES, "state": run.status})
    return _checked(_document(run))


def _checked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Close an object that is written up to its closing brace with the checksum of it."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    digest.update(b"}")
    yield b',"checksum":"%b"}' % digest.hexdigest().encode()


def _document(run: Run) -> Iterator[bytes]:
    """Write the members in the order of the canonical form; some events at a time, as a journal may be long."""
    state = _empty_state(run)
    yield b'{"format":%b,"journal":[' % canonical_json(FORMAT)
    before = b""
    for chunk in _journal(run, state):
        yield before + chunk
        before = b","
    yield b'],"revision":%b,"run":%b,"state":' % (canonical_json(_revision(run)), canonical_json(_run(run)))
    if state is None:
        yield b"null"
    else:
        yield from _state(run, state)


def _empty_state(run: Run) -> State | None:
    """Make ready to fold; None where this process does not know all step types of the revision."""
    catalog = installed_registry().catalog
    segment = read_segment(run.revision.definition).segment
    if segment is None or any(step.type not in catalog for step in segment.steps):
        return None
    return new_state(compile_plan(segment, catalog, semantics=run.semantics))


def _journal(run: Run, state: State | None) -> Iterator[bytes]:
    """Write the events, separated by commas. While a chunk is sent, nothing else is held."""
    last_seq = 0
    while last_seq < run.last_seq:
        with tenant_scope(run.tenant_id):
            rows = run.events.filter(seq__gt=last_seq, seq__lte=run.last_seq).order_by("seq")
            events, _ = read_events(rows, CHUNK_EVENTS, most=CHUNK_BYTES)
        for event in events:
            _fold(state, event)
        last_seq = events[-1].seq
        chunk = b",".join(canonical_json(_event(event)) for event in events)
        del events, event
        yield chunk


def _fold(state: State | None, row: RunEvent) -> None:
    """Take an event into account without its values: where they went does not depend on what they are."""
    if state is not None:
        payload = _hollow(row.payload)
        apply(state, Event(row.seq, EventType(row.type), payload, row.step_id, row.activation, row.attempt))


def _hollow(payload: Mapping[str, Json]) -> dict[str, Json]:
    hollow = {**payload, **dict.fromkeys(payload.keys() & {"input", "value"})}
    ports, items = payload.get("ports"), payload.get("items")
    if isinstance(ports, dict):
        hollow["ports"] = dict.fromkeys(ports)
    if isinstance(items, list):
        hollow["items"] = [None] * len(items)
    return hollow


def _state(run: Run, state: State) -> Iterator[bytes]:
    """Write the state; the output, of which it has the places only, is read value by value."""
    summary = summarise(state)
    between = b"{"
    for name in sorted(summary):
        yield between + canonical_json(name) + b":"
        if name == "output":
            yield from _output(run, state)
        else:
            yield canonical_json(summary[name])
        between = b","
    yield b"}"


def _output(run: Run, state: State) -> Iterator[bytes]:
    exits = state.plan.exits
    if len(exits) == 1:
        yield _output_of(run, state, exits[0])
        return
    between = b"{"
    for step_id in sorted(set(exits) & state.latest.keys()):
        yield between + canonical_json(step_id) + b":" + _output_of(run, state, step_id)
        between = b","
    yield b"}" if between == b"," else b"{}"


def _output_of(run: Run, state: State, step_id: str) -> bytes:
    """Read what a step emitted last, of a state that has hollow values."""
    seq = state.latest.get(step_id)
    if seq is None:
        return b"null"
    with tenant_scope(run.tenant_id):
        payload = run.events.values_list("payload", flat=True).get(seq=seq)
    state.values[seq] = emitted(payload)
    written = canonical_json(state.output_of(step_id))
    state.values[seq] = {}
    return written


def _event(row: RunEvent) -> dict[str, Json]:
    return {
        "seq": row.seq,
        "type": row.type,
        "step_id": row.step_id,
        "activation": row.activation,
        "attempt": row.attempt,
        "created_at": row.created_at.isoformat(),
        "payload": row.payload,
    }


def _revision(run: Run) -> dict[str, Json]:
    revision = run.revision
    definition: Mapping[str, Any] = revision.definition
    return {
        "number": revision.number,
        "content_hash": revision.content_hash,
        "definition": dict(definition),
        "step_types": revision.step_types,
    }


def _run(run: Run) -> dict[str, Json]:
    return {
        "run_id": str(run.id),
        "tenant_id": str(run.tenant_id),
        "segment_id": run.segment_id,
        "status": run.status,
        "input": run.input,
        "output": run.output,
        "error": run.error,
        "waiting_for": run.waiting_for,
        "client_reference": run.client_reference or None,
        "metadata": run.metadata,
        "replay_of": None if run.replay_of is None else str(run.replay_of),
        "semantics": run.semantics,
        "last_seq": run.last_seq,
        "journal_digest": bytes(run.digest).hex(),
        "created_at": run.created_at.isoformat(),
        "started_at": None if run.started_at is None else run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
    }
