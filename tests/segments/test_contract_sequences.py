import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kernel.types import Json
from runs.core import Scope
from runs.core.state import Activation
from runs.step_api.base import Emit, StepHandler
from runs.steps.condition import Condition
from runs.steps.parallel_join import ParallelJoin
from runs.steps.parallel_split import ParallelSplit
from runs.steps.transform import Transform
from segments.plan import PlanStep
from segments.plan.compilation import compile_plan
from segments.validation import validate
from tests.support.simulation import InOrder, Simulation
from tests.support.stand_in_catalog import stand_in_catalog
from tests.support.step_calls import call_with

CASES = json.loads((Path(__file__).parents[1] / "cases" / "contract.json").read_text())["cases"]
RUNNABLE = [case for case in CASES if case["verdict"] != "refused"]
PURE: dict[str, StepHandler] = {
    handler.step_type.type_id: handler for handler in (Transform(), Condition(), ParallelSplit(), ParallelJoin())
}


class StandIns:
    """Answers pure steps with their real handlers, the others as the case says."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers

    def __call__(self, step: PlanStep, activation: Activation, scope: Scope) -> Mapping[str, Json]:
        handler = PURE.get(step.type_id)
        if handler is None:
            said = self.answers[step.step_id]
            answer: Mapping[str, Json] = said[activation.activation - 1] if isinstance(said, list) else said
            return answer
        ports = tuple(dict.fromkeys(port for edge in step.edges for port in edge.source_ports))
        arrived = scope.inputs.get("branches")
        arrivals = tuple(arrived) if step.join is not None and isinstance(arrived, list) else ()
        call = call_with(handler, step.config, scope.inputs, scope, output_ports=ports, arrivals=arrivals)
        emitted = asyncio.run(handler.run(call))
        assert isinstance(emitted, Emit)
        return emitted.ports


@pytest.mark.parametrize("case", RUNNABLE, ids=[case["id"] for case in RUNNABLE])
def test_each_accepted_case_runs_to_its_step_sequence(case: dict[str, Any]):
    segment = validate(case["segment"], stand_in_catalog()).segment
    assert segment is not None
    plan = compile_plan(segment, stand_in_catalog())
    simulation = Simulation(plan, StandIns(case["stand_ins"]), InOrder())
    simulation.run(case["input"])
    assert simulation.started() == case["sequence"]
    assert simulation.journal[-1].payload == {"output": case["output"]}
