"""What llm_agent is told."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from segments.catalog import ConnectionRef, PromptText, StepConfig
from segments.definition.foreign_schemas import schema_problems

MOST_TOOLS = 20
MOST_FALLBACKS = 5
MOST_ROUNDS = 8
"""How often a model may ask for tools in one conversation."""
_PROMPT_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}(@[1-9][0-9]{0,8})?")


def _safe_schema(schema: dict[str, Any]) -> dict[str, Any]:
    for problem in schema_problems(schema, name="schema"):
        raise PydanticCustomError("schema", "{message}", {"message": problem.message})
    return schema


Schema = Annotated[dict[str, Any], AfterValidator(_safe_schema)]


class Part(BaseModel):
    """Base of what stands inside the config: nothing unknown is kept there."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentTool(Part):
    """A call of one of the tenant's connections that the model may ask for."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", description="What the model calls it")
    description: str = Field("", max_length=2_000, description="When the model should use it")
    parameters: Schema = Field({"type": "object"}, description="JSON Schema of the arguments")
    client_ref: str = Field(description="A connection to an HTTP API that allows tools")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("GET", description="HTTP method")
    path: str = Field(
        description="Path below the connection's base; {name} stands for an argument. Arguments that are not in the "
        "path go into the query of a GET or DELETE, else into a JSON body"
    )


class AgentFallback(Part):
    """A model to ask when the one before it fails."""

    llm_ref: str = Field(description="Its connection")
    model: str | None = Field(None, description="Model, where the connection has several")
    on: list[Literal["error", "budget"]] = Field(["error"], description="When: a failure, a budget that is used up")


class AgentBudget(Part):
    """What one activation of the step may take, all its attempts together."""

    tokens: int | None = Field(None, ge=1, description="Tokens of prompts and answers")
    cost: Decimal | None = Field(None, gt=0, description="US dollars")


class LlmAgentConfig(StepConfig, json_schema_extra={"required": ["llm_ref"]}):
    """Which model to ask, and what."""

    llm_ref: Annotated[str, ConnectionRef("llm")] = Field("default", description="The tenant's connection to use")
    prompt_template_id: str | None = Field(None, description="A stored prompt: name, or name@version")
    temperature: float = Field(0.7, ge=0, le=2, description="How freely the model chooses")
    max_tokens: int = Field(1000, ge=1, description="Longest answer")
    prompt: Annotated[str | None, PromptText()] = Field(
        None, description="What to ask; without it and without a stored prompt the step's input is asked"
    )
    system_prompt: Annotated[str | None, PromptText()] = Field(None, description="What the model is to be")
    model: str | None = Field(None, description="Model, where the connection has several")
    response_schema: Schema | None = Field(None, description="JSON Schema the answer must fit")
    tools: list[AgentTool] | None = Field(None, max_length=MOST_TOOLS, description="Tools the model may call")
    fallback: list[str | AgentFallback] | SkipJsonSchema[None] = Field(
        None, max_length=MOST_FALLBACKS, description="Connections to use when the first fails, in their order"
    )
    budget: AgentBudget | None = Field(None, description="What the step may take")

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if self.prompt is not None and self.prompt_template_id is not None:
            raise PydanticCustomError("ambiguous_prompt", "Give either prompt or prompt_template_id, not both.")
        if self.prompt_template_id is not None and not _PROMPT_NAME.fullmatch(self.prompt_template_id):
            raise PydanticCustomError("prompt_name", "A stored prompt is named name, or name@version.")
        names = [tool.name for tool in self.tools or ()]
        if len(set(names)) < len(names):
            raise PydanticCustomError("tool_twice", "Two tools have one name.")
        return self

    @property
    def fallbacks(self) -> list[AgentFallback]:
        """The models to fall back on; a bare name is one that stands in for failures."""
        return [AgentFallback(llm_ref=one) if isinstance(one, str) else one for one in self.fallback or ()]
