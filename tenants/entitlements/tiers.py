"""Table of tiers: the limits and features each gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TIERS: Final = ("free", "starter", "professional", "enterprise")
UNLIMITED: Final = None


@dataclass(frozen=True, slots=True)
class LimitDefinition:
    """One limit of tenants.

    Attributes:
        name: As the API and licences write it.
        unit: What is counted.
        by_tier: Its number in each tier that has one; where none stands the installation's default holds.
        enforced_at: Where what is beyond it is refused, or waits.
        meaning: One sentence for people.
    """

    name: str
    unit: str
    by_tier: Mapping[str, int]
    enforced_at: str
    meaning: str


_DEFINITIONS: Final = (
    LimitDefinition(
        "concurrent_runs",
        "runs",
        {"free": 1, "starter": 2, "professional": 10},
        "claim",
        "Runs that execute at the same time; more wait for a slot. Runs that wait for people, times or calls do not "
        "count.",
    ),
    LimitDefinition(
        "runs_per_day",
        "runs",
        {"free": 100, "starter": 1_000, "professional": 10_000},
        "start",
        "Runs started in a day (UTC), replays and tests of steps included.",
    ),
    LimitDefinition(
        "steps_per_segment",
        "steps",
        {"free": 5, "starter": 10, "professional": 50, "enterprise": 1_000},
        "start",
        "Steps of a segment that may be started; larger ones can be saved.",
    ),
    LimitDefinition(
        "requests_per_minute",
        "requests",
        {"free": 60, "starter": 300, "professional": 1_500},
        "before the body is read",
        "Requests to the API in a minute, by all keys and tokens together.",
    ),
    LimitDefinition(
        "storage_bytes",
        "bytes",
        {"free": 10**9, "starter": 10 * 10**9, "professional": 100 * 10**9},
        "start",
        "Bytes of inputs and journals of all runs that are kept. Runs under way finish.",
    ),
    LimitDefinition(
        "open_streams",
        "streams",
        {"free": 10, "starter": 50, "professional": 500, "enterprise": 2_000},
        "accept",
        "Event streams and WebSockets open at the same time.",
    ),
    LimitDefinition(
        "waiting_requests",
        "requests",
        {"free": 10, "starter": 50, "professional": 500, "enterprise": 2_000},
        "accept",
        "Requests under way that wait for a run.",
    ),
)

LIMITS: Final[Mapping[str, LimitDefinition]] = {one.name: one for one in _DEFINITIONS}

THIRD_PARTY_STEP_TYPES: Final = "third_party_step_types"
OWN_IDENTITY_PROVIDER: Final = "own_identity_provider"
_FREE: Final = ("transform", "condition", "wait", "fail", "llm_agent")
_STARTER: Final = (*_FREE, "parallel_split", "parallel_join")
_PROFESSIONAL: Final = (*_STARTER, "http_action", "human_task")
FEATURES: Final = (*_PROFESSIONAL, THIRD_PARTY_STEP_TYPES, OWN_IDENTITY_PROVIDER)
"""Each step type of ours, all those of others together, and what else a tier opens."""
FEATURES_OF_TIERS: Final[Mapping[str, frozenset[str]]] = {
    "free": frozenset(_FREE),
    "starter": frozenset(_STARTER),
    "professional": frozenset(_PROFESSIONAL),
    "enterprise": frozenset(FEATURES),
}


def feature_of(type_id: str) -> str:
    """Name the feature that opens a step type."""
    return type_id if type_id in _PROFESSIONAL else THIRD_PARTY_STEP_TYPES


def first_tier_with(feature: str) -> str:
    """Name the lowest tier that opens a feature."""
    return next(tier for tier in TIERS if feature in FEATURES_OF_TIERS[tier])
