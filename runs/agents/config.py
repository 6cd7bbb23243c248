"""The config of llm_agent."""

import re
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from segments.catalog import (
    ON_CIRCUIT_OPEN,
    ConnectionRef,
    OnCircuitOpen,
    PathText,
    PromptText,
    StepConfig,
    StoredPromptRef,
)
from segments.definition.foreign_schemas import usable
from segments.definition.prompt_names import read_prompt_name

MAX_TOOLS: Final = 20
MAX_FALLBACKS: Final = 5
PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""Place of an argument in a tool's path."""
MAX_TURNS: Final = 500
MAX_STOPS: Final = 16
_WRITTEN: Final = {
    **{name: name for name in ("model", "messages", "temperature", "top_p", "max_tokens", "stop", "tools")},
    "max_completion_tokens": "max_tokens",
    "stop_sequences": "stop",
    "system": "system_prompt",
    "response_format": "response_schema",
    "stream": "",
    "stream_options": "",
    "tool_choice": "",
    "n": "",
}
"""Members that no ``extra`` may have, each with what says it instead."""
_IN_PATHS: Final = frozenset({"string", "integer", "number"})


Schema = Annotated[dict[str, Any], AfterValidator(usable)]
Stop = Annotated[str, Field(min_length=1, max_length=500)]
Occasion = Literal["error", "budget"]
Money = Annotated[Decimal, Field(gt=0), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]


class ContentPart(BaseModel):
    """Base of what stands inside the config: nothing unknown is kept there."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentTool(ContentPart):
    """A call of one of the tenant's connections that the model may ask for."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", description="Name of the tool for the model")
    description: str = Field("", max_length=2_000, description="When the model should use it")
    parameters: Schema = Field({"type": "object"}, description="JSON Schema of the arguments, an object's")
    client_ref: Annotated[str, ConnectionRef("http", for_tools=True)] = Field(
        description="A connection to an HTTP API that allows tools"
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("GET", description="HTTP method")
    path: Annotated[str, PathText(PLACE)] = Field(
        max_length=2_000,
        description="Path below the connection's base; {name} stands for a required argument. Arguments that are not "
        "in the path go into the query of a GET or DELETE, else into a JSON body",
    )

    @model_validator(mode="after")
    def _has_its_arguments(self) -> Self:
        if self.parameters.get("type") != "object":
            raise PydanticCustomError("tool_parameters", "The parameters of a tool are an object: 'type': 'object'.")
        required = self.parameters.get("required") or ()
        for name in self.names_in_path:
            if name not in required or self._type_of(name) not in _IN_PATHS:
                message = "The argument {name} in the path has to be required, and a string, an integer or a number."
                raise PydanticCustomError("tool_path", message, {"name": name})
        return self

    @property
    def names_in_path(self) -> list[str]:
        """The arguments the path takes; none while a template still stands in it."""
        return [] if "{{" in self.path else PLACE.findall(self.path)

    def _type_of(self, name: str) -> Any:
        found = self.parameters.get("properties", {}).get(name)
        return found.get("type") if isinstance(found, dict) else None


class AgentFallback(ContentPart):
    """A model to ask when the one before it fails."""

    llm_ref: Annotated[str, ConnectionRef("llm")] = Field(description="Connection of the fallback model")
    model: str | None = Field(None, description="Model, where the connection has several")
    on: list[Occasion] = Field(
        ["error"],
        min_length=1,
        description="When it is used: after any failure (`error`), or when a budget has no room (`budget`)",
    )


class AgentTurn(ContentPart):
    """One turn of a conversation before."""

    role: Literal["system", "user", "assistant"] = Field(description="Author of the turn")
    content: str = Field(description="Text of the turn")


class AgentBudget(ContentPart):
    """Budget of one activation of the step, all its attempts together."""

    tokens: int | None = Field(None, ge=1, description="Tokens of prompts and answers")
    cost: Money | None = Field(None, description="US dollars")


def _own_words_only(extra: dict[str, Any]) -> dict[str, Any]:
    for name in extra:
        if name in _WRITTEN:
            message = "{name} is written by the platform itself; {hint}."
            hint = f"the step has {_WRITTEN[name]} for it" if _WRITTEN[name] else "a step cannot set it"
            raise PydanticCustomError("extra", message, {"name": name, "hint": hint})
    return extra


def _listed(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


def _with_name(item: Any) -> Any:
    return {"llm_ref": item} if isinstance(item, str) else item


FallbackItem = Annotated[
    AgentFallback, BeforeValidator(_with_name, json_schema_input_type=str | AgentFallback), ConnectionRef("llm")
]
"""A bare name is one that stands in for failures."""


class LlmAgentConfig(StepConfig, json_schema_extra={"required": ["llm_ref"]}):
    """Config of the step: the model and the prompt. An empty text counts as not given: canvases write all fields."""

    llm_ref: Annotated[str, ConnectionRef("llm")] = Field("default", description="The tenant's connection to use")
    prompt_template_id: Annotated[str | None, StoredPromptRef()] = Field(
        None, description="A stored prompt: name, or name@version"
    )
    temperature: float = Field(0.7, ge=0, le=2, description="Temperature: higher values give more varied answers")
    max_tokens: int = Field(1000, ge=1, description="Maximum length of the answer, in tokens")
    prompt: Annotated[str | None, PromptText()] = Field(
        None, description="Prompt; without it and without a stored prompt the step's input is the prompt"
    )
    system_prompt: Annotated[str | None, PromptText()] = Field(None, description="System prompt")
    messages: Annotated[list[AgentTurn], Field(max_length=MAX_TURNS)] | None = Field(
        None, description="Turns before the prompt, oldest first; without a prompt the last turn is the prompt"
    )
    model: str | None = Field(None, description="Model, where the connection has several")
    top_p: float | None = Field(None, gt=0, le=1, description="Top-p: samples from the likeliest tokens only")
    stop: Annotated[list[Stop], Field(max_length=MAX_STOPS), BeforeValidator(_listed)] | None = Field(
        None, description="Texts before which the answer ends"
    )
    extra: Annotated[dict[str, Any], AfterValidator(_own_words_only)] | None = Field(
        None, description="Further fields of the request, as the service names them"
    )
    response_schema: Schema | None = Field(None, description="JSON Schema the answer must fit")
    tools: Annotated[list[AgentTool], Field(max_length=MAX_TOOLS)] | None = Field(
        None, description="Tools the model may call"
    )
    fallback: Annotated[list[FallbackItem], Field(max_length=MAX_FALLBACKS)] | None = Field(
        None, description="Connections to ask in this order when the first fails"
    )
    budget: AgentBudget | None = Field(None, description="Budget of the step: tokens and cost")
    on_circuit_open: OnCircuitOpen | None = Field(None, description=ON_CIRCUIT_OPEN)

    @field_validator("prompt_template_id")
    @classmethod
    def _is_a_name(cls, text: str | None) -> str | None:
        if text and read_prompt_name(text) is None:
            raise PydanticCustomError("prompt_name", "A stored prompt is named by name, or by name@version.")
        return text or None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if self.prompt and self.prompt_template_id:
            raise PydanticCustomError("ambiguous_prompt", "Give either prompt or prompt_template_id, not both.")
        names = [tool.name for tool in self.tools or ()]
        if len(set(names)) < len(names):
            raise PydanticCustomError("tool_twice", "Two tools have one name.")
        return self

    @property
    def options(self) -> list[AgentFallback]:
        """The models in the order they are asked, the step's own first."""
        return [AgentFallback(llm_ref=self.llm_ref, model=self.model), *(self.fallback or ())]
