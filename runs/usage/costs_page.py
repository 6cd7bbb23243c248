"""The console's page of costs by tenant: a chart of days, a table of tenants, and both as CSV."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from foundation.console import changelist_url
from kernel.clock import utc_now
from runs.models import UsageDay
from runs.usage.amounts import money

SPANS: Final = (7, 30, 90, 365)
MAX_ROWS: Final = 100_000
MAX_TENANTS: Final = 50
HEIGHT: Final = 140
BAR_ROOM: Final = 720
_SUMS: Final = {name: Sum(name) for name in ("calls", "input_tokens", "output_tokens", "cost")}


@dataclass(frozen=True, slots=True)
class CostBar:
    """One day of the chart; ``words`` says it."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True, slots=True)
class TenantCost:
    """Cost of a tenant's models, and the list of what that is made of."""

    tenant: str
    calls: int
    tokens: int
    cost: str
    share: str
    address: str


def show_costs(request: HttpRequest, around: Mapping[str, Any]) -> HttpResponse:
    """Show what models cost in the last days by tenant, or give it as CSV.

    Args:
        request: ``days`` is one of ``SPANS``, and ``format`` may be ``csv``; anything else counts as not given.
        around: What the console's pages have around them.
    """
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(span) for span in SPANS} else 30
    first = utc_now().date() - timedelta(days=days - 1)
    rows = UsageDay.objects.filter(day__gte=first).order_by()
    if request.GET.get("format") == "csv":
        return _csv(rows, first)
    per_day = dict(rows.values_list("day").annotate(Sum("cost")))
    tenants = _tenants(rows, first)
    context = {
        **around,
        "title": "Cost by tenant",
        "days": days,
        "spans": SPANS,
        "bars": bars(per_day, first, days),
        "chart_height": HEIGHT,
        "chart_width": BAR_ROOM,
        "tenants": tenants,
        "total": money(sum(per_day.values(), Decimal(0))),
        "first": first,
    }
    return TemplateResponse(request, "console/costs.html", context)


def bars(per_day: Mapping[date, Decimal], first: date, days: int) -> Sequence[CostBar]:
    """Lay a bar out for each day, the dearest as high as the chart."""
    most = max([*per_day.values(), Decimal(0)])
    width = BAR_ROOM / days
    found = []
    for number in range(days):
        day = first + timedelta(days=number)
        cost = per_day.get(day, Decimal(0))
        height = float(cost / most) * HEIGHT if most else 0.0
        words = f"{day.isoformat()}: {money(cost)}"
        found.append(CostBar(round(number * width, 1), round(HEIGHT - height, 1), round(width * 0.8, 1), height, words))
    return found


def _tenants(rows: QuerySet[UsageDay], first: date) -> list[TenantCost]:
    grouped = rows.values("tenant_id", name=F("tenant__name"), slug=F("tenant__slug")).annotate(**_SUMS)
    lines: Iterable[Mapping[str, Any]] = grouped.order_by("-cost", "slug")[:MAX_TENANTS]
    total = rows.aggregate(all=Sum("cost"))["all"] or Decimal(0)
    return [
        TenantCost(
            tenant=f"{line['name']} ({line['slug']})",
            calls=line["calls"],
            tokens=line["input_tokens"] + line["output_tokens"],
            cost=money(line["cost"]),
            share=f"{100 * line['cost'] / total:.1f} %" if total else "-",
            address=changelist_url("runs.usageday", tenant__id__exact=line["tenant_id"], day_from=first.isoformat()),
        )
        for line in lines
    ]


def _csv(rows: QuerySet[UsageDay], first: date) -> HttpResponse:
    """Write a line for each day and tenant; slugs begin no formula."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="costs-from-{first.isoformat()}.csv"'
    writer = csv.writer(response)
    writer.writerow(["day", "tenant", "calls", "input_tokens", "output_tokens", "cost_usd"])
    grouped = rows.values("day", slug=F("tenant__slug")).annotate(**_SUMS).order_by("day", "slug")
    lines: Iterable[Mapping[str, Any]] = grouped[:MAX_ROWS]
    for line in lines:
        counts = (line["calls"], line["input_tokens"], line["output_tokens"], format(line["cost"], "f"))
        writer.writerow([line["day"].isoformat(), line["slug"], *counts])
    return response
