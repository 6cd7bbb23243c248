"""Random segments for property tests: any graph, and well-nested ones whose joins close their own splits."""

from dataclasses import dataclass, field
from random import Random

from kernel.types import Json
from runs.steps.parallel_join import ParallelJoin
from runs.steps.parallel_split import ParallelSplit
from segments.catalog import Catalog, Effect, Port, StepConfig, StepType
from segments.definition import read_segment
from segments.plan import SEMANTICS, Plan
from segments.plan.compilation import compile_plan


def stand_in(type_id: str, *outputs: str, facts: tuple[str, ...] = ()) -> StepType:
    """A step type for graphs: any config, any inputs, the given output ports, some of them facts."""
    return StepType(
        type_id=type_id,
        display_name=type_id,
        description=type_id,
        category="utility",
        icon="box",
        color="#000000",
        config=StepConfig,
        input_ports=(Port("input"),),
        output_ports=tuple(Port(name, is_fact=name in facts) for name in outputs),
        effect=Effect.EXTERNAL,
    )


CATALOG = Catalog(
    {
        "work": stand_in("work", "output", "error"),
        "call": stand_in("call", "response", "status", "headers", "error", facts=("status", "headers")),
        "choice": stand_in("choice", "left", "right", "both", "error"),
        "parallel_split": ParallelSplit.step_type,
        "parallel_join": ParallelJoin.step_type,
    }
)


def drawn(text: str, *, semantics: int = SEMANTICS, **params: Json) -> Plan:
    """Compile a drawing: a line ``name type key=value...`` a step, ``a.port -> b:port ? condition`` an edge."""
    draft = Draft()
    for line in filter(None, map(str.strip, text.splitlines())):
        if "->" in line:
            ends, _, condition = line.partition("?")
            (source, _, source_port), (target, _, target_port) = (
                end.strip().partition(mark) for end, mark in zip(ends.split("->"), ".:", strict=True)
            )
            written = {"from_port": source_port, "to_port": target_port, "condition": condition.strip()}
            draft.edge(source, target, **{key: value for key, value in written.items() if value})
        else:
            step_id, type_id, *settings = line.split()
            config: dict[str, Json] = {}
            ports: dict[str, Json] = {}
            for key, _, value in (setting.partition("=") for setting in settings):
                if key in {"input", "output"}:
                    ports[key] = list(value.split(","))
                else:
                    config[key] = int(value) if value.isdigit() else value
            draft.step(type_id, config, step_id=step_id, **({"ports": ports} if ports else {}))
    return draft.plan(semantics=semantics, **params)


@dataclass
class Draft:
    """A segment in the making."""

    steps: list[dict[str, Json]] = field(default_factory=list)
    edges: list[dict[str, Json]] = field(default_factory=list)

    def step(self, type_id: str, config: dict[str, Json] | None = None, **more: Json) -> str:
        step = {"step_id": f"s{len(self.steps)}", "type": type_id, "config": config or {}, **more}
        self.steps.append(step)
        return str(step["step_id"])

    def edge(self, source: str, target: str, **more: Json) -> None:
        self.edges.append({"from": source, "to": target, **more})

    def plan(self, *, semantics: int = SEMANTICS, **params: Json) -> Plan:
        document = {
            "version": "1.0",
            "segment_id": "generated",
            "name": "generated",
            "entrypoint": self.steps[0]["step_id"],
            "params": params,
            "steps": list(self.steps),
            "edges": list(self.edges),
        }
        reading = read_segment(document)
        assert reading.segment is not None, reading.findings
        return compile_plan(reading.segment, CATALOG, semantics=semantics)


def any_graph(random: Random, *, strategies: tuple[str, ...] = ("all", "any", "first", "quorum")) -> Plan:
    """A graph without any order: splits, choices, joins, steps with several input ports, loops, error routes."""
    draft = Draft()
    size = random.randint(2, 12)
    for number in range(size):
        kind = random.choice(("work", "work", "choice", "parallel_split", "parallel_join")) if number else "work"
        config: dict[str, Json] = {}
        if kind == "parallel_join":
            config = {"merge_strategy": random.choice(strategies)}
            if config["merge_strategy"] == "quorum":
                config["count"] = random.randint(1, 3)
        more: dict[str, Json] = {}
        if kind == "parallel_split":
            more = {"ports": {"output": ["branch_1", "branch_2", "branch_3"]}}
        draft.step(kind, config, **more)
    for target in range(1, size):
        _connect(draft, random, random.randrange(target), target)
    for _extra in range(random.randint(0, size)):
        _connect(draft, random, random.randrange(size), random.randrange(size))
    return draft.plan(max_activations=12)


def _connect(draft: Draft, random: Random, source: int, target: int) -> None:
    ports = {
        "work": ("output", "output", "output", "error"),
        "choice": ("left", "right", "both"),
        "parallel_split": ("branch_1", "branch_2", "branch_3"),
        "parallel_join": ("output",),
    }[str(draft.steps[source]["type"])]
    draft.edge(
        f"s{source}", f"s{target}", from_port=random.choice(ports), to_port=random.choice(("input", "input", "other"))
    )


def nested(random: Random, draft: Draft | None = None, depth: int = 0) -> Draft:
    """A well-nested segment: chains of work and of split ... join blocks, each branch again such a chain."""
    draft = draft or Draft()
    first = draft.step("work")
    _chain(random, draft, first, depth)
    return draft


def _chain(random: Random, draft: Draft, last: str, depth: int) -> str:
    for _link in range(random.randint(1, 3)):
        if depth < 3 and random.random() < 0.5:
            last = _block(random, draft, last, depth)
        else:
            step = draft.step("work")
            draft.edge(last, step)
            last = step
    return last


def _block(random: Random, draft: Draft, last: str, depth: int) -> str:
    branches = [f"branch_{number}" for number in range(1, random.randint(2, 4) + 1)]
    split = draft.step("parallel_split", ports={"output": list(branches)})
    draft.edge(last, split)
    ends = []
    for branch in branches:
        head = draft.step("work")
        draft.edge(split, head, from_port=branch)
        ends.append(_chain(random, draft, head, depth + 1))
    join = draft.step("parallel_join")
    for number, end in enumerate(ends):
        draft.edge(end, join, to_port=f"in_{number}")
    return join


DIAMOND = """
    start work
    split parallel_split output=branch_1,branch_2,branch_3
    a work
    b work
    c work
    join parallel_join {join}
    end work
    start -> split
    split.branch_1 -> a
    split.branch_2 -> b
    split.branch_3 -> c
    a -> join:one
    b -> join:two
    c -> join:three
    join -> end
"""
"""Three branches of one split, joined; ``{join}`` takes the join's settings."""
