"""What is read about runs."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, DurationField, ExpressionWrapper, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from kernel.ids import parse_id
from kernel.paging import CursorRefused, Page
from kernel.values import Json
from runs.core import emitted
from runs.core.events import REPLAYED_FROM, USAGE
from runs.errors import RunNotFound
from runs.models import OVER, Run, RunEvent, RunStatus
from runs.picture import StepState
from runs.usage.sums import RunUsage
from tenants.context import tenant_scope, unscoped
from tenants.models import Tenant
from tenants.selectors import newest_page

MAX_SEQ: Final = 2**31 - 1
COUNT_PATIENCE: Final = "500ms"
_STARTED: Final = "step.started"
_IN_BETWEEN: Final = {"step.retrying": "retrying", "human.task_created": "waiting"}
_OUTCOMES: Final = {"step.completed": "completed", "step.failed": "failed", "step.skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One activation of a step, folded from the journal. ``status``: running, retrying, waiting, or an outcome."""

    step_id: str
    step_type: str | None
    activation: int
    status: str
    attempts: int
    inputs: dict[str, Json]
    output: Json
    error: Json
    started_at: datetime
    ended_at: datetime | None
    usage: dict[str, Json]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One line of the journal as others see it; ``data.produced`` is derived, one per port of a completed step."""

    event_id: str
    event: RunEvent
    event_type: str
    payload: Json
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """How many runs of all tenants are queued, waiting and running, and how long the first of them has been due."""

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
            "queued": free.exclude(status=RunStatus.WAITING).count(),
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
    is_test: bool = False,
) -> Page[Run]:
    """Read one page of runs, newest first. Filters add up; of ``status`` one must hold; times are exclusive.

    Runs that try a step type out are a list of their own (``is_test``).

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
    ):
        if value:
            wanted &= Q((condition, value))
    with tenant_scope(tenant.id):
        rows = Run.objects.filter(wanted).select_related("revision").defer("revision__definition")
        return newest_page(rows, cursor=cursor, limit=limit)


def list_steps(*, tenant: Tenant, run_id: UUID, cursor: str | None, limit: int) -> Page[StepRecord]:
    """Read one page of a run's activations, in the order they started.

    Only the events of the page's activations, and those their inputs came from, are read with their values.

    Raises:
        RunNotFound: The tenant has no such run.
        CursorRefused: Not a cursor of ours.
    """
    after = read_seq(cursor) if cursor else 0
    run = get_run(tenant=tenant, run_id=run_id)
    with tenant_scope(tenant.id):
        first = run.events.filter(type__in=[_STARTED, "step.failed"], step_id__isnull=False).defer("payload")
        heads = _first_of_each(first.order_by("seq"), after, limit + 1)
        shown = heads[:limit]
        lines = _lines_of(run, shown)
        sources = _sources(run, lines)
    types = {step["step_id"]: step["type"] for step in run.revision.definition["steps"]}
    records = [_step_record(lines[(head.step_id, head.activation)], sources, types) for head in shown]
    return Page(records, str(shown[-1].seq) if len(heads) > limit else None)


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


def first_step(run: Run) -> StepRecord | None:
    """Read a run's first activation; None before there is one."""
    return next(iter(list_steps(tenant=run.tenant, run_id=run.id, cursor=None, limit=1).rows), None)


def list_events(*, tenant: Tenant, run_id: UUID, after: int, limit: int) -> tuple[Run, Page[EventRecord]]:
    """Read one page of a run's journal, in order, from the event behind ``after`` on.

    A page holds ``limit`` stored events, and besides them the derived ones. Its cursor is the last ``seq``; reading on
    from the last ``seq`` seen misses nothing, as events only ever get added behind it.

    Raises:
        RunNotFound: The tenant has no such run.
    """
    run = get_run(tenant=tenant, run_id=run_id)
    with tenant_scope(tenant.id):
        return run, journal_page(run, after=after, limit=limit)


def journal_page(run: Run, *, after: int, limit: int) -> Page[EventRecord]:
    """As ``list_events``, of a run already read; to be called in its tenant's scope."""
    found = list(run.events.filter(seq__gt=after).order_by("seq")[: limit + 1])
    shown = found[:limit]
    starts = attempt_starts(shown)
    records = [record for event in shown for record in event_records(event, starts)]
    return Page(records, str(shown[-1].seq) if len(found) > limit else None)


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
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_SEQ):
        raise CursorRefused
    return int(text)


_Activation = tuple[str | None, int | None]
_Attempt = tuple[UUID, str | None, int | None, int | None]


def _first_of_each(events: QuerySet[RunEvent], after: int, limit: int) -> list[RunEvent]:
    """Take the first event of each activation behind ``after``; a later attempt's start is not a new activation."""
    earlier = set(events.filter(seq__lte=after).values_list("step_id", "activation")) if after else set()
    heads: dict[_Activation, RunEvent] = {}
    for event in events.filter(seq__gt=after).iterator():
        key = (event.step_id, event.activation)
        if key not in earlier:
            heads.setdefault(key, event)
        if len(heads) == limit:
            break
    return list(heads.values())


