"""Idempotent starts: one start for each idempotency key, however often the caller repeats it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Final, ParamSpec

from django.db import IntegrityError, OperationalError, connection
from django.db.models.functions import Now
from psycopg import errors as postgres_errors

from foundation.scope import tenant_scope, unscoped
from runs.errors import IdempotencyKeyReused, StartInProgress
from runs.models import IdempotencyKey, Run
from tenants.models import Tenant

KEY_LIFETIME: Final = timedelta(hours=24)
LOCK_PATIENCE: Final = "5s"
MAX_TRIES: Final = 3

Parameters = ParamSpec("Parameters")


class _RaceLost(Exception):
    """Another request has started something under the same key, and committed first."""


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


def again_after_lost_race(start: Callable[Parameters, Started]) -> Callable[Parameters, Started]:
    """Have a start that loses the race for its key begin again, and so find the winner's run.

    It may lose up to three times: a winner may roll back, and its key may run out of time.

    Args:
        start: Finds the earlier start of its key, else makes a run and claims the key in one ``start_transaction``.
    """

    @wraps(start)
    def started(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Started:
        for _ in range(MAX_TRIES):
            with suppress(_RaceLost):
                return start(*args, **kwargs)
        raise _in_progress()

    return started


def find_earlier_start(*, tenant: Tenant, once: IdempotentRequest | None) -> Started | None:
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
    return Started(used.run, replayed=True)


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
        if _is_violation_of(error, "idempotency_key_once"):
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


def drop_old_idempotency_keys() -> int:
    """Forget keys older than 24 hours, of all tenants; returns how many. May run at any time, any number of times."""
    with unscoped("housekeeping"):
        dropped, _ = IdempotencyKey.objects.filter(created_at__lt=Now() - KEY_LIFETIME).delete()
    return dropped


def _in_progress() -> StartInProgress:
    return StartInProgress(extra={"retry_after": 1, "state": "starting"})


def _is_violation_of(error: IntegrityError, constraint: str) -> bool:
    cause = error.__cause__
    return isinstance(cause, postgres_errors.UniqueViolation) and cause.diag.constraint_name == constraint
