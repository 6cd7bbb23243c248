"""One attempt of a step without a run around it."""

import logging
from collections.abc import Mapping
from typing import Any, cast

from kernel.ids import new_id
from kernel.types import Json
from runs.step_api.base import RuntimeContext, StepCall, StepHandler
from segments.definition.config import resolve_config
from segments.expressions import Names


def make_call(
    handler: StepHandler,
    config: dict[str, Any],
    inputs: dict[str, Json],
    *,
    output_ports: tuple[str, ...] = (),
    arrivals: tuple[Json, ...] = (),
    **names: Json,
) -> StepCall:
    """A call with the names an expression may use; pure steps have nothing of the world."""
    value = next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)
    known: dict[str, Json] = {"input": value, "inputs": dict(inputs), **inputs, **names}
    if isinstance(value, dict):
        known = {**value, **known}
    return call_with(handler, config, inputs, known, output_ports=output_ports, arrivals=arrivals)


def call_with(
    handler: StepHandler,
    config: Mapping[str, Json],
    inputs: Mapping[str, Json],
    names: Names,
    *,
    output_ports: tuple[str, ...] = (),
    arrivals: tuple[Json, ...] = (),
) -> StepCall:
    """A call with names made elsewhere."""
    return StepCall(
        run_id=new_id(),
        step_id="step",
        activation=1,
        attempt=1,
        config=resolve_config(handler.step_type, config, names),
        inputs=inputs,
        names=names,
        context=cast("RuntimeContext", None),
        next_key=str,
        record=lambda _kind, _payload: None,
        log=logging.LoggerAdapter(logging.getLogger("test")),
        output_ports=output_ports,
        arrivals=arrivals,
    )
