"""The compiled graph: what a revision means to the core."""

from segments.graph import Graph
from segments.plan.model import (
    FIRST_SEMANTICS,
    FOURTH_SEMANTICS,
    KNOWN_SEMANTICS,
    SECOND_SEMANTICS,
    SEMANTICS,
    THIRD_SEMANTICS,
    GatherGroup,
    GatherPoint,
    JoinPolicy,
    OnUnknown,
    Plan,
    PlanEdge,
    PlanStep,
    RetryPolicy,
    Strategy,
    fails_early,
)

__all__ = [
    "FIRST_SEMANTICS",
    "FOURTH_SEMANTICS",
    "KNOWN_SEMANTICS",
    "SECOND_SEMANTICS",
    "SEMANTICS",
    "THIRD_SEMANTICS",
    "GatherGroup",
    "GatherPoint",
    "Graph",
    "JoinPolicy",
    "OnUnknown",
    "Plan",
    "PlanEdge",
    "PlanStep",
    "RetryPolicy",
    "Strategy",
    "fails_early",
]
