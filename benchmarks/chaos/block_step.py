"""A step that stops its host's event loop, as a handler of somebody who forgot to await does."""

import time

from django.apps import AppConfig

from runs.step_api.base import Emit, StepCall, StepConfig, StepHandler
from segments.catalog import Effect, Port, StepType

BLOCKED_SECONDS = 60.0


class Block(StepHandler):
    """Blocks the loop for longer than any lease here."""

    step_type = StepType(
        type_id="chaos_block",
        display_name="Block",
        description="Blocks the event loop; for chaos",
        category="utility",
        icon="circle",
        color="#888888",
        config=StepConfig,
        input_ports=(Port("input"),),
        output_ports=(Port("output"),),
        effect=Effect.EXTERNAL,
    )

    async def run(self, call: StepCall) -> Emit:
        """Sleep without giving the loop back."""
        time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251 - this is the fault
        return Emit({"output": call.input})


class BlockStepConfig(AppConfig):
    """Brings the step along where EXTRA_APPS names it."""

    name = "benchmarks.chaos.block_step"
    label = "chaos_block_step"
    step_types = ("benchmarks.chaos.block_step.Block",)
