"""Queries of runs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Case, Count, DurationField, ExpressionWrapper, Min, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Now
from django.urls import reverse

from foundation.pages import bytes_of, newest_page
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.ids import parse_id
from kernel.paging import CursorRefused, Page
from runs.errors import RunNotFound
from runs.large_values import VALUE_BYTES, link
from runs.models import OVER, Run, RunEvent, RunStatus, Worker
from runs.models.wait_kinds import SLOT
from runs.picture import StepState
from tenants.limits.selectors import entitlements_of
from tenants.models import Tenant

MAX_SEQ: Final = 2**31 - 1
SEQ: Final = re.compile(r"[0-9]{1,10}")
COUNT_PATIENCE: Final = "500ms"
LISTED_WAITS: Final = 100
COUNTED_AHEAD: Final = 1_000
"""Most runs that are counted ahead of one in the queue."""
_VALUES: Final = ("input", "output")
STARTED: Final = "step.started"
IN_BETWEEN: Final = {"step.retrying": "retrying", "step.waiting": "waiting", "human.task_created": "waiting"}
OUTCOMES: Final = {"step.completed": "completed", "step.failed": "failed", "step.skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """Numbers of queued, waiting and running runs of all tenants, and the age of the longest due one."""

    by_state: dict[str, int]
    oldest_due_seconds: float


@contextmanager
def counting_scope() -> Iterator[None]:
    """Be where operators count what is open in the whole installation: each question may take half a second."""
    with unscoped("operators watch the queue of the whole installation"):
        with connection.cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', %s, true)", [COUNT_PATIENCE])
        yield


def count_open_runs() -> OpenRuns:
    """Count what is queued, waiting and running, each by its own partial index.

    Raises:
        DatabaseError: It is away, or takes longer than half a second.
    """
    with counting_scope():
        free = Run.objects.filter(owner__isnull=True, wake_at__isnull=False)
        age = ExpressionWrapper(Now() - Min("wake_at"), output_field=DurationField())
        oldest = free.filter(wake_at__lte=Now()).aggregate(age=age)["age"]
        by_state = {
            "queued": free.exclude(status__in=[RunStatus.WAITING, RunStatus.PAUSED]).count(),
            "waiting": free.filter(status=RunStatus.WAITING).count(),
            "running": Run.objects.filter(owner__isnull=False).count(),
        }
    return OpenRuns(by_state, 0.0 if oldest is None else oldest.total_seconds())


def read_run_id(text: str) -> UUID:
    """Read an id out of an address.

    Raises:
        RunNotFound: No run can have that id.
    """
    run_id = parse_id(text)
    if run_id is None:
        raise RunNotFound
    return run_id


def get_run(*, tenant: Tenant, run_id: UUID) -> Run:
    """Read a run with its revision and tenant.

    Raises:
        RunNotFound: The tenant has no such run.
    """
    with tenant_scope(tenant.id):
        run = Run.objects.select_related("revision", "tenant").filter(id=run_id).first()
    if run is None:
        raise RunNotFound
    return run


def slot_wait(run: Run) -> dict[str, Any] | None:
    """Tell what a run waits for that is due and that nobody executes; None of any other. The run came with its tenant.

    How many runs of the tenant may be executed at once, are, and come before it; of these ``COUNTED_AHEAD`` are counted
    at most, so it costs little however long the queue is.
    """
    is_due = run.owner is None and run.wake_at is not None and run.wake_at <= utc_now()
    if not is_due or run.status in {RunStatus.PAUSED, RunStatus.STALLED}:
        return None
    with tenant_scope(run.tenant_id):
        running = Run.objects.filter(owner__in=Worker.objects.values("id")).count()
        due = Run.objects.filter(owner__isnull=True, wake_at__lte=utc_now())
        parked = Q(status__in=[RunStatus.WAITING, RunStatus.PAUSED])
        queued = due.exclude(parked).order_by("-priority", "created_at", "id")
        awake = due.filter(parked).order_by("wake_at")
        first = [*_places(queued), *_places(awake)]
        most = entitlements_of(run.tenant_id).limit("concurrent_runs")
    mine = (-run.priority, run.created_at, run.id)
    ahead = sum((-priority, created_at, run_id) < mine for priority, created_at, run_id in first)
    return {
        "kind": SLOT,
        "since": run.wake_at,
        "limit": most,
        "running": running,
        "ahead": min(ahead, COUNTED_AHEAD),
    }


def _places(rows: QuerySet[Run]) -> Iterable[tuple[int, datetime, UUID]]:
    return rows.values_list("priority", "created_at", "id")[:COUNTED_AHEAD]


def list_runs(
    *,
    tenant: Tenant,
    cursor: str | None,
    limit: int,
    status: Iterable[str] = (),
    segment: str | None = None,
    client_reference: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    since: datetime | None = None,
    ended_after: datetime | None = None,
    is_test: bool = False,
) -> Page[Run]:
    """Read one page of runs, newest first. Filters add up; of ``status`` one must hold.

    Times are exclusive, but for ``since``. Inputs and outputs over 16 KiB are links to the run, and of what a run waits
    for the first hundred are told. Runs that try a step type out are a list of their own (``is_test``).

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    wanted = Q(is_test=is_test)
    for condition, value in (
        ("status__in", list(status)),
        ("segment_id", segment),
        ("client_reference", client_reference),
        ("created_at__gt", created_after),
        ("created_at__lt", created_before),
        ("created_at__gte", since),
        ("ended_at__gt", ended_after),
    ):
        if value:
            wanted &= Q((condition, value))
    with tenant_scope(tenant.id):
        rows = Run.objects.filter(wanted).select_related("revision").defer("revision__definition", "input", "output")
        weighed = rows.annotate(
            **{f"{name}_bytes": bytes_of(name) for name in _VALUES},
            **{f"small_{name}": Case(When(Q((f"{name}_bytes__lte", VALUE_BYTES)), then=name)) for name in _VALUES},
        )
        weight = bytes_of("metadata", "waiting_for", "error", "warnings", "small_input", "small_output")
        page = newest_page(weighed, cursor=cursor, limit=limit, weight=weight)
    for run in page.rows:
        _show_small(run)
    return page


