"""The compiled form of a segment: what the core reads. Everything here is computed once per revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kernel.values import Json
from segments.catalog import Effect, Role
from segments.expressions import Expression


class Strategy(StrEnum):
    """When a join fires."""

    ALL = "all"
    ANY = "any"
    FIRST = "first"
    QUORUM = "quorum"


class OnUnknown(StrEnum):
    """What to do with an external attempt whose owner was lost before its outcome was recorded."""

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
    """The strategy of a join; ``count`` only with QUORUM."""

    strategy: Strategy = Strategy.ALL
    count: int | None = None


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
    come here. ``dominator`` is the step's immediate dominator, or the split a join closes; ``loop`` the
    steps of the loop it stands in.
    """

    index: int
    step_id: str
    port: str | None
    dominator: str | None
    loop: frozenset[str]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step, compiled."""

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
    edges: tuple[PlanEdge, ...]
    join: JoinPolicy | None
    items: bool
    points: tuple[GatherPoint, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled revision. ``steps`` is in plan order: reverse post-order from the entrypoint.

    ``reaches`` has, per step, the points a token at this step may still come to. ``spans`` numbers the dominator tree:
    a step's own number and the highest below it. ``referenced`` are the steps some expression reads by
    ``steps.<id>``: all of them once one expression names them in a way that cannot be foreseen.
    """

    segment_id: str
    entrypoint: str
    entry_port: str
    steps: Mapping[str, PlanStep]
    exits: tuple[str, ...]
    points: tuple[GatherPoint, ...]
    reaches: Mapping[str, int]
    spans: Mapping[str, tuple[int, int]]
    referenced: frozenset[str]
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
