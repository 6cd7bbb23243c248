"""The contract's nouns, frozen: a segment as it was read, and its one canonical spelling."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kernel import canonical
from kernel.types import Json

CONTRACT_VERSION = "1.0"
MAX_STEPS = 1_000
MAX_EDGES = 4_000
MAX_RUN_ACTIVATIONS = 10_000
DEFAULT_STEP_ACTIVATIONS = 1_000
DEFAULT_PARALLEL_STEPS = 64


@dataclass(frozen=True, slots=True)
class Retry:
    """A step's own retry policy: exponential with full jitter. Durations in seconds."""

    max_attempts: int = 4
    initial_seconds: float = 1
    factor: float = 2
    max_seconds: float = 60
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Write the whole policy."""
        return {
            "max_attempts": self.max_attempts,
            "initial_seconds": self.initial_seconds,
            "factor": self.factor,
            "max_seconds": self.max_seconds,
            **self.extra,
        }


@dataclass(frozen=True, slots=True)
class Ports:
    """The port names a step declares; None means "not declared"."""

    input: tuple[str, ...] | None = None
    output: tuple[str, ...] | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Write what is declared."""
        declared = {"input": self.input, "output": self.output}
        return {**{side: list(names) for side, names in declared.items() if names is not None}, **self.extra}


@dataclass(frozen=True, slots=True)
class Step:
    """One node. ``extra`` holds the keys the contract does not know; they survive a round trip."""

    step_id: str
    type: str
    name: str = ""
    config: Mapping[str, Json] = field(default_factory=dict)
    ports: Ports = field(default_factory=Ports)
    position: Mapping[str, Json] | None = None
    ui: Mapping[str, Json] | None = None
    retry: Retry | None = None
    timeout_seconds: float | None = None
    on_unknown: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Write the step in the canonical spelling."""
        ports = self.ports.to_dict()
        return {
            "step_id": self.step_id,
            "type": self.type,
            **({"name": self.name} if self.name else {}),
            "config": dict(self.config),
            **({"ports": ports} if ports else {}),
            **_present(
                position=None if self.position is None else dict(self.position),
                ui=None if self.ui is None else dict(self.ui),
                retry=None if self.retry is None else self.retry.to_dict(),
                timeout_seconds=self.timeout_seconds,
                on_unknown=self.on_unknown,
            ),
            **self.extra,
        }


@dataclass(frozen=True, slots=True)
class Edge:
    """One connection. A port that is None was not written: what it means depends on the steps' types."""

    source: str
    target: str
    source_port: str | None = None
    target_port: str | None = None
    condition: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Write the edge in the canonical spelling."""
        return {
            "from": self.source,
            **_present(from_port=self.source_port),
            "to": self.target,
            **_present(to_port=self.target_port, condition=self.condition),
            **self.extra,
        }


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters of a whole segment. ``max_activations`` is each step's share of a run's activations."""

    max_retries: int = 3
    timeout_seconds: float = 300
    parallel_execution: bool = False
    max_activations: int | None = None
    max_parallel_steps: int = DEFAULT_PARALLEL_STEPS
    extra: Mapping[str, Json] = field(default_factory=dict)

    @property
    def max_activations_per_step(self) -> int:
        """The most activations one step may have in a run."""
        return DEFAULT_STEP_ACTIVATIONS if self.max_activations is None else self.max_activations

    @property
    def max_activations_per_run(self) -> int:
        """The most activations a run may have in all."""
        return MAX_RUN_ACTIVATIONS

    def to_dict(self) -> dict[str, Json]:
        """Write the contract's three always, ours when they are not the default."""
        parallel = None if self.max_parallel_steps == DEFAULT_PARALLEL_STEPS else self.max_parallel_steps
        return {
            "max_retries": self.max_retries,
            "timeout_seconds": self.timeout_seconds,
            "parallel_execution": self.parallel_execution,
            **_present(max_activations=self.max_activations, max_parallel_steps=parallel),
            **self.extra,
        }


@dataclass(frozen=True, slots=True)
class SegmentDefinition:
    """A whole graph. Values inside ``config``, ``metadata`` and the like are normalised plain JSON, never changed."""

    segment_id: str
    name: str
    entrypoint: str
    steps: tuple[Step, ...]
    edges: tuple[Edge, ...] = ()
    description: str = ""
    params: Params = field(default_factory=Params)
    metadata: Mapping[str, Json] = field(default_factory=dict)
    input_schema: Mapping[str, Json] | None = None
    output_schema: Mapping[str, Json] | None = None
    version: str = CONTRACT_VERSION
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Write the canonical spelling. Reading it again gives an equal segment."""
        return {
            "version": self.version,
            "segment_id": self.segment_id,
            "name": self.name,
            "description": self.description,
            "entrypoint": self.entrypoint,
            "params": self.params.to_dict(),
            "steps": [step.to_dict() for step in self.steps],
            "edges": [edge.to_dict() for edge in self.edges],
            "metadata": dict(self.metadata),
            **_present(
                input_schema=None if self.input_schema is None else dict(self.input_schema),
                output_schema=None if self.output_schema is None else dict(self.output_schema),
            ),
            **self.extra,
        }


def content_hash(segment: SegmentDefinition) -> str:
    """Return the SHA-256 of the segment's canonical spelling, as 64 hex digits. Equal content, equal hash."""
    return canonical.content_hash(segment.to_dict())


def _present(**values: Json) -> dict[str, Json]:
    """Keep the keys that have a value."""
    return {key: value for key, value in values.items() if value is not None}