def _lines_of(run: Run, heads: list[RunEvent]) -> dict[_Activation, list[RunEvent]]:
    lines: dict[_Activation, list[RunEvent]] = {(head.step_id, head.activation): [] for head in heads}
    if not heads:
        return lines
    of_activations = Q(type__startswith="step.") | Q(type__in=_IN_BETWEEN)
    steps = {head.step_id for head in heads}
    events = run.events.filter(of_activations, seq__gte=heads[0].seq, step_id__in=steps)
    for event in events.order_by("seq"):
        if (event.step_id, event.activation) in lines:
            lines[(event.step_id, event.activation)].append(event)
    return lines


def _sources(run: Run, lines: Mapping[_Activation, list[RunEvent]]) -> dict[int, RunEvent]:
    starts = [event for events in lines.values() for event in events if event.type == _STARTED]
    wanted = {int(ref["seq"]) for event in starts for ref in _refs(event.payload.get("inputs", {}))}
    return {event.seq: event for event in run.events.filter(seq__in=wanted)}


def _refs(inputs: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for refs in inputs.values():
        yield from refs if isinstance(refs, list) else [refs]


def _step_record(events: list[RunEvent], sources: Mapping[int, RunEvent], types: Mapping[str, str]) -> StepRecord:
    first, last = events[0], events[-1]
    starts = [event for event in events if event.type == _STARTED]
    inputs = starts[-1].payload.get("inputs", {}) if starts else {}
    status = _OUTCOMES.get(last.type) or _IN_BETWEEN.get(last.type, "running")
    return StepRecord(
        step_id=first.step_id or "",
        step_type=types.get(first.step_id or ""),
        activation=first.activation or 1,
        status=status,
        attempts=len(starts),
        inputs={port: _input_value(refs, sources) for port, refs in inputs.items()},
        output=given_out(last.payload) if last.type == "step.completed" else None,
        error=last.payload.get("error"),
        started_at=first.created_at,
        ended_at=last.created_at if last.type in _OUTCOMES else None,
        usage=_usage_of(events),
    )


def _usage_of(events: list[RunEvent]) -> dict[str, Json]:
    """Add up what model calls took in all attempts; what was copied from another run was counted there."""
    usage = RunUsage()
    for event in events:
        if REPLAYED_FROM not in event.payload:
            usage.add(event.payload.get(USAGE, ()))
    return usage.to_dict()


def _step_state(counts: Mapping[str, int], run: Run, waits_for: str | None) -> StepState:
    ends = {status: counts.get(event_type, 0) for event_type, status in _OUTCOMES.items()}
    activations = max(counts.get(_STARTED, 0), sum(ends.values()))
    if activations > sum(ends.values()):
        waiting = {None: "running", "human": "asked"}.get(waits_for, "waiting")
        status = "stopped" if run.status in OVER else waiting
    else:
        status = next(status for status in ("failed", "completed", "skipped") if ends[status])
    return StepState(status, activations)


def _input_value(refs: Any, sources: Mapping[int, RunEvent]) -> Json:
    return [_value(ref, sources) for ref in refs] if isinstance(refs, list) else _value(refs, sources)


def _value(ref: Mapping[str, Any], sources: Mapping[int, RunEvent]) -> Json:
    """Look up the value a reference means (``runs.core.events.Ref``)."""
    source = sources[ref["seq"]]
    payload: dict[str, Json] = source.payload
    if source.type == "segment.started":
        return payload.get("input")
    if source.type == "step.failed":
        return payload.get("error")
    items = payload.get("items")
    if isinstance(items, list) and "item" in ref:
        value: Json = items[ref["item"]]
        return value
    return emitted(payload).get(ref["port"])


def given_out(payload: Mapping[str, Any]) -> dict[str, Json]:
    """Read what a ``step.completed`` sent out by port; a split over items sent the items."""
    ports = emitted(payload)
    items = payload.get("items")
    return dict.fromkeys(ports, items) if isinstance(items, list) else ports


def attempt_starts(events: list[RunEvent]) -> dict[_Attempt, datetime]:
    """Read when the attempts began that end in these events, of any runs; to be called in their tenant's scope."""
    ended: dict[UUID, set[str]] = {}
    for event in events:
        if event.step_id and event.type != _STARTED:
            ended.setdefault(event.run_id, set()).add(event.step_id)
    if not ended:
        return {}
    wanted = reduce(or_, (Q(run_id=run_id, step_id__in=step_ids) for run_id, step_ids in ended.items()))
    rows = RunEvent.objects.filter(wanted, type=_STARTED)
    return {
        (run_id, step_id, activation, attempt): created_at
        for run_id, step_id, activation, attempt, created_at in rows.values_list(
            "run_id", "step_id", "activation", "attempt", "created_at"
        )
    }


def event_records(event: RunEvent, starts: Mapping[_Attempt, datetime]) -> Iterable[EventRecord]:
    """Write a stored event and what is derived from it."""
    attempt = (event.run_id, event.step_id, event.activation, event.attempt)
    began = starts.get(attempt) if event.type != _STARTED else None
    duration = None if began is None else max(0, round((event.created_at - began).total_seconds() * 1000))
    event_id = f"{event.run_id}:{event.seq}"
    yield EventRecord(event_id, event, event.type, event.payload, duration)
    if event.type == "step.completed":
        for port, value in given_out(event.payload).items():
            yield EventRecord(f"{event_id}:{port}", event, "data.produced", {"port": port, "value": value}, None)
