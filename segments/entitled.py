"""Findings about steps that a tenant's tier does not include. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from kernel.types import Json
from segments.definition import Finding, Severity
from segments.validation import Validation
from tenants.entitlements.effective import Entitlements
from tenants.entitlements.tiers import feature_of, first_tier_with
from tenants.limits.errors import LimitUsedUp, NotIncluded


def not_included(steps: Iterable[tuple[str, str]], entitlements: Entitlements) -> list[Finding]:
    """Find the steps a tenant may not start.

    Args:
        steps: Step id and type of each, in the order of the definition.
        entitlements: What the tenant may use.

    Returns:
        A finding for each, which blocks starting, not saving.
    """
    return [
        _finding(place, step_id, type_id, entitlements)
        for place, (step_id, type_id) in enumerate(steps)
        if not entitlements.may_use(type_id)
    ]


def within_limits(validation: Validation, entitlements: Entitlements) -> Validation:
    """Add to a verdict what a tenant's limits refuse at the start."""
    if validation.segment is None:
        return validation
    steps = validation.segment.steps
    found = not_included(((step.step_id, step.type) for step in steps), entitlements)
    most = entitlements.limit("steps_per_segment")
    if most is not None and len(steps) > most:
        message = f"The segment has {len(steps)} steps; this tenant may start segments of at most {most}."
        found.insert(0, Finding(Severity.ERROR, LimitUsedUp.code, message, "/steps"))
    return Validation((*found, *validation.findings), validation.segment, validation.valid and not found)


def catalog_within_limits(catalog: Mapping[str, Any], entitlements: Entitlements) -> dict[str, Any]:
    """Add to each card of a catalog whether the tenant may start steps of its type, and why not."""
    types = {type_id: {**card, **_offer(type_id, entitlements)} for type_id, card in catalog["types"].items()}
    return {**catalog, "types": types}


def _offer(type_id: str, entitlements: Entitlements) -> dict[str, Json]:
    included = entitlements.may_use(type_id)
    return {"included": included, "reason": None if included else _why_not(type_id, entitlements)}


def _finding(place: int, step_id: str, type_id: str, entitlements: Entitlements) -> Finding:
    blocked = type_id in entitlements.blocked
    hint = (
        "Ask the operator."
        if blocked
        else f"The tier {first_tier_with(feature_of(type_id))} includes it; ask the operator."
    )
    message = _why_not(type_id, entitlements)
    return Finding(Severity.ERROR, NotIncluded.code, message, f"/steps/{place}/type", step_id=step_id, hint=hint)


def _why_not(type_id: str, entitlements: Entitlements) -> str:
    if type_id in entitlements.blocked:
        return f"The operator has blocked {type_id} for this tenant."
    return f"The tier {entitlements.tier} does not include {type_id}."
