"""What others may do to runs: start them, ask for an end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection
from django.db.models.functions import Now
from psycopg import errors as postgres_errors

from audit.services import record
from kernel.values import Json
from runs.core.events import SEMANTICS
from runs.errors import IdempotencyKeyReused, RunAlreadyOver, RunNotFound, StartInProgress
from runs.inputs import check_input
from runs.models import IdempotencyKey, Run, RunStatus, Signal, SignalKind
from runs.queue import poke_owner, ring
from segments.models import Revision
from segments.selectors import get_revision, get_segment
from segments.services import check_startable, store_inline
from tenants.context import tenant_scope, unscoped
from tenants.models import ApiKey, Tenant

KEY_LIFETIME: Final = timedelta(hours=24)
LOCK_PATIENCE: Final = "5s"
RETURN_EXISTING: Final = "return_existing"


@dataclass(frozen=True, slots=True)
class Started:
    """The run a start answers with; ``replayed`` when an earlier start made it."""

    run: Run
    replayed: bool


@dataclass(frozen=True, slots=True)
class Wish:
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


def start_run(
    *, tenant: Tenant, api_key: ApiKey, wish: Wish, idempotency_key: str | None = None, request_hash: str = ""
) -> Started:
    """Start a run, once per idempotency key.

    The key's row is written in the run's own transaction. A start that loses the race for a key waits for the winner's
    commit and answers with its run. Refused starts leave nothing, so their key may be used again.

    Args:
        tenant: Owner.
        api_key: Who starts it.
        wish: What to run, with what.
        idempotency_key: Names this start for 24 hours.
        request_hash: Hash of all the caller asked for; the same key with another hash is refused.

    Raises:
        SegmentNotFound: The tenant has no such segment.
        RevisionNotFound: The segment has no such revision.
        SegmentArchived: The segment is archived.
        SegmentInvalid: The definition brought along has errors.
        InputRefused: The input does not fit the segment's ``input_schema``.
        IdempotencyKeyReused: The key was used for another request.
        StartInProgress: The winner of the race has not committed within 5 s.
    """
    if idempotency_key is None:
        return _start(tenant, api_key, wish, None, "")
    for _ in range(3):  # a winner may roll back, and its key may run out of time: then the next try starts the run
        replay = _replay(tenant, idempotency_key, request_hash)
        if replay is not None:
            return replay
        try:
            return _start(tenant, api_key, wish, idempotency_key, request_hash)
        except IntegrityError as error:
            if not _is_violation_of(error, "idempotency_key_once"):
                raise
        except OperationalError as error:
            if not isinstance(error.__cause__, postgres_errors.LockNotAvailable):
                raise
            break
    raise StartInProgress(extra={"retry_after": 1, "state": "starting"})


def cancel_run(*, tenant: Tenant, actor: str, run_id: UUID, reason: str = "") -> Run:
    """Ask for a run to be stopped for good.

    Writes a signal; the run's owner, or the next claimer, cancels the attempts in flight and records the end. Asking
    again changes nothing. The run's row is locked until the transaction ends, so the answer to "may it still be
    cancelled?" is final.

    Args:
        tenant: Owner of the run; a run of another tenant counts as absent.
        actor: For the audit.
        run_id: The run to stop.
        reason: Shown to people in the run's history.

    Returns:
        The run as it is now, not as it will be.

    Raises:
        RunNotFound: The tenant has no such run.
        RunAlreadyOver: The run has completed, failed or timed out.
    """
    with tenant_scope(tenant.id):
        run = Run.objects.select_for_update(of=("self",)).select_related("revision").filter(id=run_id).first()
        if run is None:
            raise RunNotFound
        if run.is_over and run.status != RunStatus.CANCELLED:
            raise RunAlreadyOver(f"The run is {run.status} already.", extra={"state": run.status})
        asked = run.signals.filter(kind=SignalKind.CANCEL).exists()
        if not run.is_over and not asked:
            _send_cancel(run, actor=actor, reason=reason)
    return run


def drop_old_idempotency_keys() -> int:
    """Forget keys older than 24 hours, of all tenants; returns how many. May run at any time, any number of times."""
    with unscoped("housekeeping"):
        dropped, _ = IdempotencyKey.objects.filter(created_at__lt=Now() - KEY_LIFETIME).delete()
    return dropped


def _start(tenant: Tenant, api_key: ApiKey, wish: Wish, key: str | None, request_hash: str) -> Started:
    with tenant_scope(tenant.id):
        revision, segment_id = _what_to_run(tenant, wish)
        schema = revision.definition.get("input_schema")
        if schema is not None:
            check_input(wish.input, schema=schema)
        run = _existing(tenant, wish, segment_id)
        started = Started(run, replayed=True) if run else Started(_insert(tenant, api_key, wish, revision), False)
        if key is not None:
            _claim_key(tenant, key, request_hash, started.run)
        if not started.replayed:
            record(
                tenant=tenant,
                action="run.started",
                actor=f"key:{api_key.public_id}",
                object_type="run",
                object_id=str(started.run.id),
                after={"segment_id": segment_id, "content_hash": revision.content_hash},
            )
            ring(started.run.id)
    return started


def _what_to_run(tenant: Tenant, wish: Wish) -> tuple[Revision, str]:
    if wish.segment_id is None:
        revision = store_inline(tenant=tenant, document=wish.definition, below="/segment")
        return revision, revision.definition["segment_id"]
    segment = get_segment(tenant=tenant, segment_id=wish.segment_id)
    check_startable(segment)
    if wish.revision is None and segment.current_revision is not None:
        return segment.current_revision, wish.segment_id
    return get_revision(tenant=tenant, segment_id=wish.segment_id, number=wish.revision), wish.segment_id


def _existing(tenant: Tenant, wish: Wish, segment_id: str) -> Run | None:
    """Find the run a blind repeat means. The tenant's row is locked, so that of two repeats one starts a run."""
    if wish.on_duplicate != RETURN_EXISTING:
        return None
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    same = Run.objects.filter(client_reference=wish.client_reference, segment_id=segment_id)
    return same.select_related("revision", "tenant").order_by("created_at", "id").first()


