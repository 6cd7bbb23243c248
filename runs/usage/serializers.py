"""Serializers of usage and limits."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from foundation.request_fields import ChoiceList
from foundation.requests import Strict
from kernel.clock import utc_now
from runs.usage.amounts import money
from runs.usage.selectors import GROUPS, UsageReport

DEFAULT_DAYS: Final = 30
MAX_DAYS: Final = 366


class UsageQuery(Strict):
    """Query of usage: its period and its grouping."""

    to = serializers.DateField(required=False, help_text="The last day (UTC), included; today by default.")
    by = ChoiceList(
        words=tuple(GROUPS),
        noun="group",
        once=True,
        default=list(GROUPS),
        help_text="Grouping of the rows: one or more of `day`, `segment`, `model`, separated by commas.",
    )
    segment = serializers.CharField(required=False, max_length=64, help_text="Only of this segment_id.")
    model = serializers.CharField(required=False, max_length=200, help_text="Only of this model.")

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of the language."""
        help_text = f"The first day (UTC), included; {DEFAULT_DAYS - 1} days before the last by default."
        return {"from": serializers.DateField(required=False, help_text=help_text), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Fill in the days, and refuse a span that is none or too long."""
        last: date = attrs.pop("to", None) or utc_now().date()
        first: date = attrs.pop("from", None) or _days_before(last, DEFAULT_DAYS - 1)
        if first > last:
            raise _wrong_from("`from` is after `to`.", "EMPTY_SPAN")
        if (last - first).days >= MAX_DAYS:
            raise _wrong_from(f"At most {MAX_DAYS} days can be asked for at once.", "SPAN_TOO_LONG")
        return {**attrs, "first": first, "last": last}


class UsageSumsShape(serializers.Serializer[Any]):
    """Sums of model calls."""

    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField(help_text="An exact decimal text.")
    currency = serializers.CharField()
    estimated = serializers.BooleanField(help_text="Some tokens or prices in it are a guess.")
    unpriced_calls = serializers.IntegerField(help_text="Calls of unknown cost; not in `cost`.")
    tests = serializers.IntegerField(help_text="Calls of steps that were only tried out; they are in all sums.")


class UsageRowShape(UsageSumsShape):
    """A row of a usage report; what it does not tell apart is null."""

    day = serializers.DateField(allow_null=True)
    segment_id = serializers.CharField(allow_null=True)
    provider = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)


_SUMS_EXAMPLE: Final = {
    "calls": 12,
    "input_tokens": 4200,
    "output_tokens": 900,
    "cost": "0.00117",
    "currency": "USD",
    "estimated": True,
    "unpriced_calls": 0,
    "tests": 2,
}
USAGE_EXAMPLE: Final = {
    "from": "2026-07-01",
    "to": "2026-07-30",
    "data": [
        {
            "day": "2026-07-03",
            "segment_id": "return_desk",
            "provider": "openai",
            "model": "gpt-4o-mini",
            **_SUMS_EXAMPLE,
        }
    ],
    "totals": _SUMS_EXAMPLE,
}


@extend_schema_serializer(examples=[OpenApiExample("One day", USAGE_EXAMPLE, response_only=True)])
class UsageShape(serializers.Serializer[Any]):
    """Usage of a tenant."""

    to = serializers.DateField()
    data = UsageRowShape(many=True)  # type: ignore[assignment]  # the name callers see
    totals = UsageSumsShape()

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of the language."""
        return {"from": serializers.DateField(), **super().get_fields()}


class StepUsageShape(serializers.Serializer[Any]):
    """Usage of one activation's model calls, in all its attempts."""

    model_calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField(help_text="An exact decimal text.")
    currency = serializers.CharField()
    unpriced_calls = serializers.IntegerField()
    estimated = serializers.BooleanField()


def usage_body(report: UsageReport, *, first: date, last: date) -> dict[str, Any]:
    """Fill a ``UsageShape``."""
    names = ("day", "segment_id", "provider", "model")
    rows = [{**{name: row.get(name) for name in names}, **_sums_body(row)} for row in report.rows]
    return {"from": first, "to": last, "data": rows, "totals": _sums_body(report.totals)}


def _sums_body(sums: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "calls": sums["calls"],
        "input_tokens": sums["input_tokens"],
        "output_tokens": sums["output_tokens"],
        "cost": money(sums["cost"]),
        "currency": "USD",
        "estimated": sums["estimated_calls"] > 0,
        "unpriced_calls": sums["unpriced_calls"],
        "tests": sums["tests"],
    }


def _days_before(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))


def _wrong_from(sentence: str, code: str) -> serializers.ValidationError:
    return serializers.ValidationError({"from": [serializers.ErrorDetail(sentence, code)]})
