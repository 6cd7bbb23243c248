"""A step that does nothing, declared external: each attempt waits until its start is committed."""

from django.apps import AppConfig

from runs.steps.base import Emit, StepCall, StepConfig, StepHandler
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


class NoopStepsConfig(AppConfig):
    """Brings the step along where EXTRA_APPS names it."""

    name = "benchmarks.noop_steps"
    label = "noop_steps"
    step_types = ("benchmarks.noop_steps.Noop",)
