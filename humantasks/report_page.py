"""The console's report page of people's times, one tenant at a time."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django import forms
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from humantasks.report import GROUP, SEGMENT, ReportLine, Seconds, report_times
from tenants.models import Tenant

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_COUNTS: Final = ("created", "open", "overdue", "completed", "timed_out", "cancelled")


class ReportForm(forms.Form):
    """Asks of whom, of which days, and what is told apart."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)
    by = forms.ChoiceField(choices=[(SEGMENT, "Segment"), (GROUP, "Group")], widget=UnfoldAdminSelectWidget)
    first = forms.DateField(required=False, label="From", widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))
    last = forms.DateField(
        required=False,
        label="To",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="Days in UTC, the last one included.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants: Any = self.fields["tenant"]
        tenants.queryset = Tenant.objects.order_by("slug")


def show_report(request: HttpRequest, around: Mapping[str, Any]) -> TemplateResponse:
    """Show the form and, once it is filled in, the report.

    Args:
        request: Whose address says what is asked.
        around: What the console's pages have around them.
    """
    form = ReportForm(request.GET if "tenant" in request.GET else None)
    lines = None
    if form.is_valid():
        asked = form.cleaned_data
        first, last = _begin_of(asked["first"]), _begin_of(asked["last"])
        lines = report_times(
            tenant=asked["tenant"],
            by=asked["by"],
            after=None if first is None else first - timedelta(microseconds=1),
            before=None if last is None else last + timedelta(days=1),
        )
    shown = None if lines is None else [_row(line) for line in lines]
    context = {**around, "title": "How long people take", "form": form, "rows": shown}
    return TemplateResponse(request, "console/report.html", context)


def duration_text(seconds: float | None) -> str:
    """Say a time as people do."""
    if seconds is None:
        return "-"
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds / size:.1f} {unit}"


def _begin_of(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _row(line: ReportLine) -> list[str]:
    counts = [str(getattr(line, name)) for name in _COUNTS]
    return [line.name or "(no group)", *counts, *_cells(line.to_claim), *_cells(line.to_decide)]


def _cells(seconds: Seconds) -> list[str]:
    return [duration_text(seconds.average), duration_text(seconds.p50), duration_text(seconds.p95)]
