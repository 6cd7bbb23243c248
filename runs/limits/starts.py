"""Starts of runs within a tenant's limits: what its tier includes, and how many a day."""

from datetime import UTC, datetime, time
from typing import Final

from django.db import connection

from kernel.clock import utc_now
from kernel.errors import RAISED_BY, ErrorItem, sentences
from runs.usage.budgets import resets_at
from segments.entitled import not_included
from segments.models import Revision
from tenants.limits.errors import NotIncluded, used_up
from tenants.limits.selectors import entitlements_of
from tenants.models import Tenant

# Whoever comes first in a day counts what was started before it; all others of the day wait for the row, so that of
# many starts at once none too many is let in. A tenant without this limit has no such row, and nobody waits.
_COUNT: Final = """
insert into runs_startsofday as counted (tenant_id, day, runs)
select %(tenant)s, %(day)s, 1 + count(*) from runs_run where tenant_id = %(tenant)s and created_at >= %(midnight)s
on conflict (tenant_id, day) do update set runs = counted.runs + 1
returning runs
"""


def check_included(tenant: Tenant, revision: Revision) -> None:
    """Let a revision pass that a tenant may start.

    Raises:
        NotIncluded: It has steps of types that the tenant may not use.
        LimitUsedUp: It has more steps than the tenant's segments may have.
    """
    entitlements = entitlements_of(tenant.id)
    steps = revision.definition["steps"]
    most = entitlements.limit("steps_per_segment")
    if most is not None and len(steps) > most:
        raise used_up(
            f"The segment has {len(steps)} steps; the tenant may start segments of at most {most}.",
            limit="steps_per_segment",
            used=len(steps),
            cap=most,
        )
    found = not_included(((step["step_id"], step["type"]) for step in steps), entitlements)
    if found:
        items = [ErrorItem(one.code, one.message, one.pointer, one.step_id, one.hint) for one in found]
        raise NotIncluded(
            sentences(*dict.fromkeys(one.message for one in found)),
            errors=items,
            extra={"tier": entitlements.tier, "raised_by": RAISED_BY},
        )


def count_start(tenant: Tenant) -> None:
    """Count a start in its transaction, before the run is inserted; exact however many come at once.

    Raises:
        LimitUsedUp: There is no room for another today.
    """
    most = entitlements_of(tenant.id).limit("runs_per_day")
    if most is None:
        return
    today = utc_now().date()
    midnight = datetime.combine(today, time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"tenant": tenant.id, "day": today, "midnight": midnight})
        (runs,) = cursor.fetchone()
    if runs > most:
        reset = resets_at(today)
        raise used_up(
            f"All {most} runs of this day (UTC) are started; there is room again at {reset:%Y-%m-%d %H:%M} UTC.",
            limit="runs_per_day",
            used=most,
            cap=most,
            resets_at=reset,
        )
