"""Handlers that stand in for the step types that need the world: a model, a person, another system.

In a process they replace the announced types by the settings module ``tests.support.stand_in_settings``.
"""

from collections.abc import Mapping
from functools import cache

from humantasks.step import HumanTaskHandler
from kernel.types import Json
from runs.step_api.base import Emit, StepCall, StepHandler
from runs.steps.condition import Condition
from runs.steps.fail import FailRun
from runs.steps.http_action import HttpAction
from runs.steps.llm_agent import LlmAgent
from runs.steps.parallel_join import ParallelJoin
from runs.steps.parallel_split import ParallelSplit
from runs.steps.registry import StepRegistry, build_registry
from runs.steps.transform import Transform
from runs.steps.wait import WaitStep

REAL = (Condition, ParallelSplit, ParallelJoin, Transform, WaitStep, FailRun)


class EchoingModel(StepHandler):
    """Gives its input back, with a ``response`` that names the step and how often it was asked."""

    step_type = LlmAgent.step_type

    async def run(self, call: StepCall) -> Emit:
        return Emit({"output": _echo(call, response=f"{call.step_id} {call.activation}")})


class ScriptedPerson(StepHandler):
    """Decides as the run's input says in ``decisions``, one after the other, and approves when nothing is said.

    Who decides ``modified`` asks for more: the ``topic`` gets one word longer.
    """

    step_type = HumanTaskHandler.step_type

    async def run(self, call: StepCall) -> Emit:
        decision = _decisions(call)[call.activation - 1 :][:1]
        port = str(decision[0]) if decision else "approved"
        changed: dict[str, Json] = {}
        if port == "modified":
            changed["topic"] = f"{_object(call.input).get('topic')} again"
        return Emit({port: _echo(call, **changed)})


class EchoingHost(StepHandler):
    """Answers 200 with the input and a ``response``; nothing is sent."""

    step_type = HttpAction.step_type

    async def run(self, call: StepCall) -> Emit:
        return Emit({"response": _echo(call, response=f"{call.step_id} {call.activation}"), "status": 200})


def registry_of(*handlers: type[StepHandler]) -> StepRegistry:
    """Make a registry of stand-ins beside the real control steps and transform."""
    return build_registry({handler.__name__: handler for handler in (*handlers, *REAL)})


@cache
def registry() -> StepRegistry:
    """The real steps of this installation, with stand-ins for the model and the person; HTTP calls are real."""
    return registry_of(EchoingModel, ScriptedPerson, HttpAction)


@cache
def offline_registry() -> StepRegistry:
    """Stand-ins for everything that needs the world."""
    return registry_of(EchoingModel, ScriptedPerson, EchoingHost)


def _decisions(call: StepCall) -> list[Json]:
    run_input = _object(_object(call.names["run"])["input"])
    decisions = run_input.get("decisions", [])
    assert isinstance(decisions, list)
    return decisions


def _echo(call: StepCall, **more: Json) -> dict[str, Json]:
    return {**_object(call.input), **more}


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {"input": value}
