"""Queries of the operator console about runs: a page of a journal, and the words of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import JSONField, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Left

from kernel.clock import utc_now
from kernel.types import Json
from runs.models import Run, RunEvent, RunStatus

EVENTS_A_PAGE: Final = 100
PREVIEW_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One event; ``payload`` is the beginning of its text, ``warning`` what its call has to be known for."""

    seq: int
    created_at: datetime
    type: str
    step: str
    attempt: int | None
    payload: str
    is_truncated: bool
    warning: str


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Some events of a journal, and where they stand in it."""

    lines: Sequence[JournalLine]
    number: int
    pages: int
    events: int

    @property
    def newer(self) -> int | None:
        """The page behind this one, if any."""
        return self.number + 1 if self.number < self.pages else None

    @property
    def older(self) -> int | None:
        """The page before this one, if any."""
        return self.number - 1 if self.number > 1 else None


def journal_page(run: Run, *, wanted: str | None) -> JournalPage:
    """Read one page of a journal, oldest event first.

    Events are numbered without gaps, so a page is a range of the journal's key: the last page of a long journal costs
    what its first does. Only the beginning of each payload leaves the database.

    Args:
        run: Whose journal.
        wanted: The page's number as an address has it; anything that is none means the first.
    """
    pages = max(1, -(-run.last_seq // EVENTS_A_PAGE))
    number = int(wanted) if wanted and wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 1
    number = min(max(1, number), pages)
    first = (number - 1) * EVENTS_A_PAGE + 1
    rows = (
        RunEvent.objects.filter(run=run, seq__gte=first, seq__lt=first + EVENTS_A_PAGE)
        .order_by("seq")
        .defer("payload")
        .annotate(preview=Left(Cast("payload", TextField()), PREVIEW_CHARACTERS + 1))
        .annotate(remark=Left(KeyTextTransform("remark", Cast("payload", JSONField())), PREVIEW_CHARACTERS))
    )
    return JournalPage([_line(row) for row in rows], number, pages, run.last_seq)


def waits_for(run: Run) -> str:
    """Say in a few words what a run is waiting for; empty when it is not."""
    if run.status == RunStatus.QUEUED and run.owner is None:
        return "a free worker"
    return "; ".join(_reason(item) for item in run.waiting_for or [])


def seconds_taken(run: Run) -> float | None:
    """Return how long a run has taken, or takes so far; None before it starts."""
    if run.started_at is None:
        return None
    return max(0.0, ((run.ended_at or utc_now()) - run.started_at).total_seconds())


def _line(event: Any) -> JournalLine:
    step = "" if event.step_id is None else f"{event.step_id}#{event.activation}"
    text = event.preview
    is_truncated = len(text) > PREVIEW_CHARACTERS
    payload = text[:PREVIEW_CHARACTERS]
    warning = event.remark if event.remark and event.type.startswith("action.") else ""
    return JournalLine(event.seq, event.created_at, event.type, step, event.attempt, payload, is_truncated, warning)


def _reason(item: Json) -> str:
    if not isinstance(item, dict):
        return str(item)
    until = f" until {_shown_time(str(item['until']))}" if item.get("until") else ""
    kind = item.get("kind", "something")
    whose = f" of {item['host']}" if item.get("host") else ""
    why = f", after {item['last_failure']}" if item.get("last_failure") else ""
    return f"{'a person' if kind == 'human' else kind}{whose}{until}{why}"


def _shown_time(text: str) -> str:
    """Write a time to the second, in UTC; what is none stays as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text
