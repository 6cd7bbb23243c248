"""The API's route of the audit's report."""

from dataclasses import asdict
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.api.report_csv import write_csv
from audit.api.serializers import VerdictShape
from audit.errors import LogEmpty, ReportPeriodEmpty, ReportTooLarge
from audit.reading.report import AuditReport, report_audit
from foundation.request_fields import list_accepted_values
from foundation.requests import Strict, read_fields
from tenants.access.callers import caller_of

JSON: Final = "json"
CSV: Final = "csv"
CSV_TYPE: Final = "text/csv; charset=utf-8"


class ReportFields(Strict):
    """Period of a report, and its form."""

    to = serializers.DateTimeField(source="until", help_text="Its end, left out (RFC 3339).")
    format = serializers.ChoiceField(
        choices=[JSON, CSV], required=False, help_text="Left out: `csv` where `Accept` has `text/csv`, else `json`."
    )

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of Python."""
        since = serializers.DateTimeField(source="since", help_text="Begin of the period (RFC 3339).")
        list_accepted_values(since)
        return {**super().get_fields(), "from": since}


class CountShape(serializers.Serializer[Any]):
    """Number of entries that have a word."""

    name = serializers.CharField()
    count = serializers.IntegerField()


class DecisionShape(serializers.Serializer[Any]):
    """A decision of a person."""

    at = serializers.DateTimeField()
    n = serializers.IntegerField(allow_null=True, help_text="Its number in the log; null until it is sealed.")
    actor = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField(help_text="Id of the task.")
    decision = serializers.CharField()
    choice = serializers.CharField(allow_null=True)
    receipt = serializers.CharField(allow_null=True, help_text="Address of its receipt.")


class AuditReportShape(serializers.Serializer[Any]):
    """Report of a period of the audit."""

    log = serializers.CharField(help_text="Name of the log.")
    to = serializers.DateTimeField()
    entries = serializers.IntegerField()
    actions = CountShape(many=True, help_text="The most frequent first, at most 1,000; so are the others.")
    actors = CountShape(many=True)
    outcomes = CountShape(many=True)
    decisions = DecisionShape(many=True, help_text="The oldest first.")
    verdict = VerdictShape(allow_null=True, help_text="Null where a long log was not verified yet.")
    verified_at = serializers.DateTimeField(allow_null=True)
    unverified = serializers.IntegerField(help_text="Entries sealed since: the verdict says nothing of them.")
    pruned_before = serializers.DateTimeField(
        allow_null=True, help_text="Entries of the period from before this time were pruned, and are not counted."
    )

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of Python."""
        return {**super().get_fields(), "from": serializers.DateTimeField()}


class AuditReportView(APIView):
    """Report of a period."""

    required_scopes: ClassVar = {"POST": "audit:read"}
    refusals: ClassVar = {"POST": (LogEmpty, ReportPeriodEmpty, ReportTooLarge)}

    @extend_schema(
        operation_id="report_audit",
        summary="Report a period",
        description="Counts by action, actor and outcome, every decision of people with the address of its receipt, "
        "and the verdict on the whole log: a log of up to 20,000 entries is verified for it, of a longer one the last "
        "verification is told. At most 366 days, a million entries and 10,000 decisions. The audit tells of it.",
        request=ReportFields,
        responses={
            (200, "application/json"): AuditReportShape,
            (200, CSV_TYPE): OpenApiResponse(OpenApiTypes.STR, "One table; no cell is taken for a formula."),
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Answer the report."""
        fields, caller = read_fields(ReportFields, request.data), caller_of(request)
        wanted = fields.pop("format", CSV if "text/csv" in request.headers.get("Accept", "") else JSON)
        report = report_audit(caller.tenant.id, **fields, actor=caller.actor)
        if wanted == CSV:
            name = f"{caller.tenant.slug}-audit-{report.since:%Y-%m-%d}.csv"
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            table = write_csv(report, lambda n: _receipt(request, n))
            return HttpResponse(table, content_type=CSV_TYPE, headers=headers)
        return Response(_body(request, report))


def _body(request: Request, report: AuditReport) -> dict[str, Any]:
    body = asdict(report)
    body["from"], body["to"] = body.pop("since"), body.pop("until")
    for one in body["decisions"]:
        one["receipt"] = _receipt(request, one["n"])
    return body


def _receipt(request: Request, n: int | None) -> str | None:
    return None if n is None else request.build_absolute_uri(f"/api/v1/audit/entries/{n}/proof")
