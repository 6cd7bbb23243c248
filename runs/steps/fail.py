"""The step that ends its run as failed, with a code and a message of its author's."""

import re
from typing import Any, Final, NoReturn

from pydantic import Field, field_validator

from kernel.values import size_of
from runs.step_api.base import StepCall, StepConfig, StepFailed, StepHandler
from runs.steps.platform_codes import is_platform_code
from segments.catalog import Effect, Port, Role, StepType

MAX_DETAILS_BYTES: Final = 16 * 1024
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class FailConfig(StepConfig):
    """Config of the step: the run's error."""

    code: str = Field(description="The error's code, in capitals: ORDER_REFUSED", pattern="^[A-Z][A-Z0-9_]*$")
    message: str | None = Field(None, description="The error's message: one sentence for people")
    details: dict[str, Any] | None = Field(None, description="Further details, for programs")

    @field_validator("code")
    @classmethod
    def _check_code(cls, code: str) -> str:
        if not _CODE.fullmatch(code):
            raise ValueError("a code has at most 64 characters: A to Z, 0 to 9 and _")
        if is_platform_code(code):
            raise ValueError(f"{code} is a code the platform gives itself; choose one of your own, like ORDER_REFUSED")
        return code


class FailRun(StepHandler):
    """Fails, always and at once. Nothing leaves it, so no join takes its failure: the run fails."""

    step_type = StepType(
        type_id="fail",
        display_name="Fail",
        description="End the run as failed",
        category="control",
        icon="octagon-x",
        color="#E74C3C",
        config=FailConfig,
        input_ports=(Port("input", "any", "Data the message may use"),),
        output_ports=(),
        effect=Effect.PURE,
        role=Role.END,
        supports_retry=False,
        supports_timeout=False,
        examples=({"code": "ORDER_REFUSED", "message": "The shop refused the order {{ input.order_id }}."},),
    )

    async def run(self, call: StepCall) -> NoReturn:
        """Fail as the config says.

        Raises:
            StepFailed: Always.
        """
        config = call.config
        if not isinstance(config, FailConfig):
            raise TypeError("a fail step is given its own config")
        if size_of(config.details) > MAX_DETAILS_BYTES:
            raise StepFailed("VALUE_TOO_LARGE", f"The `details` of {config.code} have over {MAX_DETAILS_BYTES} bytes.")
        message = config.message or f"The step {call.step_id} ended the run."
        raise StepFailed(config.code, message, details=config.details)
