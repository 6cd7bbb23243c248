"""A shell without a world: runs a plan through the real core with answers from a function, in any finishing order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from kernel.types import Json
from runs.core import (
    Complete,
    Event,
    EventType,
    Fail,
    Reject,
    Scope,
    Skip,
    Start,
    State,
    apply,
    decide,
    emit_ports,
    failed_payload,
    new_state,
    route,
    route_error,
)
from runs.core.state import Activation
from segments.catalog import Role
from segments.plan import Plan, PlanStep, Strategy

Answer = Callable[[PlanStep, Activation, Scope], Mapping[str, Json] | Exception]


class Broken(Exception):
    """A step's answer that counts as a failure."""


@dataclass
class Simulation:
    """One run in memory. ``pick`` chooses which activation in flight finishes next."""

    plan: Plan
    answer: Answer
    random: Random
    journal: list[Event] = field(default_factory=list)

    def run(self, run_input: Json = None, *, most_events: int = 50_000) -> State:
        """Run to the end; the state as it is then."""
        self.state = new_state(self.plan)
        self.append(EventType.SEGMENT_STARTED, {"input": run_input})
        while not self.state.over:
            if len(self.journal) > most_events:
                raise AssertionError("the run does not end")
            commands = decide(self.state)
            assert commands == decide(self.state), "decide is not repeatable"
            if commands:
                for command in commands:
                    self.carry_out(command)
                if all(isinstance(command, Start) for command in commands):
                    assert not decide(self.state), "starts alone call for something more"
            else:
                live = [one for key, one in self.state.active.items() if key not in self.state.to_cancel]
                assert live, "nothing to do and nothing in flight: the run hangs"
                self.finish(self.random.choice(live))
        return self.state

    def append(self, event_type: EventType, payload: Mapping[str, Json], *where: object) -> None:
        step_id, activation, attempt = where or (None, None, None)
        event = Event(len(self.journal) + 1, event_type, payload, step_id, activation, attempt)  # type: ignore[arg-type]
        self.journal.append(event)
        apply(self.state, event)

    def carry_out(self, command: object) -> None:
        match command:
            case Start(step_id, activation, attempt, inputs):
                self.append(EventType.STEP_STARTED, {"inputs": dict(inputs)}, step_id, activation, attempt)
            case Skip(step_id, activation, attempt, reason, unknown):
                payload = {"reason": reason, "effect": "unknown" if unknown else "none"}
                self.append(EventType.STEP_SKIPPED, payload, step_id, activation, attempt)
            case Reject(step_id, activation, attempt):
                self.append(EventType.STEP_FAILED, command.payload, step_id, activation, attempt)
            case Complete(output):
                self.append(EventType.SEGMENT_COMPLETED, {"output": output})
            case Fail(error):
                self.append(EventType.SEGMENT_FAILED, {"error": dict(error)})

    def finish(self, activation: Activation) -> None:
        step = self.plan.steps[activation.step_id]
        where = (activation.step_id, activation.activation, activation.attempt)
        scope = Scope(self.state, activation.token, activation)
        result = self.answer(step, activation, scope)
        if not isinstance(result, Exception):
            items = result.get("*items*")
            ports = emit_ports(step, {port: value for port, value in result.items() if port != "*items*"})
            routing = route(step, ports, scope)
            payload: dict[str, Json] = {"ports": ports, "edges": list(routing.edges)}
            if items is not None:
                payload["items"] = items
            edge_error = routing.edge_error(where[1])
            if edge_error is not None:
                payload["edge_error"] = edge_error
            self.append(EventType.STEP_COMPLETED, payload, *where)
            return
        error_object = {
            "code": getattr(result, "code", "BROKEN"),
            "message": str(result),
            "step_id": where[0],
            "activation": where[1],
            "attempts": 1,
            "details": {},
        }
        payload = failed_payload(error_object, *route_error(self.state, activation.token, error_object))
        self.append(EventType.STEP_FAILED, payload, *where)

    def started(self) -> list[str]:
        """The steps in the order they were started."""
        return [str(event.step_id) for event in self.journal if event.type is EventType.STEP_STARTED]


def plain_answer(step: PlanStep, _activation: Activation, scope: Scope) -> Mapping[str, Json]:
    """Answer as the built-in control steps do; other steps pass their input on by the primary port."""
    if step.role is Role.JOIN:
        arrived = scope.inputs["branches"]
        assert isinstance(arrived, list)
        policy = step.join
        assert policy is not None
        single = policy.strategy in (Strategy.ANY, Strategy.FIRST) and arrived
        return {"output": arrived[0] if single else arrived}
    if step.role is Role.SPLIT:
        ports = dict.fromkeys((port for edge in step.edges for port in edge.source_ports), scope.input)
        items = scope.input if step.items else None
        if not ports:
            return {"branch_1": scope.input}
        return {**ports, "*items*": items} if items is not None else ports
    return {step.primary_port: scope.input}


Script = Mapping[str, Callable[[Activation, Scope], Mapping[str, Json] | Exception]]


class InOrder(Random):
    """Finishes activations in the order given; the rest oldest first."""

    def __init__(self, *step_ids: str) -> None:
        super().__init__(0)
        self.step_ids = list(step_ids)

    def choice(self, live: list[Activation]) -> Activation:  # type: ignore[override]
        for step_id in self.step_ids:
            for activation in live:
                if activation.step_id == step_id:
                    self.step_ids.remove(step_id)
                    return activation
        return live[0]


def play(
    plan: Plan, script: Script | None = None, *, run_input: Json = "in", order: Random | None = None
) -> Simulation:
    """Run a plan; steps without a line in the script emit ``name(input)``, control steps act as they do."""
    lines = script or {}

    def answer(step: PlanStep, activation: Activation, scope: Scope) -> Mapping[str, Json] | Exception:
        if step.step_id in lines:
            return lines[step.step_id](activation, scope)
        if step.type_id == "work":
            return {"output": f"{step.step_id}({scope.input})"}
        return plain_answer(step, activation, scope)

    simulation = Simulation(plan, answer, order or Random(1))
    simulation.run(run_input)
    return simulation


def outputs(plan: Plan, script: Script | None = None, *, run_input: Json = "in") -> set[str]:
    """The outputs of one plan over twenty orders of finishing."""
    runs = (play(plan, script, run_input=run_input, order=Random(seed)) for seed in range(20))
    return {repr(run.state.output()) for run in runs}


def fails(_activation: Activation, _scope: Scope) -> Exception:
    return Broken("broken")
