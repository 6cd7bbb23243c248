"""The step that computes a value from its input."""

from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, model_validator

from kernel.values import Json
from runs.steps.base import Emit, StepCall, StepConfig, StepFailed, StepHandler
from segments.catalog import Effect, ExpressionText, Port, StepType
from segments.expressions import ExpressionError, MissingName, parse


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
            StepFailed: An expression failed.
        """
        config = call.config
        if not isinstance(config, TransformConfig):
            raise TypeError("a transform is given its own config")
        if config.mapping is not None:
            return Emit({"output": self._mapped(config.mapping, config.default, call)})
        if config.expression is not None:
            return Emit({"output": self._value(config.expression, config.default, call, "expression")})
        return Emit({"output": config.default if call.input is None else call.input})

    def _mapped(self, mapping: dict[str, Json], default: Json, call: StepCall) -> Json:
        by_field = default if isinstance(default, dict) else dict.fromkeys(mapping, default)
        return {key: self._value(item, by_field.get(key), call, f"mapping.{key}") for key, item in mapping.items()}

    def _value(self, item: Json, default: Json, call: StepCall, place: str) -> Json:
        if isinstance(item, dict):
            return {key: self._value(inner, None, call, f"{place}.{key}") for key, inner in item.items()}
        if isinstance(item, list):
            return [self._value(inner, None, call, f"{place}[{index}]") for index, inner in enumerate(item)]
        if not isinstance(item, str):
            return item
        try:
            value = parse(item).evaluate(call.names)
        except MissingName as error:
            if default is None:
                raise _failed(error, place) from error
            return default
        except ExpressionError as error:
            raise _failed(error, place) from error
        return default if value is None else value


def _failed(error: ExpressionError, place: str) -> StepFailed:
    return StepFailed(error.code, f"{place}: {error}", details={"field": place, "position": error.position})
