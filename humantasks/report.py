"""Task report: time to claim and time to decide, by segment or by group."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from foundation.scope import reading_scope
from tenants.models import Tenant

SEGMENT: Final = "segment"
GROUP: Final = "group"
MAX_ROWS: Final = 1_000
_NAMES: Final = {SEGMENT: "t.segment_id", GROUP: "named.name"}
# A task of several groups counts in each; one that is of none, because somebody or everybody is asked, under null.
_SOURCES: Final = {
    SEGMENT: "humantasks_humantask t",
    GROUP: "humantasks_humantask t left join lateral unnest(t.candidate_groups) as named(name) on true",
}
_SQL: Final = """
with timed as (
  select {name} as name, t.status, t.due_at,
    extract(epoch from t.first_claimed_at - t.created_at) as claimed,
    case when t.status = 'completed' then extract(epoch from t.ended_at - t.created_at) end as decided
  from {source}
  where t.tenant_id = %(tenant)s
    and (%(after)s::timestamptz is null or t.created_at > %(after)s)
    and (%(before)s::timestamptz is null or t.created_at < %(before)s)
)
select name, count(*),
  count(*) filter (where status = 'open'), count(*) filter (where status = 'completed'),
  count(*) filter (where status = 'timed_out'), count(*) filter (where status = 'cancelled'),
  count(*) filter (where status = 'open' and due_at <= statement_timestamp()),
  avg(claimed)::float8, percentile_cont(0.5) within group (order by claimed),
  percentile_cont(0.95) within group (order by claimed),
  avg(decided)::float8, percentile_cont(0.5) within group (order by decided),
  percentile_cont(0.95) within group (order by decided)
from timed group by name order by count(*) desc, name limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Durations in seconds; None where it never happened."""

    average: float | None
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class ReportLine:
    """Outcomes of the tasks of one segment or group; ``name`` is None for tasks without a group."""

    name: str | None
    created: int
    open: int
    completed: int
    timed_out: int
    cancelled: int
    overdue: int
    to_claim: Seconds
    to_decide: Seconds


def report_times(
    *, tenant: Tenant, by: str, after: datetime | None = None, before: datetime | None = None
) -> list[ReportLine]:
    """Report on the tasks created in a period, the most frequent first; at most 1,000 lines.

    Args:
        tenant: Owner.
        by: ``segment`` or ``group``.
        after: Only tasks created behind this time.
        before: Only tasks created before this one.
    """
    statement = _SQL.format(name=_NAMES[by], source=_SOURCES[by])
    asked = {"tenant": tenant.id, "after": after, "before": before, "limit": MAX_ROWS}
    with reading_scope(tenant.id), connection.cursor() as cursor:
        cursor.execute(statement, asked)
        return [_line(row) for row in cursor.fetchall()]


def _line(row: Sequence[Any]) -> ReportLine:
    name, created, is_open, completed, timed_out, cancelled, overdue, *seconds = row
    to_claim, to_decide = Seconds(*seconds[:3]), Seconds(*seconds[3:])
    return ReportLine(name, created, is_open, completed, timed_out, cancelled, overdue, to_claim, to_decide)
