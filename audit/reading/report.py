"""Report of a period: what was done, by whom, how it ended; decisions of people; whether the log can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from audit.errors import ReportPeriodEmpty, ReportTooLarge
from audit.models import Entry, LogVerification, VerificationStatus
from audit.reading.files import LogFiles, first_entry_at, leaves_of, scope_of
from audit.reading.verification import verify_stored
from audit.services import record
from audit.verifier.examination import Verdict
from kernel.clock import utc_now
from kernel.types import Json

MAX_PERIOD: Final = timedelta(days=366)
MAX_ENTRIES: Final = 1_000_000
MAX_DECISIONS: Final = 10_000
MAX_LINES: Final = 1_000
"""Lines of a count, the most frequent first."""
MAX_VERIFIED: Final = 20_000
"""Entries that are verified while the caller waits; more are in the background."""
DECIDED: Final = "task.decided"


@dataclass(frozen=True, slots=True)
class CountLine:
    """Number of entries that have a word: an action, an actor, an outcome."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A decision of a person; ``n`` is its number in the log, None until it is sealed."""

    at: datetime
    n: int | None
    actor: str
    object_type: str
    object_id: str
    decision: str
    choice: str | None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """A report.

    Attributes:
        log: Name of the log.
        since: Begin of the period.
        until: Its end, left out.
        entries: How many there are.
        actions: By action.
        actors: By who acted.
        outcomes: By how it ended.
        decisions: The oldest first.
        verdict: What a verification of the whole log found; None where none was made of a long one yet.
        verified_at: When that was.
        unverified: How many entries were sealed since.
        pruned_before: Before which time the entries of the period were pruned; None where none was.
    """

    log: str
    since: datetime
    until: datetime
    entries: int
    actions: Sequence[CountLine]
    actors: Sequence[CountLine]
    outcomes: Sequence[CountLine]
    decisions: Sequence[DecisionLine]
    verdict: "Verdict | None"
    verified_at: datetime | None
    unverified: int
    pruned_before: datetime | None


def report_audit(tenant_id: UUID | None, *, since: datetime, until: datetime, actor: str) -> AuditReport:
    """Report a period of the audit of a tenant, or of the installation; the audit tells of it.

    A log of up to ``MAX_VERIFIED`` entries is verified for it, of a longer one the last verification is told.

    Raises:
        LogEmpty: Nothing is sealed yet.
        ReportPeriodEmpty: The period ends before it begins.
        ReportTooLarge: The period is too long, or has too much in it.
    """
    _check_period(since, until)
    with scope_of(tenant_id):
        files = LogFiles(tenant_id)
        rows = Entry.objects.filter(Q(tenant_id=tenant_id), created_at__gte=since, created_at__lt=until)
        entries = rows.order_by()[: MAX_ENTRIES + 1].count()
        if entries > MAX_ENTRIES:
            raise ReportTooLarge(f"There are more than {MAX_ENTRIES:,} entries in the period: take a shorter one.")
        decisions = _decisions(tenant_id, rows)
        actions, actors, outcomes = (_counts(rows, name) for name in ("action", "actor", "outcome"))
        period: Json = {"from": since.isoformat(), "to": until.isoformat()}
        record("audit_log.reported", files.log, actor=actor, after=period)
        first_at = first_entry_at(files)
    verdict, verified_at = _verdict(files, tenant_id)
    return AuditReport(
        log=files.log.origin,
        since=since,
        until=until,
        entries=entries,
        actions=actions,
        actors=actors,
        outcomes=outcomes,
        decisions=decisions,
        verdict=verdict,
        verified_at=verified_at,
        unverified=max(0, files.last.size - ((verdict and verdict["size"]) or 0)),
        pruned_before=first_at if first_at is not None and since < first_at else None,
    )


def verdict_text(report: AuditReport) -> str:
    """Say whether the log can be trusted, in a sentence."""
    if report.verdict is None:
        return "The log is long and was not verified yet: ask for a verification first."
    if report.verdict["ok"]:
        said = f"The log verifies: {report.verdict['size']} entries, root {report.verdict['root']}."
        later = f" {report.unverified:,} entries have come since, which no verification has looked at yet."
        return said + (later if report.unverified else "")
    bad = report.verdict["first_bad"]
    return f"The log does not verify. First bad entry: {bad['n']}, {bad['kind']}: {bad['detail']}."


def pruning_text(report: AuditReport) -> str:
    """Say what of the period is not there any more, in a sentence; empty where all is."""
    if report.pruned_before is None:
        return ""
    return f"Entries from before {report.pruned_before:%Y-%m-%d %H:%M:%S} UTC were pruned, and are not counted."


def _check_period(since: datetime, until: datetime) -> None:
    if since >= until:
        raise ReportPeriodEmpty("The period is empty: `from` is not before `to`.")
    if until - since > MAX_PERIOD:
        raise ReportTooLarge(f"The period is longer than {MAX_PERIOD.days} days: take a shorter one.")


def _counts(rows: QuerySet[Entry], name: str) -> list[CountLine]:
    counted = rows.order_by().values(name).annotate(count=Count("id")).order_by("-count", name)
    return [CountLine(one[name], one["count"]) for one in counted[:MAX_LINES]]


def _decisions(tenant_id: UUID | None, rows: QuerySet[Entry]) -> list[DecisionLine]:
    found = list(rows.filter(action=DECIDED).order_by("created_at", "id")[: MAX_DECISIONS + 1])
    if len(found) > MAX_DECISIONS:
        raise ReportTooLarge(f"There are more than {MAX_DECISIONS:,} decisions in the period: take a shorter one.")
    numbers = dict(leaves_of(tenant_id).filter(entry_id__in=[one.id for one in found]).values_list("entry_id", "n"))
    return [_decision(one, numbers.get(one.id)) for one in found]


def _decision(entry: Entry, n: int | None) -> DecisionLine:
    told = entry.after if isinstance(entry.after, dict) else {}
    choice = told.get("choice")
    return DecisionLine(
        at=entry.created_at,
        n=n,
        actor=entry.actor,
        object_type=entry.object_type,
        object_id=entry.object_id,
        decision=str(told.get("decision") or ""),
        choice=None if choice is None else str(choice),
    )


def _verdict(files: LogFiles, tenant_id: UUID | None) -> "tuple[Verdict | None, datetime | None]":
    if files.last.size - files.first <= MAX_VERIFIED:
        return verify_stored(tenant_id), utc_now()
    with scope_of(tenant_id):
        done = LogVerification.objects.filter(log_id=files.log.id, status=VerificationStatus.DONE)
        last = done.order_by("-created_at").first()
    return (None, None) if last is None else (last.verdict, last.ended_at)
