"""The step that waits for a time, or for a call."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kernel.clock import utc_now
from kernel.types import Json
from kernel.values import dump_json
from runs.step_api.base import Emit, StepCall, StepConfig, StepFailed, StepHandler, Wait
from segments.catalog import Effect, Port, StepType
from segments.definition.foreign_schemas import usable

MAX_SECONDS: Final = 366 * 5 * 24 * 3600
TOO_LONG: Final = "A step waits for five years at most."


class Call(BaseModel):
    """A call that is waited for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_hours: float = Field(24, gt=0, le=MAX_SECONDS / 3600, description="For how many hours")
    answer_schema: dict[str, Any] | None = Field(
        None,
        alias="schema",
        description="JSON Schema of the body; a call with another body is refused, and may be repeated",
    )

    @field_validator("answer_schema")
    @classmethod
    def _check_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is None:
            return None
        usable(schema)
        if "{{" in dump_json(schema):
            raise ValueError("the schema of a call is fixed: it holds no templates")
        return schema


class WaitConfig(StepConfig):
    """Config of the step: exactly one of its keys."""

    seconds: float | None = Field(None, gt=0, le=MAX_SECONDS, description="For how many seconds")
    until: str | None = Field(
        None,
        description="Until which time: 2026-12-24T18:00:00+01:00, with its zone; a time in the past does not wait",
    )

    call: Call | None = Field(None, description="For a call of `steps.<id>.resume_url`, whose body is the output")

    @field_validator("until")
    @classmethod
    def _check_time(cls, until: str | None) -> str | None:
        if until is not None:
            read_moment(until)
        return until

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if sum(one is not None for one in (self.seconds, self.until, self.call)) != 1:
            raise ValueError("a wait has exactly one of `seconds`, `until` and `call`")
        return self


def waits_for_call(config: Mapping[str, Json]) -> bool:
    """Tell whether a wait of this config is one for a call."""
    return config.get("call") is not None


class WaitStep(StepHandler):
    """Parks its run; passes its input on when the time has come, or the body of the call."""

    step_type = StepType(
        type_id="wait",
        display_name="Wait",
        description="Wait for a time or a call",
        category="control",
        icon="clock",
        color="#9B59B6",
        config=WaitConfig,
        input_ports=(Port("input", "any", "Data to pass on"),),
        output_ports=(
            Port("output", "any", "The input, when the time has come; the body of the call"),
            Port("timeout", "object", "When nobody called in time", required=False),
        ),
        effect=Effect.PURE,
        emits_one_port=True,
        supports_retry=False,
        supports_timeout=False,
        waits_for_call=waits_for_call,
        examples=({"seconds": 3600}, {"call": {"timeout_hours": 48}}, {"until": "2026-12-24T18:00:00+01:00"}),
    )

    async def run(self, call: StepCall) -> Wait:
        """Wait as the config says.

        Raises:
            StepFailed: WAIT_TOO_LONG.
        """
        config = call.config
        if not isinstance(config, WaitConfig):
            raise TypeError("a wait is given its own config")
        if config.call is not None:
            return Wait("call", seconds=config.call.timeout_hours * 3600)
        if config.until is None:
            return Wait("timer", seconds=config.seconds)
        until, now = read_moment(config.until), utc_now()
        if (until - now).total_seconds() > MAX_SECONDS:
            raise StepFailed("WAIT_TOO_LONG", TOO_LONG)
        return Wait("timer", max(until, now).astimezone(UTC))

    async def look(self, call: StepCall) -> Emit:
        """Pass the input on: the time has come, or nobody called in time.

        Raises:
            StepFailed: WAIT_TIMED_OUT: nobody called, and no edge leaves by ``timeout``.
        """
        config = call.config
        if not isinstance(config, WaitConfig) or config.call is None:
            return Emit({"output": call.input}, is_normal=True)
        if "timeout" not in call.output_ports:
            raise StepFailed("WAIT_TIMED_OUT", f"Nobody called within {config.call.timeout_hours:g} hours.")
        return Emit({"timeout": {"timeout_hours": config.call.timeout_hours, "input": call.input}})


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
        raise ValueError("a time needs a zone: 2026-12-24T18:00:00+01:00, or Z at its end for UTC")
    return moment
