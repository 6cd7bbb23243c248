"""Serializers of licences."""

from typing import Any, Final

from django.conf import settings
from rest_framework import serializers

from foundation.requests import Strict
from kernel.clock import utc_now
from tenants.entitlements.tiers import TIERS
from tenants.licences.ladder import LicenceState, standing
from tenants.licences.selectors import Licensing
from tenants.licences.services import TRIAL_DAYS, TRIAL_TIER
from tenants.licences.signatures import MAX_TRIAL_DAYS
from tenants.licences.terms import Licence

NO_LICENCE: Final = "none"
STANDINGS: Final = (NO_LICENCE, *(state.value for state in LicenceState))
MAX_SENT: Final = 100_000
"""Letters of a text that is looked at."""


class LicenceShape(serializers.Serializer[Any]):
    """A licence or a trial."""

    licence_id = serializers.CharField()
    is_trial = serializers.BooleanField(help_text="Whether it is lent by the installation, not sold.")
    tier = serializers.ChoiceField(choices=TIERS)
    limits = serializers.DictField(
        child=serializers.IntegerField(allow_null=True),
        help_text="Those it names itself, beside its tier's; null is unlimited.",
    )
    features = serializers.ListField(child=serializers.CharField(), help_text="Those it opens beside its tier's.")
    holder = serializers.CharField()
    until = serializers.DateField(help_text="Its last day (UTC), all of which it covers.")
    standing = serializers.ChoiceField(choices=STANDINGS)
    days_left = serializers.IntegerField(help_text="Until its last day, which is 0.")
    ends_at = serializers.DateTimeField()
    works_until = serializers.DateTimeField(help_text="A day after its end: until then all works as before.")

    def get_fields(self) -> dict[str, Any]:
        """Add the one whose name Python keeps for itself."""
        return {**super().get_fields(), "from": serializers.DateField(help_text="Its first day (UTC).")}


class LicensingShape(serializers.Serializer[Any]):
    """Licences of a tenant, and how the one that counts stands."""

    tier = serializers.ChoiceField(choices=TIERS, help_text="The tier that holds now.")
    default_tier = serializers.CharField(help_text="The tier without a licence.")
    standing = serializers.ChoiceField(choices=STANDINGS)
    licence = LicenceShape(allow_null=True, help_text="The one in force; where there is none, the last one.")
    next = LicenceShape(allow_null=True, help_text="The next one that begins.")
    trial_used = serializers.BooleanField(help_text="Whether the tenant has had its trial; there is one, ever.")


class LicenceFields(Strict):
    """A licence to install."""

    licence = serializers.CharField(
        max_length=MAX_SENT,
        trim_whitespace=False,
        help_text="The whole text with its signature, as the vendor sent it.",
    )


class TrialTerms(Strict):
    """The terms of a trial; other than the usual ones only an operator gives."""

    days = serializers.IntegerField(
        default=TRIAL_DAYS, min_value=1, max_value=MAX_TRIAL_DAYS, help_text="Whole days after today (UTC)."
    )
    tier = serializers.ChoiceField(choices=TIERS, default=TRIAL_TIER)


def licensing_body(found: Licensing) -> dict[str, Any]:
    """Fill a ``LicensingShape``."""
    holding = found.in_force
    return {
        "tier": settings.DEFAULT_TIER if holding is None else holding.tier,
        "default_tier": settings.DEFAULT_TIER,
        "standing": NO_LICENCE if found.standing is None else found.standing.state.value,
        "licence": None if found.current is None else _licence_body(found.current),
        "next": None if found.next_one is None else _licence_body(found.next_one),
        "trial_used": found.has_had_trial,
    }


def _licence_body(licence: Licence) -> dict[str, Any]:
    stands = standing(licence, utc_now())
    return {
        "licence_id": licence.licence_id,
        "is_trial": licence.is_trial,
        "tier": licence.tier,
        "limits": dict(licence.limits),
        "features": list(licence.features),
        "holder": licence.holder,
        "from": licence.first_day,
        "until": licence.last_day,
        "standing": stands.state.value,
        "days_left": stands.days_left,
        "ends_at": stands.ends_at,
        "works_until": stands.works_until,
    }
