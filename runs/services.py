"""Starts of runs, from top to bottom: from what a caller asks for to the run that hosts will claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Model

from audit.services import new_rows
from audit.types import REQUEST
from foundation.idempotency import IdempotentRequest
from foundation.inserts import insert_together
from kernel.types import Json
from runs.bus.doorbell import ring
from runs.callbacks.starting import CallbackSpec, new_callback
from runs.idempotency import (
    StartedRun,
    claim_key,
    find_earlier_start,
    retry_after_lost_race,
    start_transaction,
)
from runs.inputs import SlowToValidate, check_input, check_input_quickly
from runs.limits.starts import check_included, count_start
from runs.limits.storage import count_stored, size_of_input
from runs.models import Run
from runs.requirements import requirements_of
from segments.definition import SegmentDefinition
from segments.models import Revision
from segments.plan import SEMANTICS
from segments.selectors import check_startable, get_revision, get_segment, get_startable
from segments.services import store_inline, validate_inline
from tenants.lifecycle.suspension import check_may_start
from tenants.models import ApiKey, Tenant

RETURN_EXISTING: Final = "return_existing"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """Request to start a run, checked for form. Without ``segment_id`` it brings its own ``definition``."""

    input: Json
    segment_id: str | None = None
    revision: int | None = None
    definition: Json = None
    client_reference: str = ""
    metadata: Mapping[str, Json] | None = None
    timeout_seconds: float | None = None
    priority: int = 0
    on_duplicate: str | None = None
    is_test: bool = False
    callback: CallbackSpec | None = None


@retry_after_lost_race
def start_run(
    *,
    tenant: Tenant,
    api_key: ApiKey | None,
    spec: StartRequest,
    actor: str = "",
    once: IdempotentRequest | None = None,
) -> StartedRun:
    """Start a run, once per idempotency key.

    Args:
        tenant: Owner.
        api_key: Whose key starts it, if any.
        spec: What to run, with what.
        actor: Who starts it; left out, the key.
        once: Names this start for 24 hours.

    Raises:
        TenantSuspended: The tenant is, so it starts nothing.
        SegmentNotFound: The tenant has no such segment.
        RevisionNotFound: The segment has no such revision.
        SegmentArchived: The segment is archived.
        SegmentInvalid: The definition brought along has errors.
        CallbackRefused: The callback may not be called.
        NotIncluded: The tenant may not use a step type of the segment.
        LimitUsedUp: The segment has too many steps, no further run may be started today, or the tenant keeps as much
            as it may.
        InputRefused: The input does not fit the segment's ``input_schema``.
        ComputeLimit: To tell whether it does takes too much; other errors of the compute pool as well.
        IdempotencyKeyReused: The key was used for another request.
        StartInProgress: Another request with the key has not committed within 5 s.
    """
    earlier = find_earlier_start(tenant=tenant, once=once)
    if earlier is not None:
        return earlier
    check_may_start(tenant)
    who = actor or ("" if api_key is None else f"key:{api_key.public_id}")
    start = _Start(tenant, api_key, who, spec, once, _judged_definition(tenant, spec))
    judged_by: UUID | None = None
    while True:
        try:
            return _start(start, judged_by=judged_by)
        except _NotJudged as slow:  # it may take seconds, which a transaction must not; nothing was written
            check_input(tenant.id, spec.input, schema=slow.revision.definition["input_schema"])
            judged_by = slow.revision.id


def _judged_definition(tenant: Tenant, spec: StartRequest) -> SegmentDefinition | None:
    """Judge a definition brought along, and the input by it; None where the start is of a saved segment."""
    if spec.segment_id is not None:
        return None
    definition = validate_inline(tenant=tenant, document=spec.definition, below="/segment")
    if definition.input_schema is not None:
        check_input(tenant.id, spec.input, schema=definition.input_schema)
    return definition


@dataclass(frozen=True, slots=True)
class _Start:
    """A start that is judged as far as it can be before its transaction; ``definition`` is what it brings along."""

    tenant: Tenant
    api_key: ApiKey | None
    actor: str
    spec: StartRequest
    once: IdempotentRequest | None
    definition: SegmentDefinition | None


class _NotJudged(Exception):
    """Validation of the input against a revision may take seconds."""

    def __init__(self, revision: Revision) -> None:
        super().__init__()
        self.revision = revision


def _start(start: _Start, *, judged_by: UUID | None) -> StartedRun:
    """Make the run in one transaction, then ring; find it where ``on_duplicate`` means one that is there.

    Raises:
        _NotJudged: The input may take long, and the revision is not ``judged_by``.
    """
    tenant, spec = start.tenant, start.spec
    with start_transaction(tenant):
        if start.definition is not None:
            revision = store_inline(tenant=tenant, definition=start.definition)
        else:
            revision = _saved_revision(tenant, spec.segment_id or "", spec.revision)
            _check_input(spec, revision, judged_by)
        check_included(tenant, revision)
        existing = _existing(tenant, spec, revision)
        run = existing or _new_run(start, revision)
        if existing is None:
            count_start(tenant)
            count_stored(tenant, run.input_size or 0)
            insert_run(run, actor=start.actor, callback=spec.callback)
            ring()
        claim_key(tenant, start.once, run)
    return StartedRun(run, replayed=existing is not None)


def _saved_revision(tenant: Tenant, segment_id: str, number: int | None) -> Revision:
    if number is None:
        return get_startable(tenant=tenant, segment_id=segment_id)
    segment = get_segment(tenant=tenant, segment_id=segment_id)
    check_startable(segment.segment_id, segment.archived_at)
    return get_revision(tenant=tenant, segment_id=segment_id, number=number)


def _check_input(spec: StartRequest, revision: Revision, judged_by: UUID | None) -> None:
    schema = revision.definition.get("input_schema")
    if schema is None or revision.id == judged_by:
        return
    try:
        check_input_quickly(spec.input, schema=schema)
    except SlowToValidate:
        raise _NotJudged(revision) from None


def _existing(tenant: Tenant, spec: StartRequest, revision: Revision) -> Run | None:
    """Find the run a blind repeat means. The tenant's row is locked, so that of two repeats one starts a run."""
    if spec.on_duplicate != RETURN_EXISTING:
        return None
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    same = Run.objects.filter(client_reference=spec.client_reference, segment_id=revision.definition["segment_id"])
    return same.select_related("revision", "tenant").order_by("created_at", "id").first()


