"""The step that sends its input one of two ways."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from runs.step_api.base import Emit, StepCall, StepConfig, StepFailed, StepHandler, expression_failure
from runs.work.comparisons import OPERATORS, SPELLINGS
from segments.catalog import Effect, ExpressionText, Port, Role, StepType
from segments.expressions import ExpressionError


class ConditionConfig(StepConfig, json_schema_extra={"anyOf": [{"required": ["expression"]}, {"required": ["field"]}]}):
    """An expression; or a field, an operator and a value, as canvases with forms write it."""

    expression: Annotated[str | None, ExpressionText()] = Field(None, description="Expression that chooses the branch")
    field: Annotated[str | None, ExpressionText()] = Field(
        None, description="Field to look at, instead of an expression"
    )
    operator: str = Field("equals", description="How to compare the field with the value")
    value: Any = Field(None, description="Value to compare the field with")
    true_branch: str | None = Field(None, description="Target of edges without from_port when the condition holds")
    false_branch: str | None = Field(None, description="Target of edges without from_port when it does not hold")

    @field_validator("operator")
    @classmethod
    def _known(cls, operator: str) -> str:
        known = SPELLINGS.get(operator.strip().lower())
        if known is None:
            raise ValueError(f"the operator must be one of {', '.join(OPERATORS)}")
        return known

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.expression is None and self.field is None:
            raise ValueError("'expression' is missing (or 'field', 'operator' and 'value')")
        if self.expression is not None and self.field is not None:
            raise ValueError("give either 'expression' or 'field', not both")
        return self


class Condition(StepHandler):
    """Emits its input on ``true`` or ``false``."""

    step_type = StepType(
        type_id="condition",
        display_name="Condition",
        description="Branch based on condition",
        category="control",
        icon="git-branch",
        color="#9B59B6",
        config=ConditionConfig,
        input_ports=(Port("input", "any", "The data to look at"),),
        output_ports=(
            Port("true", "any", "The input, when the condition holds"),
            Port("false", "any", "The input, when it does not"),
            Port("error", "object", "Why the step failed", required=False),
        ),
        effect=Effect.PURE,
        role=Role.CONDITION,
        examples=({"expression": "input.total > 100 and input.country == 'DE'"},),
    )

    async def run(self, call: StepCall) -> Emit:
        """Decide the way.

        Raises:
            StepFailed: The expression failed; that is never taken for "false". COMPUTE_LIMIT.
        """
        config = call.config
        if not isinstance(config, ConditionConfig):
            raise TypeError("a condition is given its own config")
        by_field = config.expression is None
        arguments = {
            "source": (config.field if by_field else config.expression) or "",
            "place": "field" if by_field else "expression",
            "operator": config.operator if by_field else None,
            "value": config.value,
        }
        try:
            holds = await call.compute("condition", arguments)
        except ExpressionError as error:
            raise expression_failure(error) from error
        if isinstance(holds, str):
            raise StepFailed("NOT_COMPARABLE", f"'{config.operator}' does not fit what 'field' holds: {holds}.")
        return Emit({"true" if holds else "false": call.input}, is_normal=True)
