"""Contents of a run's page in the console: what holds it up, its steps, its timeline, and what was told and done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from audit.models import Entry
from foundation.console import changelist_url
from kernel.clock import utc_now
from kernel.paging import CursorRefused
from kernel.types import Json
from runs.console.blockers import Blocker, blockers_of
from runs.console.queries import JournalPage, journal_page
from runs.console.timeline import Timeline, TimelineEvent, duration_words, timeline_of
from runs.journals.activations import StepRecord, list_steps
from runs.journals.asked_people import AskedPeople, asked_in
from runs.models import OVER, Delivery, Run
from runs.picture import Picture, draw
from runs.selectors import step_states
from tenants.members.actors import names_of

STEPS_A_PAGE: Final = 50
MAX_EVENTS: Final = 2_000
"""Events of a run that its timeline is drawn of."""
MAX_SHOWN: Final = 2_000
"""Characters of an input or an output in the table of steps."""
MAX_LISTED: Final = 20
"""Deliveries and entries of the audit on a run's page."""
_OF_TIMELINE: Final = Q(type__startswith="step.") | Q(type="human.task_created")


@dataclass(frozen=True, slots=True)
class StepRow:
    """One activation of a step, as the table shows it."""

    seq: int
    name: str
    type: str
    status: str
    duration: str
    attempts: int
    tokens: int
    cost: str
    values: Sequence[tuple[str, str]]
    task: AskedPeople | None


@dataclass(frozen=True, slots=True)
class StepsPage:
    """Some of a run's steps; ``next`` is the cursor of those behind them, ``is_first`` whether none are before."""

    rows: Sequence[StepRow]
    next: str | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class RunAuditLine:
    """One entry of the audit about the run."""

    entry: Entry
    actor: str


@dataclass(frozen=True, slots=True)
class RunPageView:
    """All that a run's page shows beside its fields."""

    status: str
    error: str
    blockers: Sequence[Blocker]
    picture: Picture
    steps: StepsPage
    timeline: Timeline
    journal: JournalPage
    deliveries: Sequence[Delivery]
    audit: Sequence[RunAuditLine]
    audit_address: str
    shows_data: bool


def view_of(run: Run, *, journal: str | None, steps: str | None, shows_data: bool) -> RunPageView:
    """Read what a run's page shows.

    Args:
        run: The run, which came with its tenant and its revision.
        journal: The page of its journal, as an address has it.
        steps: The cursor of its steps, as an address has it.
        shows_data: Whether who looks may see what the tenant's steps were given and answered.
    """
    asked = asked_in()(run.id)
    if not shows_data:
        asked = [replace(one, title="a question", asked="somebody", claimed_by="") for one in asked]
    return RunPageView(
        status=run.get_status_display(),
        error=error_words(run.error, shows_data=shows_data),
        blockers=blockers_of(run, asked) if shows_data else blockers_of(_without_messages(run), asked),
        picture=draw(run.revision.definition, step_states(run)),
        steps=_steps_page(run, steps, asked, shows_data=shows_data),
        timeline=_timeline(run),
        journal=journal_page(run, wanted=journal),
        deliveries=list(Delivery.objects.filter(run=run).defer("body").order_by("-created_at", "-id")[:MAX_LISTED]),
        audit=_audit_of(run),
        audit_address=changelist_url("audit.entry", object_id=run.pk),
        shows_data=shows_data,
    )


def error_words(error: Json, *, shows_data: bool = True) -> str:
    """Say in a sentence why a run ended, which step did it, and the code; its message may have data of the tenant."""
    if not isinstance(error, dict):
        return ""
    if not shows_data:
        error = {name: value for name, value in error.items() if name != "message"}
    step = f" Step {error['step_id']}." if error.get("step_id") else ""
    return f"{error.get('message') or 'It failed.'}{step} ({error.get('code', 'no code')})"


def read_steps(run: Run, *, limit: int) -> Sequence[StepRecord]:
    """Read a run's first activations of steps with their values."""
    return list_steps(tenant=run.tenant, run_id=run.id, cursor=None, limit=limit).rows


def duration_of(record: StepRecord, now: datetime) -> str:
    """Write how long an activation took, or takes so far."""
    return duration_words(max(0.0, ((record.ended_at or now) - record.started_at).total_seconds()))


def _without_messages(run: Run) -> Run:
    """Give a run whose error has no message, nor reasons that people wrote."""
    run.error = {"code": run.error.get("code")} if isinstance(run.error, dict) else None
    return run


def _steps_page(run: Run, wanted: str | None, asked: Sequence[AskedPeople], *, shows_data: bool) -> StepsPage:
    cursor = wanted or None
    try:
        page = list_steps(tenant=run.tenant, run_id=run.id, cursor=cursor, limit=STEPS_A_PAGE)
    except CursorRefused:
        cursor = None
        page = list_steps(tenant=run.tenant, run_id=run.id, cursor=None, limit=STEPS_A_PAGE)
    now = run.ended_at or utc_now()
    tasks = {(one.step_id, one.activation): one for one in asked}
    rows = [_row(record, now, tasks, shows_data=shows_data) for record in page.rows]
    return StepsPage(rows, page.next_cursor, cursor is None)


def _row(
    record: StepRecord, now: datetime, tasks: Mapping[tuple[str, int], AskedPeople], *, shows_data: bool
) -> StepRow:
    usage: Mapping[str, Any] = record.usage
    values = [("Inputs", record.inputs), ("Output", record.output), ("Error", record.error)]
    calls = int(usage["model_calls"])
    return StepRow(
        seq=record.seq,
        name=record.step_id if record.activation == 1 else f"{record.step_id}#{record.activation}",
        type=record.step_type or "",
        status=record.status,
        duration=duration_of(record, now),
        attempts=record.attempts,
        tokens=int(usage["input_tokens"]) + int(usage["output_tokens"]),
        cost=f"{usage['cost']} {usage['currency']}" if calls else "",
        values=[(name, _short(value)) for name, value in values if value] if shows_data else (),
        task=tasks.get((record.step_id, record.activation)),
    )


def _short(value: Json) -> str:
    """Write a value for reading; a long one is cut, and says so."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}\n… cut here, {len(text):,} characters in all"


def _timeline(run: Run) -> Timeline:
    rows = run.events.filter(_OF_TIMELINE, step_id__isnull=False).order_by("seq")
    found = rows.values_list("type", "step_id", "activation", "created_at")[:MAX_EVENTS]
    events = [TimelineEvent(kind, f"{step}#{number}".removesuffix("#1"), at) for kind, step, number, at in found]
    ended = run.ended_at or (run.created_at if run.status in OVER else utc_now())
    return timeline_of(events, created_at=run.created_at, started_at=run.started_at, until=ended)


def _audit_of(run: Run) -> list[RunAuditLine]:
    entries = Entry.objects.filter(tenant_id=run.tenant_id, object_type="run", object_id=str(run.pk))
    found = list(entries.order_by("-id")[:MAX_LISTED])
    names = names_of(entry.actor for entry in found)
    return [RunAuditLine(entry, names[entry.actor] or entry.actor) for entry in found]
