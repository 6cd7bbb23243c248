"""A segment that is being drawn, and the expressions its steps have."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

PORTS = ("left", "middle", "right")
PLAIN = "str(input).replace('\"', '')"
FAILS = "input.nope"


class End(NamedTuple):
    """Where the next edge leaves: a step, its port, a condition."""

    step: str
    port: str | None = None
    condition: str | None = None


Ends = list[End]


@dataclass
class Draft:
    """Steps and edges so far. ``size`` is about how many steps there are to be."""

    random: Random
    size: int
    steps: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether no more is to be begun."""
        return len(self.steps) >= self.size

    def chance(self, share: float) -> bool:
        """Whether something happens that happens so often."""
        return self.random.random() < share

    def step(self, type_id: str, ends: Ends, port: str | None = None, /, **config: Any) -> str:
        """Add a step behind ends; ``$`` in an expression is its id."""
        step_id = f"s{len(self.steps) + 1}"
        filled = {
            key: value.replace("$", step_id) if isinstance(value, str) else value for key, value in config.items()
        }
        self.steps.append({"step_id": step_id, "type": type_id, "name": step_id, "config": filled})
        self.link(ends, step_id, port)
        return step_id

    def link(self, ends: Ends, target: str, port: str | None = None) -> None:
        """Add edges."""
        for end in ends:
            edge = {"from": end.step, "to": target, "from_port": end.port, "to_port": port, "condition": end.condition}
            self.edges.append({key: value for key, value in edge.items() if value is not None})

    def work(self, ends: Ends, expression: str = "") -> Ends:
        """Add a transform; without an expression it writes its name around its input."""
        return [End(self.step("transform", ends, expression=expression or f"'$(' + {PLAIN} + ')'"))]

    def with_ports(self, groups: list[Ends]) -> Ends:
        """Add a transform with an input port for each group of ends."""
        ports = PORTS[: len(groups)]
        parts = " + '&' + ".join(f"str(get(inputs, '{port}', '-')).replace('\"', '')" for port in ports)
        step_id = self.step("transform", [], expression=f"'$<' + {parts} + '>'")
        self.steps[-1]["ports"] = {"input": list(ports), "output": ["output"]}
        for port, ends in zip(ports, groups, strict=True):
            self.link(ends, step_id, port)
        return [End(step_id)]

    def split(self, ends: Ends, branches: int, **config: Any) -> Ends:
        """Add a split; an end a branch."""
        step_id = self.step("parallel_split", ends, branches=max(2, branches), **config)
        ports = [f"branch_{number + 1}" for number in range(max(2, branches))]
        self.steps[-1]["ports"] = {"input": ["input"], "output": ports}
        return [End(step_id, port) for port in ports[:branches]]

    def join(self, groups: list[Ends], strategy: str = "all", **config: Any) -> Ends:
        """Add a join, with or without somebody who takes its failure."""
        step_id = self.step("parallel_join", [], merge_strategy=strategy, **config)
        for number, ends in enumerate(groups):
            self.link(ends, step_id, f"branch_{number + 1}" if self.chance(0.8) else None)
        return [End(step_id), *(self.rescue(step_id) if self.chance(0.25) else [])]

    def rescue(self, step_id: str) -> Ends:
        """Take a step's failure; what comes of it goes on, or not."""
        taken = self.work([End(step_id, "error")], "'$!' + input.code + '@' + input.step_id")
        return taken if self.chance(0.8) else []

    def some_length(self, name: str = "input") -> str:
        """A condition that some values meet."""
        divisor = self.random.choice([2, 2, 3, 4])
        return f"len(str({name})) % {divisor} == {self.random.randrange(divisor)}"

    def segment(self) -> dict[str, Any]:
        """The document."""
        return {
            "version": "1.0",
            "segment_id": "generated",
            "name": "Generated",
            "entrypoint": "s1",
            "params": {"max_retries": 0, "timeout_seconds": 300, "parallel_execution": True},
            "steps": self.steps,
            "edges": self.edges,
        }
