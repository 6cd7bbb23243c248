"""Effective entitlements of a tenant: each limit with where its number comes from, and the step types it may start."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tenants.entitlements.tiers import FEATURES_OF_TIERS, LIMITS, feature_of


class LimitSource(StrEnum):
    """Source of a limit's number; the first that says one holds."""

    OVERRIDE = "override"
    LICENCE = "licence"
    TIER = "tier"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True)
class LicensedTerms:
    """Terms of a licence or a trial that is in force.

    Attributes:
        tier: One of ``TIERS``.
        limits: The limits it names itself; None is unlimited.
        features: Those it opens beside its tier's.
    """

    tier: str
    limits: Mapping[str, int | None]
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OperatorChoices:
    """Settings of an operator for one tenant.

    Attributes:
        limits: By name; None is unlimited, 0 is zero.
        allowed: Step types the tenant may use whatever its tier says.
        blocked: Step types it may not use whatever its tier says.
    """

    limits: Mapping[str, int | None]
    allowed: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EffectiveLimit:
    """One limit as it holds; ``value`` None is unlimited, 0 is zero."""

    value: int | None
    source: LimitSource


@dataclass(frozen=True, slots=True)
class Entitlements:
    """Limits and features of a tenant, as they hold now."""

    tier: str
    limits: Mapping[str, EffectiveLimit]
    features: frozenset[str]
    allowed: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()

    def limit(self, name: str) -> int | None:
        """Return a limit's number; None is unlimited."""
        return self.limits[name].value

    def may_use(self, type_id: str) -> bool:
        """Whether a step of the type may be started."""
        if type_id in self.blocked:
            return False
        return type_id in self.allowed or feature_of(type_id) in self.features


def effective_entitlements(
    *,
    choices: OperatorChoices,
    terms: LicensedTerms | None,
    default_tier: str,
    installation: Mapping[str, int | None],
) -> Entitlements:
    """Put together what a tenant may use: by the operator, else its licence, else its tier, else the installation.

    Args:
        choices: Set for this tenant.
        terms: Of its licence or trial in force; None where it has none.
        default_tier: The tier of tenants without one.
        installation: Each limit's number where nobody says another.
    """
    tier = default_tier if terms is None else terms.tier
    of_licence = {} if terms is None else terms.limits
    features = FEATURES_OF_TIERS[tier] | (frozenset() if terms is None else terms.features)
    sources = (
        (LimitSource.OVERRIDE, choices.limits),
        (LimitSource.LICENCE, of_licence),
        (LimitSource.TIER, {name: one.by_tier[tier] for name, one in LIMITS.items() if tier in one.by_tier}),
        (LimitSource.INSTALLATION, installation),
    )
    limits = {
        name: next(EffectiveLimit(numbers[name], source) for source, numbers in sources if name in numbers)
        for name in LIMITS
    }
    return Entitlements(tier, limits, features, choices.allowed, choices.blocked)
