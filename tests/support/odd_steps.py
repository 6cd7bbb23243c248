"""A step type of a package whose handler answers as no handler should, and what is to be said of it."""

from typing import Any, Final, cast

from llmteam.plugin import Emit, Port, StepCall, StepConfig, StepFailed, StepHandler, StepType, Wait


class OddConfig(StepConfig):
    """What it does."""

    way: str


ANSWERS: Final[dict[str, Any]] = {
    "well": Emit({"output": 1}),
    "a fact": Emit({"output": 1, "fact": 2}),
    "nothing": None,
    "a dict": {"output": 1},
    "an unknown port": Emit({"nope": 1}),
    "no port": Emit({}),
    "no number": Emit({"output": float("nan")}),
    "an object": Emit({"output": object()}),
    "large": Emit({"output": "x" * 2_000_000}),
    "an unknown wait": Wait(cast("Any", "xxx"), seconds=1),
    "a wait without end": Wait("timer"),
    "a wait of no length": Wait("timer", seconds=float("nan")),
    "a task of nobody": Wait("human"),
    "a wait of ages": Wait("timer", seconds=1e300),
}
FAILURES: Final = {
    "fails well": StepFailed("BUSY", "It is busy.", details={"why": 1}),
    "an unknown code": StepFailed("lower code", "Oh."),
    "a code of the platform": StepFailed("RUN_TIMED_OUT", "Oh."),
    "no seconds": StepFailed("BUSY", "Oh.", retryable=True, retry_after_seconds=float("nan")),
}
SAID: Final = {
    "nothing": ("STEP_ANSWER_INVALID", "answered with NoneType"),
    "a dict": ("STEP_ANSWER_INVALID", "answered with dict"),
    "an unknown port": ("STEP_ANSWER_INVALID", "the port 'nope', which it does not have; it has output, fact"),
    "no port": ("STEP_ANSWER_INVALID", "emits by no port"),
    "no number": ("VALUE_REFUSED", ""),
    "an object": ("VALUE_REFUSED", ""),
    "large": ("VALUE_TOO_LARGE", ""),
    "an unknown wait": ("STEP_ANSWER_INVALID", "waits for 'xxx'"),
    "a wait without end": ("STEP_ANSWER_INVALID", "waits for a time and names none"),
    "a wait of no length": ("STEP_ANSWER_INVALID", "waits for nan seconds"),
    "a task of nobody": ("STEP_ANSWER_INVALID", "names no task"),
    "a wait of ages": ("STEP_ANSWER_INVALID", "from 0 to five years"),
    "an unknown code": ("STEP_ANSWER_INVALID", "the code 'lower code'"),
    "a code of the platform": ("STEP_ANSWER_INVALID", "which only the platform gives"),
    "no seconds": ("STEP_ANSWER_INVALID", "retry_after_seconds nan"),
    "an unknown record": ("STEP_ANSWER_INVALID", "A step records action.started, action.completed, action.failed, not"),
    "fails well": ("BUSY", "It is busy."),
}


class Odd(StepHandler):
    """Answers as its config says."""

    step_type = StepType(
        type_id="odd",
        display_name="Odd",
        description="For tests",
        category="utility",
        icon="x",
        color="#000000",
        config=OddConfig,
        input_ports=(Port("input", required=False),),
        output_ports=(Port("output"), Port("fact", required=False, is_fact=True)),
    )

    async def run(self, call: StepCall) -> Emit | Wait:
        """Answer."""
        way = cast("OddConfig", call.config).way
        if way.endswith("record"):
            call.record("action.called" if way == "an unknown record" else "action.started", {"a": 1})
            return Emit({"output": 1})
        if way in FAILURES:
            raise FAILURES[way]
        answer: Emit | Wait = ANSWERS[way]
        return answer

    async def look(self, call: StepCall) -> Emit:
        """Say what leaves when the time has come."""
        return Emit({"output": "looked"})
