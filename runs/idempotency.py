"""Starting once per idempotency key, whatever is started and however often the caller repeats itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, OperationalError, connection
from django.db.models.functions import Now
from psycopg import errors as postgres_errors

from foundation.scope import tenant_scope, unscoped
from runs.errors import IdempotencyKeyReused, StartInProgress
from runs.models import IdempotencyKey, Run
from tenants.models import Tenant

KEY_LIFETIME: Final = timedelta(hours=24)
LOCK_PATIENCE: Final = "5s"


def _nothing() -> None:
    """Stand in where nothing is to be prepared."""


@dataclass(frozen=True, slots=True)
class Started:
    """The run a start answers with; ``replayed`` when an earlier start made it."""

    run: Run
    replayed: bool


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """Names a start for 24 hours; the same ``key`` with another ``request_hash`` is refused."""

    key: str
    request_hash: str


def start_once(
    start: Callable[[], Started],
    *,
    tenant: Tenant,
    once: IdempotentRequest | None,
    prepare: Callable[[], None] = _nothing,
) -> Started:
    """Start something, once per key.

    The key's row is written in the run's own transaction. A start that loses the race for a key waits for the winner's
    commit and answers with its run. Refused starts leave nothing, so their key may be used again.

    Args:
        start: Makes the run, in a transaction of its own; what it raises is passed on.
        tenant: Owner.
        once: Without one every call starts.
        prepare: Called before the transaction, where something is to be started; may be called again.

    Raises:
        IdempotencyKeyReused: The key was used for another request.
        StartInProgress: The winner of the race has not committed within 5 s.
    """
    for _ in range(3):  # a winner may roll back, and its key may run out of time: then the next try starts the run
        replay = None if once is None else _replay(tenant, once)
        if replay is not None:
            return replay
        prepare()
        try:
            with tenant_scope(tenant.id):
                started = start()
                if once is not None:
                    _claim_key(tenant, once, started.run)
                return started
        except IntegrityError as error:
            if not _is_violation_of(error, "idempotency_key_once"):
                raise
        except OperationalError as error:
            if not isinstance(error.__cause__, postgres_errors.LockNotAvailable):
                raise
            break
    raise StartInProgress(extra={"retry_after": 1, "state": "starting"})


def drop_old_idempotency_keys() -> int:
    """Forget keys older than 24 hours, of all tenants; returns how many. May run at any time, any number of times."""
    with unscoped("housekeeping"):
        dropped, _ = IdempotencyKey.objects.filter(created_at__lt=Now() - KEY_LIFETIME).delete()
    return dropped


def _claim_key(tenant: Tenant, once: IdempotentRequest, run: Run) -> None:
    """Insert the key's row; waits for a rival's transaction, then fails if that one has committed."""
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true)", [LOCK_PATIENCE])
    IdempotencyKey.objects.filter(key=once.key, created_at__lt=Now() - KEY_LIFETIME).delete()
    IdempotencyKey.objects.create(tenant=tenant, key=once.key, request_hash=once.request_hash, run=run)


def _replay(tenant: Tenant, once: IdempotentRequest) -> Started | None:
    with tenant_scope(tenant.id):
        used = (
            IdempotencyKey.objects.filter(key=once.key, created_at__gte=Now() - KEY_LIFETIME)
            .select_related("run__revision", "run__tenant")
            .first()
        )
    if used is None:
        return None
    if used.request_hash != once.request_hash:
        raise IdempotencyKeyReused
    return Started(used.run, replayed=True)


def _is_violation_of(error: IntegrityError, constraint: str) -> bool:
    cause = error.__cause__
    return isinstance(cause, postgres_errors.UniqueViolation) and cause.diag.constraint_name == constraint
