"""Idempotent starts: one start for each idempotency key, however often the caller repeats it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Final, ParamSpec

from django.db import IntegrityError, OperationalError, connection
from django.db.models.functions import Now
from psycopg import errors as postgres_errors

from foundation.idempotency import KEY_LIFETIME, IdempotencyKeyReused, IdempotentRequest
from foundation.scope import tenant_scope
from runs.errors import StartInProgress
from runs.models import IdempotencyKey, Run
from tenants.models import Tenant

LOCK_PATIENCE: Final = "5s"
MAX_TRIES: Final = 3

Parameters = ParamSpec("Parameters")


class _RaceLost(Exception):
    """Another request has started something under the same key, or a sweep removed what it starts, and was first."""


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The run a start answers with; ``replayed`` when an earlier start made it."""

    run: Run
    replayed: bool


def retry_after_lost_race(start: Callable[Parameters, StartedRun]) -> Callable[Parameters, StartedRun]:
    """Have a start that loses the race for its key begin again, and so find the winner's run.

    It may lose up to three times: a winner may roll back, and its key may run out of time.

    Args:
        start: Finds the earlier start of its key, else makes a run and claims the key in one ``start_transaction``.
    """

    @wraps(start)
    def started(*args: Parameters.args, **kwargs: Parameters.kwargs) -> StartedRun:
        for _ in range(MAX_TRIES):
            with suppress(_RaceLost):
                return start(*args, **kwargs)
        raise _in_progress()

    return started


def find_earlier_start(*, tenant: Tenant, once: IdempotentRequest | None) -> StartedRun | None:
    """Find what an earlier request with the same key has started; None where it is the first, or names no key.

    Raises:
        IdempotencyKeyReused: The key was used for another request.
    """
    if once is None:
        return None
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
    return StartedRun(used.run, replayed=True)


@contextmanager
def start_transaction(tenant: Tenant) -> Iterator[None]:
    """Open the one transaction of a start. A refused start leaves nothing, so its key may be used again.

    Raises:
        StartInProgress: Another request with the key has not committed within 5 s.
    """
    try:
        with tenant_scope(tenant.id):
            yield
    except IntegrityError as error:
        if _is_violation_of(error, "idempotency_key_once") or _lacks_revision(error):
            raise _RaceLost from error
        raise
    except OperationalError as error:
        if isinstance(error.__cause__, postgres_errors.LockNotAvailable):
            raise _in_progress() from error
        raise


def claim_key(tenant: Tenant, once: IdempotentRequest | None, run: Run) -> None:
    """Have a key name a run, in the start's transaction; waits for a rival's, and loses if that has committed."""
    if once is None:
        return
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true)", [LOCK_PATIENCE])
    IdempotencyKey.objects.filter(key=once.key, created_at__lt=Now() - KEY_LIFETIME).delete()
    IdempotencyKey.objects.create(tenant=tenant, key=once.key, request_hash=once.request_hash, run=run)


def _in_progress() -> StartInProgress:
    return StartInProgress(extra={"retry_after": 1, "state": "starting"})


def _is_violation_of(error: IntegrityError, constraint: str) -> bool:
    cause = error.__cause__
    return isinstance(cause, postgres_errors.UniqueViolation) and cause.diag.constraint_name == constraint


def _lacks_revision(error: IntegrityError) -> bool:
    """Whether the definition that a start took up was removed meanwhile, as no run referred to it."""
    cause = error.__cause__
    name = cause.diag.constraint_name if isinstance(cause, postgres_errors.ForeignKeyViolation) else None
    return name is not None and name.startswith("runs_run_revision_id")
