"""Steps that do nothing, declared external: each attempt waits until its start is committed."""

import asyncio

from django.apps import AppConfig

from runs.step_api.base import Emit, StepCall, StepConfig, StepHandler
from segments.catalog import Effect, Port, StepType


class Noop(StepHandler):
    """Passes its input on."""

    step_type = StepType(
        type_id="noop",
        display_name="No-op",
        description="Does nothing; for benchmarks",
        category="utility",
        icon="circle",
        color="#888888",
        config=StepConfig,
        input_ports=(Port("input"),),
        output_ports=(Port("output"),),
        effect=Effect.EXTERNAL,
    )

    async def run(self, call: StepCall) -> Emit:
        """Emit the input."""
        return Emit({"output": call.input})


class NapConfig(StepConfig):
    """The time to do nothing for."""

    seconds: float


class Nap(StepHandler):
    """Passes its input on after a while, as a call to some server would."""

    step_type = StepType(
        type_id="nap",
        display_name="Nap",
        description="Does nothing for a while; for benchmarks",
        category="utility",
        icon="circle",
        color="#888888",
        config=NapConfig,
        input_ports=(Port("input"),),
        output_ports=(Port("output"),),
        effect=Effect.EXTERNAL,
    )

    async def run(self, call: StepCall) -> Emit:
        """Wait, then emit the input.

        Raises:
            TypeError: It was given the config of another type.
        """
        if not isinstance(call.config, NapConfig):
            raise TypeError("a nap is given its own config")
        await asyncio.sleep(call.config.seconds)
        return Emit({"output": call.input})


class NoopStepsConfig(AppConfig):
    """Brings the steps along where EXTRA_APPS names it."""

    name = "benchmarks.noop_steps"
    label = "noop_steps"
    step_types = ("benchmarks.noop_steps.Noop", "benchmarks.noop_steps.Nap")
