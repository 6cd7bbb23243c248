"""Core benchmark: the cost of a step in runs of different size; run by ``python -m benchmarks --only CORE``.

No database, no clock, no handlers: a minimal shell answers every start at once. The cost of a step is not to grow with
the run: a thousand steps may cost 1.5 times as much each as ten, which is what noise on a shared machine needs.
"""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import django

from benchmarks import documents
from benchmarks.figures import against, line
from kernel.types import Json
from segments.plan import Plan

SIZES = (10, 100, 1_000)
STEPS_A_SAMPLE = 4_000
SAMPLES = 5
GROWTH = 1.5


@dataclass(frozen=True)
class Shape:
    """A kind of run that comes in every size."""

    name: str
    document: Callable[[int], dict[str, Any]]
    run_input: Callable[[int], Json]


SHAPES = (
    Shape("chain", lambda size: documents.chain("transform", size), lambda _: documents.INPUT),
    Shape("loop", lambda size: documents.loop(max(1, size // 3)), lambda _: {}),
    Shape("wide branches", lambda size: documents.branches(max(2, size - 2), 0), lambda _: documents.INPUT),
    Shape("layers of ports", documents.layers, lambda _: documents.INPUT),
    Shape("wide items", lambda size: documents.items(size, 0), documents.items_input),
)


def compile_document(document: dict[str, Any]) -> Plan:
    """Compile a segment of ours."""
    from runs.steps.registry import registry  # noqa: PLC0415 - after Django's setup
    from segments.plan.compilation import compile_plan  # noqa: PLC0415 - after Django's setup
    from segments.validation import validate  # noqa: PLC0415 - after Django's setup

    catalog = registry().catalog
    validation = validate(document, catalog)
    if validation.segment is None or not validation.valid:
        raise RuntimeError(str(validation.findings))
    return compile_plan(validation.segment, catalog)


class Shell:
    """Executes one run in memory: starts are answered in the order they come, by what the step's type would say."""

    def __init__(self, plan: Plan, passes: int) -> None:
        from runs import core  # noqa: PLC0415 - after Django's setup

        self._core = core
        self._plan = plan
        self._passes = passes
        self._state = core.new_state(plan)
        self._seq = 0
        self._started: deque[tuple[str, int, int]] = deque()

    def run(self, run_input: Json) -> int:
        """Run to the end; return the number of activations."""
        self._record("SEGMENT_STARTED", {"input": run_input})
        while not self._state.over:
            commands = self._core.decide(self._state)
            for command in commands:
                self._carry_out(command)
            if not commands:
                self._finish(*self._started.popleft())
        return self._state.activations

    def _carry_out(self, command: Any) -> None:
        if isinstance(command, self._core.Start):
            key = command.step_id, command.activation, command.attempt
            self._record("STEP_STARTED", {"inputs": dict(command.inputs)}, *key)
            self._started.append(key)
        elif isinstance(command, self._core.Complete):
            self._record("SEGMENT_COMPLETED", {"output": command.output})
        else:
            raise TypeError(f"these runs have no {type(command).__name__}")

    def _finish(self, step_id: str, activation: int, attempt: int) -> None:
        step = self._plan.steps[step_id]
        scope = self._core.Scope(self._state, self._state.active[step_id, activation].token)
        payload: dict[str, Json]
        if step.type_id == "parallel_split":
            ports: list[Json] = list(dict.fromkeys(port for edge in step.edges for port in edge.source_ports))
            payload = {"ports": ports, "value": scope.input, "edges": [edge.index for edge in step.edges]}
            if step.config.get("items"):
                payload["items"] = scope["items"]
        else:
            port = step.primary_port
            if step.type_id == "condition":
                port = "true" if activation < self._passes else "false"
            emitted: dict[str, Json] = {port: scope.input}
            payload = {"ports": emitted, "edges": list(self._core.route(step, emitted, scope).edges)}
        self._record("STEP_COMPLETED", payload, step_id, activation, attempt)

    def _record(self, kind: str, payload: dict[str, Json], *key: Any) -> None:
        self._seq += 1
        self._core.apply(self._state, self._core.Event(self._seq, self._core.EventType[kind], payload, *key))


def cost_of_a_step(shape: Shape, size: int) -> tuple[float, int]:
    """Return processor microseconds an activation (the best of some samples), and the activations of one run."""
    plan = compile_document(shape.document(size))
    run_input, passes = shape.run_input(size), max(1, size // 3)
    best, steps = float("inf"), 0
    for _ in range(SAMPLES):
        done, began = 0, time.process_time()
        while done < STEPS_A_SAMPLE:
            steps = Shell(plan, passes).run(run_input)
            done += steps
        best = min(best, (time.process_time() - began) / done)
    return best * 1e6, steps


def main() -> None:
    """Measure every shape in every size and print."""
    django.setup()
    for shape in SHAPES:
        first = 0.0
        for size in SIZES:
            cost, steps = cost_of_a_step(shape, size)
            first = first or cost
            growth = round(cost / first, 2)
            figures = {"activations": steps, "us_per_step": round(cost, 1), "times_as_much": growth}
            print(json.dumps(line(f"CORE: {shape.name}", **figures, **against(growth, most=GROWTH))), flush=True)


if __name__ == "__main__":
    main()