def _insert(tenant: Tenant, api_key: ApiKey, wish: Wish, revision: Revision) -> Run:
    timeout = wish.timeout_seconds
    return Run.objects.create(
        tenant=tenant,
        revision=revision,
        segment_id=revision.definition["segment_id"],
        started_by=api_key,
        client_reference=wish.client_reference,
        metadata=dict(wish.metadata or {}),
        input=wish.input,
        semantics=SEMANTICS,
        priority=wish.priority,
        timeout_seconds=revision.definition["params"]["timeout_seconds"] if timeout is None else timeout,
    )


def _claim_key(tenant: Tenant, key: str, request_hash: str, run: Run) -> None:
    """Insert the key's row; waits for a rival's transaction, then fails if that one has committed."""
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true)", [LOCK_PATIENCE])
    IdempotencyKey.objects.filter(key=key, created_at__lt=Now() - KEY_LIFETIME).delete()
    IdempotencyKey.objects.create(tenant=tenant, key=key, request_hash=request_hash, run=run)


def _replay(tenant: Tenant, key: str, request_hash: str) -> Started | None:
    with tenant_scope(tenant.id):
        used = (
            IdempotencyKey.objects.filter(key=key, created_at__gte=Now() - KEY_LIFETIME)
            .select_related("run__revision", "run__tenant")
            .first()
        )
    if used is None:
        return None
    if used.request_hash != request_hash:
        raise IdempotencyKeyReused
    return Started(used.run, replayed=True)


def _send_cancel(run: Run, *, actor: str, reason: str) -> None:
    Signal.objects.create(
        tenant_id=run.tenant_id, run=run, kind=SignalKind.CANCEL, payload={"reason": reason, "actor": actor}
    )
    wake: dict[str, object] = {} if run.owner else {"wake_at": Now()}
    Run.objects.filter(id=run.id).update(signals_pending=True, **wake)
    record(
        tenant=run.tenant,
        action="run.cancel_requested",
        actor=actor,
        object_type="run",
        object_id=str(run.id),
        after={"reason": reason},
    )
    (poke_owner if run.owner else ring)(run.id)


def _is_violation_of(error: IntegrityError, constraint: str) -> bool:
    cause = error.__cause__
    return isinstance(cause, postgres_errors.UniqueViolation) and cause.diag.constraint_name == constraint
