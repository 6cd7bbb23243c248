"""Starting runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Model

from audit.services import new_entry
from audit.types import REQUEST
from foundation.inserts import insert_together
from kernel.types import Json
from runs.bus.doorbell import ring
from runs.callbacks.starting import CallbackSpec, new_callback
from runs.idempotency import IdempotentRequest, Started, start_once
from runs.inputs import SlowToJudge, check_input, check_input_quickly
from runs.models import Run
from runs.needs import needs_of
from segments.definition import SegmentDefinition
from segments.models import Revision
from segments.plan import SEMANTICS
from segments.selectors import check_startable, get_revision, get_segment, get_startable
from segments.services import read_inline, store_inline
from tenants.models import ApiKey, Tenant

RETURN_EXISTING: Final = "return_existing"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a caller wants of a run, checked for form. Without ``segment_id`` it brings its own ``definition``."""

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


def start_run(
    *,
    tenant: Tenant,
    api_key: ApiKey | None,
    wish: StartRequest,
    actor: str = "",
    once: IdempotentRequest | None = None,
) -> Started:
    """Start a run, once per idempotency key.

    Args:
        tenant: Owner.
        api_key: Whose key starts it, if any.
        wish: What to run, with what.
        actor: Who starts it; left out, the key.
        once: Names this start for 24 hours.

    Raises:
        SegmentNotFound: The tenant has no such segment.
        RevisionNotFound: The segment has no such revision.
        SegmentArchived: The segment is archived.
        SegmentInvalid: The definition brought along has errors.
        CallbackRefused: The callback may not be called.
        InputRefused: The input does not fit the segment's ``input_schema``.
        ComputeLimit: To tell whether it does takes too much; other errors of the compute pool as well.
        IdempotencyKeyReused: The key was used for another request.
        StartInProgress: Another request with the key has not committed within 5 s.
    """
    who = actor or ("" if api_key is None else f"key:{api_key.public_id}")
    start = _Start(tenant, api_key, who, wish)
    while True:
        try:
            return start_once(start.make, tenant=tenant, once=once, prepare=start.prepare)
        except _NotJudged as slow:
            check_input(tenant.id, wish.input, schema=slow.revision.definition["input_schema"])
            start.judged_by = slow.revision.id


class _NotJudged(Exception):
    """Judging the input by a revision may take seconds, which a transaction must not; nothing was written."""

    def __init__(self, revision: Revision) -> None:
        super().__init__()
        self.revision = revision


@dataclass(slots=True)
class _Start:
    """One start: judged before its transaction, save what takes milliseconds, then made in it.

    Attributes:
        definition: What an inline start brings, judged.
        judged_by: The revision whose ``input_schema`` the input is known to fit.
    """

    tenant: Tenant
    api_key: ApiKey | None
    actor: str
    wish: StartRequest
    definition: SegmentDefinition | None = None
    judged_by: UUID | None = None

    def prepare(self) -> None:
        """Judge a definition brought along, and the input by it."""
        if self.wish.segment_id is not None or self.definition is not None:
            return
        definition = read_inline(tenant=self.tenant, document=self.wish.definition, below="/segment")
        if definition.input_schema is not None:
            check_input(self.tenant.id, self.wish.input, schema=definition.input_schema)
        self.definition = definition

    def make(self) -> Started:
        """Make the run, in the transaction that is open."""
        if self.definition is not None:
            return _make(self, store_inline(tenant=self.tenant, definition=self.definition))
        revision = _saved_revision(self.tenant, self.wish.segment_id or "", self.wish.revision)
        schema = revision.definition.get("input_schema")
        if schema is not None and revision.id != self.judged_by:
            try:
                check_input_quickly(self.wish.input, schema=schema)
            except SlowToJudge:
                raise _NotJudged(revision) from None
        return _make(self, revision)


def _make(start: _Start, revision: Revision) -> Started:
    tenant, wish = start.tenant, start.wish
    segment_id = revision.definition["segment_id"]
    existing = _existing(tenant, wish, segment_id)
    if existing is not None:
        return Started(existing, replayed=True)
    run = _new_run(tenant, start.api_key, start.actor, wish, revision)
    rows: list[Model] = [run]
    after: dict[str, Json] = {"segment_id": segment_id, "content_hash": revision.content_hash}
    if wish.callback is not None:
        callback = new_callback(tenant=tenant, run=run, wish=wish.callback)
        rows.append(callback)
        after["callback"] = callback.host
    insert_together(new_entry("run.started", run, actor=start.actor, after=after), *rows)
    ring()
    return Started(run, replayed=False)


def _saved_revision(tenant: Tenant, segment_id: str, number: int | None) -> Revision:
    if number is None:
        return get_startable(tenant=tenant, segment_id=segment_id)
    segment = get_segment(tenant=tenant, segment_id=segment_id)
    check_startable(segment.segment_id, segment.archived_at)
    return get_revision(tenant=tenant, segment_id=segment_id, number=number)


def _existing(tenant: Tenant, wish: StartRequest, segment_id: str) -> Run | None:
    """Find the run a blind repeat means. The tenant's row is locked, so that of two repeats one starts a run."""
    if wish.on_duplicate != RETURN_EXISTING:
        return None
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    same = Run.objects.filter(client_reference=wish.client_reference, segment_id=segment_id)
    return same.select_related("revision", "tenant").order_by("created_at", "id").first()


def _new_run(tenant: Tenant, api_key: ApiKey | None, actor: str, wish: StartRequest, revision: Revision) -> Run:
    timeout = wish.timeout_seconds
    return Run(
        tenant=tenant,
        revision=revision,
        segment_id=revision.definition["segment_id"],
        started_by=api_key,
        started_by_actor=actor,
        client_reference=wish.client_reference,
        metadata=dict(wish.metadata or {}),
        input=wish.input,
        is_test=wish.is_test,
        semantics=SEMANTICS,
        priority=wish.priority,
        timeout_seconds=revision.definition["params"]["timeout_seconds"] if timeout is None else timeout,
        step_types=needs_of(revision),
        traceparent=REQUEST.get().traceparent,
    )
