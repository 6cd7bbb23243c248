"""The step that computes a value from its input."""

from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, model_validator

from runs.step_api.base import Emit, StepCall, StepConfig, StepHandler, expression_failure
from segments.catalog import Effect, ExpressionText, Port, StepType
from segments.expressions import ExpressionError


class TransformConfig(StepConfig):
    """One expression, or an object of fields with an expression each; with neither the input passes through."""

    expression: Annotated[str | None, ExpressionText()] = Field(None, description="Expression that gives the result")
    mapping: Annotated[dict[str, Any] | None, ExpressionText()] = Field(
        None,
        description="Fields of the result; each text is an expression, any other value is taken as it is",
        validation_alias=AliasChoices("mapping", "mappings"),
    )
    default: Any = Field(
        None, description="Stands in for a null or missing value; an object does so by field of a mapping"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.expression is not None and self.mapping is not None:
            raise ValueError("give either 'expression' or 'mapping', not both")
        return self


class Transform(StepHandler):
    """Computes the result by the config's expression or mapping."""

    step_type = StepType(
        type_id="transform",
        display_name="Transform",
        description="Transform data using expression",
        category="data",
        icon="shuffle",
        color="#F39C12",
        config=TransformConfig,
        input_ports=(Port("input", "any", "The data to transform"),),
        output_ports=(
            Port("output", "any", "The result"),
            Port("error", "object", "Why the step failed", required=False),
        ),
        effect=Effect.PURE,
        examples=(
            {"expression": "input.amount * 1.19"},
            {"mapping": {"name": "upper(input.name)", "paid": "input.total <= input.received"}},
        ),
    )

    async def run(self, call: StepCall) -> Emit:
        """Give the result on ``output``.

        Raises:
            StepFailed: An expression failed; COMPUTE_LIMIT.
        """
        config = call.config
        if not isinstance(config, TransformConfig):
            raise TypeError("a transform is given its own config")
        try:
            if config.mapping is not None:
                arguments = {"mapping": config.mapping, "default": config.default}
                return Emit({"output": await call.compute("mapping", arguments)}, is_normal=True)
            if config.expression is not None:
                arguments = {"source": config.expression, "default": config.default}
                return Emit({"output": await call.compute("expression", arguments)}, is_normal=True)
        except ExpressionError as error:
            raise expression_failure(error) from error
        return Emit({"output": config.default if call.input is None else call.input}, is_normal=True)
