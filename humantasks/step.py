"""The card of the step that waits for a person; its handler is not built yet."""

from typing import Any, Literal

from pydantic import Field

from segments.catalog import Port, StepConfig, StepType


class HumanTaskConfig(StepConfig, json_schema_extra={"required": ["task_type"]}):
    """What is asked of whom, and until when."""

    task_type: Literal["approval", "input", "review", "choice"] = Field("approval", description="What is asked")
    title: str | None = Field(None, description="Shown in the inbox")
    description: str | None = Field(None, description="What the person should know")
    assignee_ref: str | None = Field(None, description="Who is asked")
    timeout_hours: float = Field(24, description="Hours until the step ends without an answer")
    escalation_chain: list[str] | None = Field(None, description="Who is asked when nobody answers")
    choices: list[Any] | None = Field(None, description="What may be chosen")
    form: dict[str, Any] | None = Field(None, description="JSON Schema of the answer")
    candidate_groups: list[str] | None = Field(None, description="Groups whose members may answer")
    quorum: int | None = Field(None, ge=1, description="How many answers are needed")
    four_eyes: bool | None = Field(None, description="Whether who started the run may not answer")
    priority: Any = Field(None, description="Place in the inbox")
    reminder_hours: Any = Field(None, description="When to remind")
    on_timeout: Any = Field(None, description="What happens when the time is over")


class HumanTask:
    """Announces the type."""

    step_type = StepType(
        type_id="human_task",
        display_name="Human Task",
        description="Request human input or approval",
        category="human",
        icon="user",
        color="#FF6B6B",
        config=HumanTaskConfig,
        input_ports=(Port("data", "object", "What the person decides about"),),
        output_ports=(
            Port("approved", "object", "The decision, when it is yes"),
            Port("rejected", "object", "The decision, when it is no"),
            Port("modified", "object", "The decision, with what the person changed"),
            Port("timeout", "object", "When nobody answered in time", required=False),
        ),
        emits_one_port=True,
        available=False,
    )
