"""State of a run: tokens, gatherings, activations, values. Built by folding events, never saved."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from kernel.types import Json
from runs.core.events import Ref, emitted
from runs.core.frames import Frame, Key, Mark, Stack
from segments.plan import GatherGroup, Plan, PlanStep

RegionKey = tuple[int, Key]
"""Index of a group of gatherings, and a key under which a token may still come to one of them."""

KeptUnder = tuple[int, Key | tuple[Frame | Mark | None, ...]]
"""Under what an input port keeps its last value: index of the gather point, and what its starts share."""


class TokenPlace(StrEnum):
    """Places of a token."""

    READY = "ready"
    ACTIVE = "active"
    GATHERING = "gathering"
    GONE = "gone"


class TokenHistory(NamedTuple):
    """History of a token.

    Attributes:
        lineage: Per referenced step, the event of its latest activation upstream.
        through: Per step that is the D of some gathering, the number of that activation.
        age: How many activations stand one behind the other on the token's longest way: what an earlier pass of a loop
            sent is younger, whenever it comes.
    """

    lineage: Mapping[str, int] = {}
    through: Mapping[str, int] = {}
    age: int = 0


def latest_of(numbers: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    """Return the highest number of each step."""
    latest: dict[str, int] = {}
    for of_one in numbers:
        for step_id, number in of_one.items():
            latest[step_id] = max(number, latest.get(step_id, 0))
    return latest


@dataclass(slots=True, eq=False)
class Token:
    """A thread of control.

    ``inputs`` are the references by input port once the token may start its step; ``error`` instead when the step is
    to fail by rule, and then ``failed_at`` has the gatherings the failure has passed. ``home`` is the gathering it
    waits in, ``regions`` are those that hold it, of each group the innermost.
    """

    number: int
    step_id: str
    stack: Stack
    past: TokenHistory
    inputs: Mapping[str, Json] = field(default_factory=dict)
    error: Mapping[str, Json] | None = None
    place: TokenPlace = TokenPlace.READY
    activation: int = 0
    home: "GatheringKey | None" = None
    regions: "tuple[Region, ...]" = field(default=(), repr=False)
    failed_at: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Arrival:
    """A token in a gathering: what it brought, by which edge; ``error`` when its branch failed."""

    token: Token
    edge: int
    ref: Ref | None
    error: Mapping[str, Json] | None = None


@dataclass(slots=True)
class Gathering:
    """Tokens that wait for each other at one step under one key.

    ``queues`` has the arrivals by index of the gather point. ``fired``: how often a step with several ports has started
    from what was there at once; ``own`` the stack up to the frame of D that its starts for one item go on with.
    """

    step_id: str
    key: Key
    queues: dict[int, list[Arrival]] = field(default_factory=dict)
    succeeded: int = 0
    fired: int = 0
    own: Stack | None = None


@dataclass(slots=True, eq=False)
class Region:
    """The tokens that may still come to the gatherings of one group under one key.

    Those under a longer key are in a region within, ``inner``. Of its own tokens those on their way are kept by step,
    those that gather by step and gathering, each by its number: all of one step reach the same.

    ``reached`` are the bits of the points that tokens on their way here or within may come to, too many once one
    has left (``is_stale``); ``propagated`` is what ``outer`` knows of them, ``within`` counts what the regions within
    have propagated. ``gather_at`` has the steps at which tokens gather, and in how many places: here, and in each
    region within; ``gathering`` are the bits of these steps.
    """

    group: GatherGroup
    key: Key
    outer: "Region | None" = field(repr=False)
    running: dict[str, dict[int, Token]] = field(default_factory=dict)
    waiting: dict[str, "dict[GatheringKey, dict[int, Token]]"] = field(default_factory=dict)
    inner: "dict[Region, None]" = field(default_factory=dict)
    reached: int = 0
    is_stale: bool = False
    propagated: int = 0
    within: dict[int, int] = field(default_factory=dict)
    gather_at: dict[str, int] = field(default_factory=dict)
    gathering: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether no token is left here or within."""
        return not (self.running or self.waiting or self.inner)


class Phase(StrEnum):
    """Phases of a started activation."""

    RUNNING = "running"
    RETRYING = "retrying"
    PARKED = "parked"


@dataclass(slots=True)
class Activation:
    """A started activation without an outcome: since when, and how many attempts count for its retry policy."""

    step_id: str
    activation: int
    token: Token
    attempt: int
    started_seq: int
    began_at: float = 0.0
    consumed: int = 0
    phase: Phase = Phase.RUNNING

    @property
    def inputs(self) -> Mapping[str, Json]:
        """References by input port."""
        return self.token.inputs


