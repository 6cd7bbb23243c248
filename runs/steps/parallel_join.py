"""The step in which parallel branches come together."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import AliasChoices, Field, model_validator

from kernel.types import Json
from runs.step_api.base import Emit, StepCall, StepConfig, StepHandler
from segments.catalog import Effect, Port, Role, StepType

GATHERING = frozenset({"all", "quorum"})


class ParallelJoinConfig(StepConfig):
    """Config of the step: the branches it waits for."""

    merge_strategy: Literal["all", "any", "first", "quorum"] = Field(
        "all",
        description="all branches, any first success, the first to end, or a quorum of successes",
        validation_alias=AliasChoices("merge_strategy", "strategy"),
    )
    count: int | None = Field(None, strict=True, ge=1, le=10_000, description="How many successes a quorum needs")

    on_branch_failure: Literal["fail", "wait"] | None = Field(
        None,
        description="When a branch of 'all' failed: start nothing more on the others (fail), or let them end (wait)",
    )

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.merge_strategy != "quorum" and self.count is not None:
            raise ValueError("'count' is for the merge_strategy 'quorum' only")
        if self.merge_strategy != "all" and self.on_branch_failure is not None:
            raise ValueError("'on_branch_failure' is for the merge_strategy 'all' only")
        return self


def _port_types(config: Mapping[str, Json]) -> Mapping[str, tuple[str, ...]]:
    """Tell what leaves: the list of what arrived, or the one value that was first."""
    strategy = config.get("merge_strategy", config.get("strategy", "all"))
    return {} if strategy in GATHERING else {"output": ("any",)}


class ParallelJoin(StepHandler):
    """Emits what arrived; when to fire is the core's decision, so this runs only once it is taken."""

    step_type = StepType(
        type_id="parallel_join",
        display_name="Parallel Join",
        description="Wait for all parallel branches",
        category="control",
        icon="git-merge",
        color="#9B59B6",
        config=ParallelJoinConfig,
        input_ports=(Port("branch_1", "any", "The first branch"), Port("branch_2", "any", "The second branch")),
        output_ports=(
            Port("output", "array", "What arrived, in the order of the edges; any and first: the one value"),
            Port("error", "object", "Why the branches could not be joined", required=False),
        ),
        effect=Effect.PURE,
        role=Role.JOIN,
        port_types=_port_types,
        examples=({"merge_strategy": "all"}, {"merge_strategy": "quorum", "count": 2}),
    )

    async def run(self, call: StepCall) -> Emit:
        """Give the gathered values: a list for all and quorum, the one value for any and first.

        In runs of the first semantics nothing may have arrived, where a split had no items: then the list is empty.
        """
        config = call.config
        if not isinstance(config, ParallelJoinConfig):
            raise TypeError("a join is given its own config")
        if config.merge_strategy in GATHERING or not call.arrivals:
            return Emit({"output": list(call.arrivals)}, is_normal=True)
        return Emit({"output": call.arrivals[0]}, is_normal=True)
