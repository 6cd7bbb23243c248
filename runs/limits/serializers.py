"""Serializers of limits."""

from dataclasses import asdict
from typing import Any, Final

from rest_framework import serializers

from foundation.requests import Strict
from runs.limits.selectors import Limit
from tenants.entitlements.effective import LimitSource
from tenants.entitlements.tiers import LIMITS
from tenants.models import LEAST_WEIGHT, MOST_WEIGHT

MOST: Final = 2**53 - 1


def check_decimals(weight: float) -> None:
    """Refuse a weight that is finer than what is kept."""
    if round(weight, 3) != weight:
        raise serializers.ValidationError("A weight has at most three decimals.")


class LimitShape(serializers.Serializer[Any]):
    """One limit, and how the tenant stands."""

    limit = serializers.CharField(
        help_text=", ".join(f"`{name}`" for name in LIMITS)
        + "; budgets: `run_tokens` and `run_cost` of each run, `daily_tokens` and `daily_cost` of all."
    )
    unit = serializers.CharField(help_text="`runs`, `steps`, `requests`, `streams`, `bytes`, `tokens` or `USD`.")
    cap = serializers.CharField(allow_null=True, help_text="An exact decimal text; null: no limit.")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # the name callers see
        choices=[source.value for source in LimitSource],
        help_text="Who says the number: an operator for this tenant, its licence, its tier, or the installation.",
    )
    used = serializers.CharField(
        allow_null=True, help_text="Null for a limit of each single run or segment, and where it cannot be told now."
    )
    held = serializers.CharField(allow_null=True, help_text="For calls in flight, beside what is used.")
    resets_at = serializers.DateTimeField(allow_null=True)
    raised_by = serializers.CharField(help_text="Who can raise it.")


class LimitsShape(serializers.Serializer[Any]):
    """The limits of a tenant."""

    data = LimitShape(many=True)  # type: ignore[assignment]  # the name callers see
    weight = serializers.FloatField(
        help_text="The tenant's share of the workers when runs have to wait: with 2 it executes twice as many as a "
        "tenant with 1. An operator sets it."
    )


class LimitsFields(Strict):
    """Limits set for one tenant."""

    limits = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=MOST, allow_null=True),
        required=False,
        default=dict,
        help_text="By name. Null is unlimited, 0 is zero.",
    )
    inherit = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        default=list,
        max_length=50,
        help_text="Names of limits to reset to the licence or the tier.",
    )
    weight = serializers.FloatField(
        required=False,
        min_value=float(LEAST_WEIGHT),
        max_value=float(MOST_WEIGHT),
        validators=[check_decimals],
        help_text="The tenant's share of the workers, with at most three decimals; it is 1 unless set. The next claim "
        "goes by it.",
    )


def limit_body(limit: Limit) -> dict[str, Any]:
    """Fill a ``LimitShape``."""
    return asdict(limit)
