"""The console's page of the audit's report: a period of one log, to be read and printed."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from audit.models import AuditLog
from audit.reading.report import AuditReport, pruning_text, report_audit, verdict_text
from foundation.console import actor_of
from kernel.errors import LlmteamError
from tenants.members.actors import names_of


class PeriodForm(forms.Form):
    """Asks of which log, and of which days."""

    log: "forms.ModelChoiceField[AuditLog]" = forms.ModelChoiceField(
        QuerySet(AuditLog).none(), widget=UnfoldAdminSelectWidget
    )
    first = forms.DateField(label="From", widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))
    last = forms.DateField(
        label="To",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="Days in UTC, the last one included; at most 366.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        logs: Any = self.fields["log"]
        logs.queryset = AuditLog.objects.order_by("origin")


def show_report(request: HttpRequest, around: Mapping[str, Any]) -> TemplateResponse:
    """Show the form and, once it is filled in, the report.

    Args:
        request: Whose address says what is asked.
        around: What the console's pages have around them.
    """
    is_asked = "first" in request.GET
    form = PeriodForm(request.GET if is_asked else None, initial=request.GET.dict())
    report, refusal = None, ""
    if is_asked and form.is_valid():
        asked = form.cleaned_data
        period = {"since": _begin_of(asked["first"]), "until": _begin_of(asked["last"]) + timedelta(days=1)}
        try:
            report = report_audit(asked["log"].tenant_id, **period, actor=actor_of(request))
        except LlmteamError as error:
            refusal = error.detail
    shown = {} if report is None else _shown(report)
    context = {**around, "title": "Report of the audit", "form": form, "refusal": refusal, "report": report, **shown}
    return TemplateResponse(request, "console/audit_report.html", context)


def _shown(report: AuditReport) -> dict[str, Any]:
    names = names_of([line.name for line in report.actors] + [one.actor for one in report.decisions])
    return {
        "verdict": verdict_text(report),
        "pruned": pruning_text(report),
        "last_day": report.until - timedelta(days=1),
        "counts": [
            ("By action", [(line.name, line.count) for line in report.actions]),
            ("By actor", [(names[line.name], line.count) for line in report.actors]),
            ("By outcome", [(line.name, line.count) for line in report.outcomes]),
        ],
        "decisions": [
            (one.at, names[one.actor], one.choice or one.decision, one.object_id, one.n) for one in report.decisions
        ],
    }


def _begin_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
