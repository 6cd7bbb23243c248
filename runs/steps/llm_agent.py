"""The card of the step that asks a language model; its handler is not built yet."""

from typing import Annotated, Any

from pydantic import Field

from segments.catalog import Port, PromptText, StepConfig, StepType


class LlmAgentConfig(StepConfig, json_schema_extra={"required": ["llm_ref"]}):
    """Which model to ask, and what."""

    llm_ref: str = Field("default", description="The tenant's connection to use")
    prompt_template_id: str | None = Field(None, description="A stored prompt")
    temperature: float = Field(0.7, ge=0, le=2, description="How freely the model chooses")
    max_tokens: int = Field(1000, ge=1, description="Longest answer")
    prompt: Annotated[str | None, PromptText()] = Field(None, description="What to ask")
    system_prompt: Annotated[str | None, PromptText()] = Field(None, description="What the model is to be")
    model: str | None = Field(None, description="Model, where the connection has several")
    response_schema: dict[str, Any] | None = Field(None, description="JSON Schema the answer must fit")
    tools: list[Any] | None = Field(None, description="Tools the model may call")
    fallback: Any = Field(None, description="Connections to use when the first fails")
    budget: Any = Field(None, description="What the step may cost")


class LlmAgent:
    """Announces the type."""

    step_type = StepType(
        type_id="llm_agent",
        display_name="LLM Agent",
        description="Execute LLM prompt with optional tools",
        category="ai",
        icon="robot",
        color="#4A90D9",
        config=LlmAgentConfig,
        input_ports=(Port("input", "object", "What the prompt may name"),),
        output_ports=(
            Port("output", "string", "The model's answer"),
            Port("error", "object", "Why the step failed", required=False),
        ),
        available=False,
    )
