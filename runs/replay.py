"""Replay: a new run of the same revision, from the start or from one activation of an earlier run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from audit.services import record
from audit.types import REQUEST
from foundation.idempotency import IdempotentRequest
from kernel.clock import utc_now
from kernel.types import Json
from kernel.values import dump_json
from runs.bus.doorbell import ring
from runs.callbacks.starting import CallbackSpec, deliver_copied_start
from runs.core import EventType
from runs.core.events import REPLAYED_FROM
from runs.core.journal import chain, microseconds_of
from runs.errors import ActivationUnknown
from runs.idempotency import (
    StartedRun,
    claim_key,
    find_earlier_start,
    retry_after_lost_race,
    start_transaction,
)
from runs.limits.starts import check_included, count_start
from runs.limits.storage import count_stored, size_of_input
from runs.models import Run, RunEvent
from runs.requirements import current_requirements_of
from runs.selectors import get_run
from runs.services import insert_run
from runs.step_api.cookies import sealed_again
from segments.plan import SEMANTICS
from tenants.lifecycle.suspension import check_may_start
from tenants.models import ApiKey, Tenant

BATCH_EVENTS: Final = 500
ACTIVATION: Final = re.compile(r"([^#\s]{1,64})#([1-9][0-9]{0,8})")
_OUTCOMES: Final = {EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_SKIPPED}
_LANDINGS: Final = {EventType.STEP_RETRYING, *_OUTCOMES}
_BEGIN_OR_END: Final = {EventType.STEP_STARTED, *_OUTCOMES}
_Key = tuple[str | None, int | None]


@retry_after_lost_race
def replay_run(
    *,
    tenant: Tenant,
    actor: str,
    run_id: UUID,
    api_key: ApiKey | None = None,
    from_activation: str | None = None,
    callback: CallbackSpec | None = None,
    once: IdempotentRequest | None = None,
) -> StartedRun:
    """Start a new run of the revision and with the input of an earlier one, whatever became of that.

    From an activation on: everything the earlier run recorded before that activation first began is copied into the
    new run's journal, marked with where it comes from, in the transaction that makes the run. Outcomes among it stand
    and are not produced again; what was in flight there is done again.

    Args:
        tenant: Owner of both.
        actor: For the audit.
        run_id: The earlier run; a run of another tenant counts as absent.
        api_key: Whose run the new one is, if a program asks.
        from_activation: ``step_id#n``; None replays all.
        callback: Of the new run; it does not take over the earlier one's.
        once: Names this start for 24 hours.

    Raises:
        TenantSuspended: The tenant is, so it starts nothing.
        RunNotFound: The tenant has no such run.
        ActivationUnknown: The earlier run has not begun that activation.
        NotIncluded: The tenant may not use a step type of its segment any more; LimitUsedUp as for ``start_run``.
        CallbackRefused: The callback may not be called.
        IdempotencyKeyReused: The key was used for another request.
        StartInProgress: Another request with the key has not committed within 5 s.
    """
    earlier = find_earlier_start(tenant=tenant, once=once)
    if earlier is not None:
        return earlier
    check_may_start(tenant)
    with start_transaction(tenant):
        source = get_run(tenant=tenant, run_id=run_id)
        check_included(tenant, source.revision)
        count_start(tenant)
        first_seq = 0 if from_activation is None else _first_seq(source, from_activation)
        run = _new_run(source, api_key, actor, keeps_rules=bool(first_seq))
        count_stored(tenant, run.input_size or 0)
        insert_run(run, actor=actor, callback=callback)
        if first_seq:
            _begin_with(run, source, first_seq)
            deliver_copied_start(run)
        after: dict[str, Json] = {"replay_of": str(source.id), "from_activation": from_activation}
        record("run.replayed", run, actor=actor, after=after)
        ring()
        claim_key(tenant, once, run)
    return StartedRun(run, replayed=False)


def _first_seq(source: Run, activation: str) -> int:
    """Find where an activation began."""
    named = ACTIVATION.fullmatch(activation)
    if named is None:
        raise ActivationUnknown("An activation is written step_id#n, with n counting from 1.")
    events = source.events.filter(step_id=named[1], activation=int(named[2])).order_by("seq")
    first = events.values_list("seq", flat=True).first()
    if first is None:
        raise ActivationUnknown(f"The run has not begun the activation {activation}; its steps tell which it has.")
    return int(first)


def _new_run(source: Run, api_key: ApiKey | None, actor: str, *, keeps_rules: bool) -> Run:
    """Make the new run; a journal that is gone on with folds by the rules it was written by."""
    return Run(
        tenant=source.tenant,
        revision=source.revision,
        segment_id=source.segment_id,
        started_by=api_key,
        started_by_actor=actor,
        client_reference=source.client_reference,
        metadata=source.metadata,
        input=source.input,
        input_size=size_of_input(source.input),
        semantics=source.semantics if keeps_rules else SEMANTICS,
        priority=source.priority,
        timeout_seconds=source.timeout_seconds,
        step_types=current_requirements_of(source),
        replay_of=source.id,
        traceparent=REQUEST.get().traceparent,
    )


@dataclass(slots=True)
class _Beginning:
    """The beginning of a run's journal, as it is written; keeps track of what is in flight at its end."""

    run: Run
    seq: int = 0
    size: int = 0
    digest: bytes = b""
    begun: set[_Key] = field(default_factory=set)
    ended: set[_Key] = field(default_factory=set)
    in_flight: dict[_Key, RunEvent] = field(default_factory=dict)

    def copy(self, event: RunEvent) -> RunEvent:
        """Say again what another run recorded, and where."""
        key = event.step_id, event.activation
        if event.type in _BEGIN_OR_END:
            self.begun.add(key)
        if event.type in _OUTCOMES:
            self.ended.add(key)
        if event.type == EventType.STEP_STARTED:
            self.in_flight[key] = event
        elif event.type in _LANDINGS:
            self.in_flight.pop(key, None)
        mark = f"{event.run_id}:{event.seq}"
        ours = sealed_again(event.payload, tenant_id=event.tenant_id, source=event.run_id, run_id=self.run.id)
        return self._add(event, event.type, {**ours, REPLAYED_FROM: mark}, event.created_at)

    def repeat(self, started: RunEvent, now: datetime) -> RunEvent:
        """Say of what is in flight that it is done again, at no cost."""
        payload: dict[str, Json] = {"reason": "replayed", "retry_at": now.isoformat(), "consumed": False}
        return self._add(started, EventType.STEP_RETRYING, payload, now)

    def _add(self, like: RunEvent, kind: str, payload: dict[str, Json], at: datetime) -> RunEvent:
        stored = dump_json(payload).encode()
        self.seq, self.size = self.seq + 1, self.size + len(stored)
        head = (self.seq, kind, like.step_id, like.activation, like.attempt, microseconds_of(at))
        self.digest = chain(self.digest, head, stored)
        return RunEvent(
            run=self.run,
            seq=self.seq,
            tenant_id=self.run.tenant_id,
            type=kind,
            step_id=like.step_id,
            activation=like.activation,
            attempt=like.attempt,
            created_at=at,
            payload=payload,
        )


def _begin_with(run: Run, source: Run, first_seq: int) -> None:
    """Copy what was recorded before an event, and have done again what was in flight there."""
    beginning, now = _Beginning(run), utc_now()
    recorded = source.events.filter(seq__lt=first_seq).order_by("seq").iterator(BATCH_EVENTS)
    _insert_all(beginning.copy(event) for event in recorded)
    _insert_all(beginning.repeat(started, now) for started in beginning.in_flight.values())
    run.last_seq, run.journal_bytes, run.digest = beginning.seq, beginning.size, beginning.digest
    run.activations, run.active = len(beginning.begun), len(beginning.begun - beginning.ended)
    run.save(update_fields=["last_seq", "journal_bytes", "digest", "activations", "active"])
    count_stored(run.tenant, beginning.size)


def _insert_all(events: Iterator[RunEvent]) -> None:
    while batch := list(islice(events, BATCH_EVENTS)):
        RunEvent.objects.bulk_create(batch)