def _show_small(run: Run) -> None:
    """Give a run that was read without its values the small ones, and links in the place of the others."""
    for name in _VALUES:
        size = getattr(run, f"{name}_bytes")
        value = getattr(run, f"small_{name}") if size <= VALUE_BYTES else link(size, reverse("run", args=[run.id]))
        setattr(run, name, value)
    run.waiting_for = run.waiting_for[:LISTED_WAITS]


def step_states(run: Run) -> dict[str, StepState]:
    """Tell of each step of a run that was reached how it stands, over all its activations; no payload is read.

    ``running``, ``asked`` (a person is), ``waiting`` (for a time or for room), ``completed``, ``failed``, ``skipped``,
    or ``stopped`` for one that was under way when the run ended.
    """
    with tenant_scope(run.tenant_id):
        rows = run.events.filter(type__startswith="step.", step_id__isnull=False).order_by()
        counted = rows.values_list("step_id", "type").annotate(Count("activation", distinct=True))
        counts: dict[str, dict[str, int]] = {}
        for step_id, event_type, count in counted:
            counts.setdefault(str(step_id), {})[event_type] = count
    waits = {item.get("ref", "").partition("#")[0]: item.get("kind") for item in run.waiting_for}
    return {step_id: _step_state(found, run, waits.get(step_id)) for step_id, found in counts.items()}


def run_heads(run_ids: Iterable[UUID]) -> dict[UUID, tuple[int, str]]:
    """Read how far runs are, of any tenant: last ``seq`` and status, for those who were shown them already."""
    with unscoped("watchers of all tenants ask together"):
        rows = Run.objects.filter(id__in=list(run_ids)).values_list("id", "last_seq", "status")
        return {run_id: (last_seq, status) for run_id, last_seq, status in rows}


def newest_transactions(tenant_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Read which transaction was the last to write events of each tenant; absent where there are none."""
    with unscoped("watchers of all tenants ask together"):
        newest = RunEvent.objects.filter(tenant_id=OuterRef("id")).order_by("-transaction").values("transaction")[:1]
        rows = Tenant.objects.filter(id__in=list(tenant_ids)).values_list("id", Subquery(newest))
        return {tenant_id: transaction for tenant_id, transaction in rows if transaction is not None}


def read_seq(text: str) -> int:
    """Read the number of an event.

    Raises:
        CursorRefused: Not the number of an event.
    """
    if SEQ.fullmatch(text) is None or int(text) > MAX_SEQ:
        raise CursorRefused
    return int(text)


def _step_state(counts: Mapping[str, int], run: Run, waits_for: str | None) -> StepState:
    ends = {status: counts.get(event_type, 0) for event_type, status in OUTCOMES.items()}
    activations = max(counts.get(STARTED, 0), sum(ends.values()))
    if activations > sum(ends.values()):
        waiting = {None: "running", "human": "asked"}.get(waits_for, "waiting")
        status = "stopped" if run.status in OVER else waiting
    else:
        status = next(status for status in ("failed", "completed", "skipped") if ends[status])
    return StepState(status, activations)