ActivationKey = tuple[str, int]
GatheringKey = tuple[str, Key]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts of a run for expressions: its id, its start, its tenant's short name."""

    run_id: str = ""
    started_at: float = 0.0
    tenant: str = ""


@dataclass(slots=True)
class State:
    """The run as its journal tells it. Only ``apply`` changes it.

    Attributes:
        routed_failures: Failures that an edge took, by their event: the event of the step's success before, if any.
        active: Started activations without an outcome, oldest first.
        activations: How many activations were started or rejected in all.
        root: The empty scope stack, on which all others stand.
        changed: The regions that tokens have come to or left since gatherings were settled last.
        failing: Gatherings that are certain to fail once the attempts in flight have ended.
        over: Whether the run has ended.
        failure: The error that ends the run, once there is one.
        edge_errors: The first failures of error edges: of each a step's failure was taken by none.
    """

    plan: Plan
    root: Stack
    values: dict[int, dict[str, Json]] = field(default_factory=dict)
    items: dict[int, list[Json]] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    ready: deque[Token] = field(default_factory=deque)
    active: dict[ActivationKey, Activation] = field(default_factory=dict)
    to_cancel: dict[ActivationKey, str] = field(default_factory=dict)
    gatherings: dict[GatheringKey, Gathering] = field(default_factory=dict)
    regions: dict[RegionKey, Region] = field(default_factory=dict)
    changed: dict[Region, None] = field(default_factory=dict)
    kept: dict[KeptUnder, tuple[Ref, Token]] = field(default_factory=dict)
    unsettled: dict[GatheringKey, None] = field(default_factory=dict)
    failing: set[GatheringKey] = field(default_factory=set)
    stuck: dict[GatheringKey, None] = field(default_factory=dict)
    run_input: Json = None
    tokens_made: int = 0
    activations: int = 0
    running: int = 0
    facts: RunFacts = RunFacts()
    routed_failures: dict[int, int | None] = field(default_factory=dict)
    over: bool = False
    failure: Mapping[str, Json] | None = None
    edge_errors: list[Mapping[str, Json]] = field(default_factory=list)

    def value(self, ref: Mapping[str, Json]) -> Json:
        """Read the value a reference of a ``step.started`` payload names."""
        seq, item = ref["seq"], ref.get("item")
        if not isinstance(seq, int):
            raise TypeError("a reference names its event by number")
        return self.items[seq][item] if isinstance(item, int) else self.values[seq][str(ref["port"])]

    def forget(self) -> None:
        """Let go of everything large, as a run does that is over: garbage in cycles would stay for long."""
        self.run_input = None
        for region in self.regions.values():
            for tokens in (region.running, region.waiting, region.inner):
                tokens.clear()
        for kept in (self.values, self.items, self.ready, self.active, self.gatherings, self.regions, self.kept):
            kept.clear()

    def output_of(self, step_id: str, seq: int | None = None) -> Json:
        """Read what a step emitted last (or at ``seq``): its primary port's value, else its first port's; else null."""
        at = self.latest.get(step_id) if seq is None else seq
        if at is None:
            return None
        return primary_value(self.plan.steps[step_id], self.values[at])

    def output(self) -> Json:
        """Read the run's output: the value of the one step without outgoing edges, else an object of all of them."""
        exits = self.plan.exits
        if len(exits) == 1:
            return self.output_of(exits[0])
        return {step_id: self.output_of(step_id) for step_id in exits if step_id in self.latest}


def new_state(plan: Plan, facts: RunFacts | None = None) -> State:
    """Return the state of a run of whose journal nothing is known yet."""
    return State(plan, Stack(plan.groups_around), facts=facts or RunFacts())


def input_values(state: State, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """Read the values by input port that a ``step.started`` payload names; a join's are arrays."""
    return {
        port: [state.value(one) for one in ref if isinstance(one, dict)] if isinstance(ref, list) else state.value(ref)
        for port, ref in inputs.items()
        if isinstance(ref, dict | list)
    }


def primary_value(step: PlanStep, ports: Mapping[str, Json]) -> Json:
    """Read the value of a step's primary port among those it emitted; else of its first; else null."""
    return ports[step.primary_port] if step.primary_port in ports else next(iter(ports.values()), None)


def step_facts(step: PlanStep, ports: Mapping[str, Json]) -> dict[str, Json]:
    """Give what ``steps.<id>`` is of what a step emitted: its output, and the ports of its card that are facts."""
    return {"output": primary_value(step, ports), **{name: ports[name] for name in step.fact_ports if name in ports}}


def remember(state: State, step_id: str, seq: int, payload: Mapping[str, Json]) -> None:
    """Keep what an activation emitted."""
    state.values[seq] = emitted(payload)
    items = payload.get("items")
    if isinstance(items, list):
        state.items[seq] = items
    state.latest[step_id] = seq
