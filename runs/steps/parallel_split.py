"""The step that starts several branches at once, or one branch once per item."""

from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema, field_validator

from runs.step_api.base import Emit, StepCall, StepConfig, StepFailed, StepHandler, expression_failure
from segments.catalog import Effect, ExpressionText, Port, Role, StepType
from segments.definition.ports import DEFAULT_BRANCHES, MAX_BRANCHES, MIN_BRANCHES, branch_names
from segments.expressions import ExpressionError

MAX_TOKENS: Final = 5_000
"""Items times branches of one split: what the core places in some 20 ms, in which no other run goes on."""

ONLY_PORT = "branch_1"
"""By it a split that nothing is connected to emits its input, so that it has a value like any other last step."""


class ParallelSplitConfig(StepConfig):
    """Config of the step: the number of branches, or their names, or the items to send down them."""

    branches: Annotated[
        Any,
        WithJsonSchema(
            {
                "type": ["integer", "array"],
                "minimum": MIN_BRANCHES,
                "items": {"type": "string"},
                "description": "How many branches there are, or the names of their ports",
            }
        ),
    ] = DEFAULT_BRANCHES
    items: Annotated[str | None, ExpressionText()] = Field(
        None, description="Expression giving a list; each branch runs once per item"
    )

    @field_validator("branches")
    @classmethod
    def _countable(cls, branches: Any) -> Any:
        if not branch_names(branches):
            raise ValueError(
                f"branches must be a number from {MIN_BRANCHES} to {MAX_BRANCHES}, or a list of port names"
            )
        return branches


class ParallelSplit(StepHandler):
    """Emits its input, or the items, on every branch."""

    step_type = StepType(
        type_id="parallel_split",
        display_name="Parallel Split",
        description="Execute multiple branches in parallel",
        category="control",
        icon="git-fork",
        color="#9B59B6",
        config=ParallelSplitConfig,
        input_ports=(Port("input", "any", "The data every branch gets"),),
        output_ports=(Port("branch_1", "any", "The first branch"), Port("branch_2", "any", "The second branch")),
        effect=Effect.PURE,
        role=Role.SPLIT,
        supports_parallel=True,
        examples=({"branches": 3}, {"branches": 2, "items": "input.orders"}),
    )

    async def run(self, call: StepCall) -> Emit:
        """Give every branch what it is to work on.

        Raises:
            StepFailed: ``items`` failed, is not a list, or is too long; COMPUTE_LIMIT.
        """
        config = call.config
        if not isinstance(config, ParallelSplitConfig):
            raise TypeError("a split is given its own config")
        if config.items is None:
            return Emit(dict.fromkeys(call.output_ports or (ONLY_PORT,), call.input), is_normal=True)
        try:
            items = await call.evaluate(config.items, "items")
        except ExpressionError as error:
            raise expression_failure(error) from error
        if not isinstance(items, list):
            raise StepFailed("ITEMS_NOT_A_LIST", "The expression in 'items' must give a list.")
        if not call.output_ports:
            return Emit({ONLY_PORT: call.input}, is_normal=True)
        if len(items) * len(call.output_ports) > MAX_TOKENS:
            message = f"{len(items)} items on {len(call.output_ports)} branches are more than {MAX_TOKENS} at once."
            raise StepFailed("ITEMS_TOO_MANY", message, details={"limit": MAX_TOKENS, "items": len(items)})
        return Emit(dict.fromkeys(call.output_ports), items=items, is_normal=True)