def _new_run(start: _Start, revision: Revision) -> Run:
    spec, timeout = start.spec, start.spec.timeout_seconds
    return Run(
        tenant=start.tenant,
        revision=revision,
        segment_id=revision.definition["segment_id"],
        started_by=start.api_key,
        started_by_actor=start.actor,
        client_reference=spec.client_reference,
        metadata=dict(spec.metadata or {}),
        input=spec.input,
        input_size=size_of_input(spec.input),
        is_test=spec.is_test,
        semantics=SEMANTICS,
        priority=spec.priority,
        timeout_seconds=revision.definition["params"]["timeout_seconds"] if timeout is None else timeout,
        step_types=requirements_of(revision),
        traceparent=REQUEST.get().traceparent,
    )


def insert_run(run: Run, *, actor: str, callback: CallbackSpec | None) -> None:
    """Insert a new run with its audit entry, and its callback if it has one, in one statement."""
    rows: list[Model] = [run]
    after: dict[str, Json] = {"segment_id": run.segment_id, "content_hash": run.revision.content_hash}
    if callback is not None:
        made = new_callback(tenant=run.tenant, run=run, spec=callback)
        rows.append(made)
        after["callback"] = made.host
    insert_together(*new_rows("run.started", run, actor=actor, after=after), *rows)
