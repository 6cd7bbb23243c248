"""A run as one document: what was executed, what was recorded, where that leads; with a checksum over all of it."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from kernel.canonical import canonical_json
from kernel.values import Json
from runs.core import Event, EventType, apply, new_state
from runs.core.state import State
from runs.core.summary import summarise
from runs.engine.journal import MAX_JOURNAL_BYTES
from runs.errors import SnapshotTooLarge
from runs.models import Run, RunEvent
from runs.selectors import get_run
from segments.catalog import Catalog
from segments.definition import read_segment
from segments.plan.compilation import compile_plan
from tenants.context import tenant_scope
from tenants.models import Tenant

FORMAT: Final = "llmteam.run/1"
CHUNK_EVENTS: Final = 500


def snapshot_run(*, tenant: Tenant, run_id: UUID) -> bytes:
    """Write a run as one JSON document, as it is now.

    Its last member, ``checksum``, is the SHA-256 of the document without it in canonical form (RFC 8785). The journal
    ends with the last event the run's row told of, so that both belong together.

    Raises:
        RunNotFound: The tenant has no such run.
        SnapshotTooLarge: The journal is over 64 MiB.
    """
    run = get_run(tenant=tenant, run_id=run_id)
    if run.journal_bytes > MAX_JOURNAL_BYTES:
        detail = f"The journal has {run.journal_bytes} bytes; read the run's events page by page instead."
        raise SnapshotTooLarge(detail, extra={"limit": MAX_JOURNAL_BYTES, "state": run.status})
    with tenant_scope(tenant.id):
        members = b",".join(_members(run))
    checksum = hashlib.sha256(b"{" + members + b"}").hexdigest()
    return b'{%b,"checksum":"%b"}' % (members, checksum.encode())


def _members(run: Run) -> Iterator[bytes]:
    """Write the members in the order of the canonical form; one event at a time, as a journal may be long."""
    state = _empty_state(run)
    yield _member("format", FORMAT)
    yield b'"journal":[%b]' % b",".join(canonical_json(event) for event in _journal(run, state))
    yield _member("revision", _revision(run))
    yield _member("run", _run(run))
    yield _member("state", None if state is None else summarise(state))


def _member(name: str, value: Json) -> bytes:
    return b'"%b":%b' % (name.encode(), canonical_json(value))


def _empty_state(run: Run) -> State | None:
    """Make ready to fold; None where this process does not know all step types of the revision."""
    catalog: Catalog = import_string(settings.STEP_REGISTRY)().catalog
    segment = read_segment(run.revision.definition).segment
    if segment is None or any(step.type not in catalog for step in segment.steps):
        return None
    return new_state(compile_plan(segment, catalog, semantics=run.semantics))


def _journal(run: Run, state: State | None) -> Iterator[Json]:
    for row in run.events.filter(seq__lte=run.last_seq).order_by("seq").iterator(CHUNK_EVENTS):
        if state is not None:
            apply(state, Event(row.seq, EventType(row.type), row.payload, row.step_id, row.activation, row.attempt))
        yield _event(row)


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
