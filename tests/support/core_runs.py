"""Runs of whole segments through the real core with real or stand-in handlers, without a database or a network."""

import asyncio
import logging
from collections.abc import Mapping
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from kernel.types import Json
from runs.core import Scope
from runs.core.state import Activation
from runs.step_api.base import Emit, RuntimeContext, StepCall, StepFailed, StepHandler, Wait
from runs.steps.registry import StepRegistry
from segments.definition.config import ConfigInvalid, resolve_config
from segments.expressions import ExpressionError
from segments.plan import PlanStep
from segments.plan.compilation import compile_plan
from segments.validation import validate
from tests.support.simulation import InOrder, Simulation

RUN_ID = UUID(int=1)
LOG = logging.LoggerAdapter(logging.getLogger(__name__), {})


def run_in_core(
    document: Any, registry: StepRegistry, run_input: Json = None, order: Random | None = None
) -> Simulation:
    """Validate a segment, compile it and run it to its end; steps finish as ``order`` chooses, else as they started."""
    validation = validate(document, registry.catalog)
    assert validation.valid, validation.findings
    assert validation.segment is not None

    def answer(step: PlanStep, activation: Activation, scope: Scope) -> Mapping[str, Json] | Exception:
        handler = registry.handler(step.type_id)
        try:
            config = resolve_config(handler.step_type, step.config, scope)
            answered = asyncio.run(_answer(handler, _call(step, activation, scope, config)))
        except (StepFailed, ExpressionError, ConfigInvalid) as failure:
            return failure
        assert isinstance(answered, Emit)
        items = {} if answered.items is None else {"*items*": answered.items}
        return {**answered.ports, **items}

    simulation = Simulation(compile_plan(validation.segment, registry.catalog), answer, order or InOrder())
    simulation.run(run_input)
    return simulation


async def _answer(handler: StepHandler, call: StepCall) -> object:
    """What a handler answers; one that waits for a time, when that has come."""
    answered = await handler.run(call)
    return await handler.look(call) if isinstance(answered, Wait) else answered


def _call(step: PlanStep, activation: Activation, scope: Scope, config: Any) -> StepCall:
    arrivals = scope.inputs.get("branches") if step.join is not None else None
    return StepCall(
        run_id=RUN_ID,
        step_id=step.step_id,
        activation=activation.activation,
        attempt=activation.attempt,
        config=config,
        inputs=scope.inputs,
        names=scope,
        context=cast("RuntimeContext", SimpleNamespace(tenant_id=RUN_ID)),
        next_key=lambda: "key",
        record=lambda _event_type, _payload: None,
        log=LOG,
        output_ports=tuple(dict.fromkeys(port for edge in step.edges for port in edge.source_ports if port != "error")),
        arrivals=tuple(arrivals) if isinstance(arrivals, list) else (),
    )
