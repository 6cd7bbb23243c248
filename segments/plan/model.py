"""The compiled form of a segment: what the core reads. Everything here is computed once per revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kernel.types import Json
from segments.catalog import Effect, Role
from segments.expressions import Expression

SEMANTICS = 5
"""Number of the rules by which tokens gather and failures travel; a run keeps the number it was started with."""
FIRST_SEMANTICS = 1
"""The rules before gatherings kept the frames that their tokens share; runs begun by them end by them."""
SECOND_SEMANTICS = 2
"""The rules before splits left joins of others alone and ladders held behind a way around them; likewise."""
THIRD_SEMANTICS = 3
"""The rules before steps with several ports waited for all that may still come to them; likewise."""
FOURTH_SEMANTICS = 4
"""The rules before passes of a loop came in their order and a step with ports kept its next start waiting; likewise."""
KNOWN_SEMANTICS = (FIRST_SEMANTICS, SECOND_SEMANTICS, THIRD_SEMANTICS, FOURTH_SEMANTICS, SEMANTICS)


class Strategy(StrEnum):
    """Firing strategies of a join."""

    ALL = "all"
    ANY = "any"
    FIRST = "first"
    QUORUM = "quorum"


class OnUnknown(StrEnum):
    """Actions on an external attempt whose owner was lost before its outcome was recorded."""

    RETRY = "retry"
    FAIL = "fail"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts of one activation: exponential with full jitter. Durations in seconds."""

    max_attempts: int = 4
    initial_seconds: float = 1.0
    factor: float = 2.0
    max_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class JoinPolicy:
    """The strategy of a join; ``count`` only with QUORUM.

    ``fails_early``: once a branch of an ALL has failed, nothing new is started on branches that lead only to the join.
    """

    strategy: Strategy = Strategy.ALL
    count: int | None = None
    fails_early: bool = True


def fails_early(join: JoinPolicy | None) -> bool:
    """Whether a gathering is certain to fail once one branch has; a step with several ports gathers like ALL."""
    return join is None or (join.strategy is Strategy.ALL and join.fails_early)


@dataclass(frozen=True, slots=True)
class PlanEdge:
    """One edge, its ports resolved to the card's names.

    ``source_ports`` has more than one port only for an edge without ``from_port`` out of a condition.
    """

    index: int
    source: str
    source_ports: tuple[str, ...]
    target: str
    target_port: str
    condition: Expression | None = None
    is_else: bool = False


@dataclass(frozen=True, slots=True)
class GatherPoint:
    """A place where tokens wait for each other: a join (``port`` is null), or one input port of a step with several.

    ``index`` numbers the points of a plan; ``Plan.reaches`` has bit ``1 << index`` for a step whose token may still
    come here. ``place`` is that of its step in the segment: of gatherings equally near the first takes a failure.
    ``group`` numbers its group; ``loop`` are the steps of the loop it stands in.

    ``keeps_shared``: the gathered token keeps the frames that all arrivals share; else it goes on below D's frame.
    ``closes``: no gathering of the same D lies behind this one; where one does, the gathered token keeps D's frame, so
    that the one behind can gather it with the other branches.
    """

    index: int
    place: int
    step_id: str
    port: str | None
    group: int
    loop: frozenset[str]
    keeps_shared: bool
    closes: bool


@dataclass(frozen=True, slots=True)
class GatherGroup:
    """The gatherings that share D and how they gather: a token that may come to several has the same keys at all.

    ``dominator`` (D) is the immediate dominator of each of the ``steps``, or lies at or before the split a join closes.
    ``by_item``: arrivals gather per item of D. ``points`` are bits.
    """

    index: int
    dominator: str | None
    by_item: bool
    steps: frozenset[str]
    points: int


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step, compiled. ``fact_ports`` are the outputs that expressions read as ``steps.<id>.<name>``.

    ``gathers`` are the bits of its points.
    """

    step_id: str
    order: int
    type_id: str
    version: str
    role: Role
    effect: Effect
    config: Mapping[str, Json]
    retry: RetryPolicy
    timeout_seconds: float | None
    on_unknown: OnUnknown
    input_ports: tuple[str, ...]
    primary_port: str
    port_aliases: Mapping[str, str]
    key_ports: tuple[str, ...]
    fact_ports: tuple[str, ...]
    edges: tuple[PlanEdge, ...]
    join: JoinPolicy | None
    items: bool
    points: tuple[GatherPoint, ...]
    gathers: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled revision. ``steps`` is in plan order: reverse post-order from the entrypoint.

    ``reaches`` has, per step, the points a token at this step may still come to; ``groups_reached`` the groups of
    those, ``groups_around`` the groups whose D the step is or stands behind; ``leads_only_to`` the points of
    gatherings that fail early and that every way from this step passes. ``comes_from`` has, per gathering step, the
    bits of the steps (by ``order``) from which a token may still come to it. ``empty_joins`` has, per split, the
    joins that an empty list of items goes straight to. ``spans`` numbers the dominator tree: a step's own number and
    the highest below it. ``dominators`` are the steps that are D of a gathering; none before the fifth semantics.
    ``referenced`` are the steps some expression reads by ``steps.<id>``: all of them once one expression names them
    in a way that cannot be foreseen; and those that wait for a call, whose links depend on what was before.
    ``called`` are those whose ``resume_url`` an expression may read.
    """

    semantics: int
    segment_id: str
    entrypoint: str
    entry_port: str
    steps: Mapping[str, PlanStep]
    exits: tuple[str, ...]
    points: tuple[GatherPoint, ...]
    groups: tuple[GatherGroup, ...]
    reaches: Mapping[str, int]
    groups_reached: Mapping[str, int]
    groups_around: Mapping[str, int]
    leads_only_to: Mapping[str, int]
    comes_from: Mapping[str, int]
    empty_joins: Mapping[str, tuple[str, ...]]
    spans: Mapping[str, tuple[int, int]]
    dominators: frozenset[str]
    referenced: frozenset[str]
    called: frozenset[str]
    max_activations_per_step: int
    max_activations_per_run: int
    max_parallel_steps: int
    timeout_seconds: float

    def dominates(self, upper: str | None, lower: str) -> bool:
        """Whether every way from the entrypoint to ``lower`` passes ``upper``; a step does not dominate itself.

        None stands before the entrypoint and dominates every step.
        """
        if upper is None:
            return True
        first, last = self.spans[upper]
        return first < self.spans[lower][0] <= last
