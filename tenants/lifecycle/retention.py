"""Retention: how long rows are kept, and the sweeps that remove what is older, in batches."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import DateTimeField, F, Min, Model, Q, QuerySet
from django.db.models.functions import Cast

from foundation.removal import all_rows, remove_rows
from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.lifecycle.protocols import RetentionRule, retention_rules
from tenants.models import RetentionFigure

BATCH_ROWS: Final = 1_000
MAX_BATCHES: Final = 1_000
"""Of one kind in one sweep: what is left waits for the next, so that no kind keeps others waiting for hours."""
MAX_COUNTED_ROWS: Final = 10_000
"""Rows that are counted; of more the figure is the database's own estimate."""


def days_ago(setting: str) -> Callable[[], datetime | None]:
    """Give the moment behind which rows are old by a setting in days; None where that is 0, which keeps all."""

    def moment() -> datetime | None:
        days: int = getattr(settings, setting)
        return utc_now() - timedelta(days=days) if days else None

    return moment


def rows_before(
    label: str, field: str, moment: Callable[[], datetime | None], only: Callable[[], Q] = Q
) -> Callable[[], int]:
    """Make a sweep of a model's rows of all tenants whose field lies before a moment.

    Args:
        label: The model.
        field: The time that tells how old a row is.
        moment: Gives the moment; None removes nothing.
        only: Narrows to rows that may go.
    """

    def sweep() -> int:
        before, model = moment(), apps.get_model(label)
        if before is None:
            return 0
        with unscoped("rows of all tenants are kept equally long"):
            old = all_rows(model).filter(only(), **{f"{field}__lt": before})
            ids = list(old.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:BATCH_ROWS])
            return remove_rows(model, ids)

    return sweep


def sweep_retention() -> int:
    """Remove what is older than its rule says, a batch a transaction, and note the figures of each kind.

    May be called at any time, by several at once, and be killed: each batch is over when it is over.

    Returns:
        How many rows were removed.
    """
    return sum(_sweep(rule) for rule in retention_rules())


def retention_figures() -> list[RetentionFigure]:
    """Read the figures of every kind, as the last sweep left them."""
    with unscoped("figures are the installation's"):
        return list(RetentionFigure.objects.all())


def _sweep(rule: RetentionRule) -> int:
    removed = 0
    for _ in range(MAX_BATCHES if rule.sweep else 0):
        batch = rule.sweep() if rule.sweep else 0
        removed += batch
        if not batch:
            break
    _note(rule, removed)
    return removed


def _note(rule: RetentionRule, removed: int) -> None:
    model = rule.counted_model
    with unscoped("figures are the installation's"):
        rows = all_rows(model)
        counted = rows.order_by()[: MAX_COUNTED_ROWS + 1].count()
        is_estimate = counted > MAX_COUNTED_ROWS
        fresh: dict[str, Any] = {
            "rows": max(counted, _estimate(model)) if is_estimate else counted,
            "is_estimate": is_estimate,
            "oldest_at": _oldest(rows, rule.since) if rule.since else None,
            "swept_at": utc_now(),
        }
        RetentionFigure.objects.get_or_create(kind=rule.kind)
        RetentionFigure.objects.filter(kind=rule.kind).update(removed=F("removed") + removed, **fresh)


def _oldest(rows: QuerySet[Any], field: str) -> datetime | None:
    """Find the least of a time, or of a day, which begins at midnight."""
    found: datetime | None = rows.aggregate(oldest=Min(Cast(field, DateTimeField())))["oldest"]
    return found


def _estimate(model: type[Model]) -> int:
    with connection.cursor() as cursor:
        table = model._meta.db_table  # noqa: SLF001 - Django's documented way to a model's table
        cursor.execute("select reltuples::bigint from pg_class where oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])
