"""The compiled graph: what a revision means to the core."""

from segments.plan.graph import Graph
from segments.plan.model import (
    GatherPoint,
    JoinPolicy,
    OnUnknown,
    Plan,
    PlanEdge,
    PlanStep,
    RetryPolicy,
    Strategy,
)

__all__ = ["GatherPoint", "Graph", "JoinPolicy", "OnUnknown", "Plan", "PlanEdge", "PlanStep", "RetryPolicy", "Strategy"]
