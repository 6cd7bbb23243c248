"""The step that waits for a time."""

from datetime import UTC, datetime
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from kernel.clock import utc_now
from runs.steps.base import Emit, StepCall, StepConfig, StepFailed, StepHandler, Wait
from segments.catalog import Effect, Port, StepType

MOST_SECONDS: Final = 366 * 5 * 24 * 3600
TOO_LONG: Final = "A step waits for five years at most."


class WaitConfig(StepConfig):
    """What is waited for: exactly one of its keys."""

    seconds: float | None = Field(None, gt=0, le=MOST_SECONDS, description="For how many seconds")
    until: str | None = Field(
        None,
        description="Until which time: 2026-12-24T18:00:00+01:00, with its zone; one that is over waits for nothing",
    )

    @field_validator("until")
    @classmethod
    def _check_time(cls, until: str | None) -> str | None:
        if until is not None:
            read_moment(until)
        return until

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.seconds is None) == (self.until is None):
            raise ValueError("a wait has exactly one of `seconds` and `until`")
        return self


class WaitStep(StepHandler):
    """Parks its run, and passes its input on when the time has come."""

    step_type = StepType(
        type_id="wait",
        display_name="Wait",
        description="Wait for a time or a call",
        category="control",
        icon="clock",
        color="#9B59B6",
        config=WaitConfig,
        input_ports=(Port("input", "any", "What is passed on"),),
        output_ports=(
            Port("output", "any", "The input, when the time has come"),
            Port("timeout", "object", "When nobody called in time", required=False),
        ),
        effect=Effect.PURE,
        emits_one_port=True,
        supports_retry=False,
        supports_timeout=False,
        examples=({"seconds": 3600}, {"until": "2026-12-24T18:00:00+01:00"}),
    )

    async def run(self, call: StepCall) -> Wait:
        """Wait as the config says.

        Raises:
            StepFailed: WAIT_TOO_LONG.
        """
        config = call.config
        if not isinstance(config, WaitConfig):
            raise TypeError("a wait is given its own config")
        if config.until is None:
            return Wait("timer", seconds=config.seconds)
        until, now = read_moment(config.until), utc_now()
        if (until - now).total_seconds() > MOST_SECONDS:
            raise StepFailed("WAIT_TOO_LONG", TOO_LONG)
        return Wait("timer", max(until, now).astimezone(UTC))

    async def look(self, call: StepCall) -> Emit:
        """Pass the input on: the time has come."""
        return Emit({"output": call.input}, is_normal=True)


def read_moment(text: str) -> datetime:
    """Read a time with its zone.

    Raises:
        ValueError: It is none.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("a time is written like 2026-12-24T18:00:00+01:00 or 2026-12-24T17:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("a time has its zone: 2026-12-24T18:00:00+01:00, or Z at its end for UTC")
    return moment
