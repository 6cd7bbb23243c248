"""The step that asks a language model."""

from collections.abc import Mapping
from typing import Final, cast

from kernel.types import Json
from kernel.values import dump_json
from runs.agents import truncation
from runs.agents.config import AgentFallback, LlmAgentConfig
from runs.agents.conversation import Conversation
from runs.agents.fallback import ModelFailed, first_answer
from runs.agents.model_call import find_model_caller
from runs.agents.tools import Toolbox
from runs.agents.truncation import ReplyTruncated
from runs.step_api.base import Defer, Emit, StepCall, StepFailed, StepHandler
from runs.step_api.language_models import Message
from runs.steps.effects import effect_each_time
from segments.catalog import Port, Remark, StepType
from segments.definition.foreign_schemas import ignored_keywords
from segments.expressions import ExpressionError

_NOTHING_ASKED: Final = (
    "There is nothing to ask: the prompt is empty, or without one the input or the last of the messages, "
    "which has to be the user's."
)

_SAY_IF_KEYS: Final = (
    "have the server recognise repeated requests; with `honours_idempotency_key: true` in the connection's "
    "`options` a call "
    "whose answer did not come is made again with its key"
)


def _port_types(config: Mapping[str, Json]) -> Mapping[str, tuple[str, ...]]:
    """Tell what an answer may be: a text, or whatever its schema says."""
    return {"output": ("any",)} if config.get("response_schema") else {}


def _remarks(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Say what of schemas has no effect, and that a budget is too small."""
    tools = config.get("tools")
    schemas: list[tuple[tuple[str | int, ...], Json]] = [(("response_schema",), config.get("response_schema"))]
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        schemas.append((("tools", index, "parameters"), tool.get("parameters") if isinstance(tool, dict) else None))
    ignored = [
        Remark(one.code, one.message, (*path, *one.path), one.hint)
        for path, schema in schemas
        for one in ignored_keywords(schema)
    ]
    return (*ignored, *_of_budget(config))


def _of_budget(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Say that a budget leaves no room for the longest answer, which is held before the model is asked."""
    longest = config.get("max_tokens", LlmAgentConfig.model_fields["max_tokens"].default)
    budget = config.get("budget")
    tokens = budget.get("tokens") if isinstance(budget, Mapping) else None
    if not isinstance(tokens, int) or not isinstance(longest, int) or tokens > longest:
        return ()
    message = f"The budget of {tokens} tokens leaves no room for an answer of max_tokens {longest}: nothing is asked."
    return (Remark("BUDGET_TOO_SMALL", message, ("budget", "tokens"), "raise it, or lower max_tokens"),)


def _unrepeated(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Say of each tool that has its effect each time what becomes of it when the step is tried again."""
    tools = config.get("tools")
    return tuple(
        Remark("TOOL_MAY_REPEAT", _may_repeat(tool, effect), ("tools", index, "method"), _SAY_IF_KEYS)
        for index, tool in enumerate(tools if isinstance(tools, list) else ())
        if isinstance(tool, dict) and (effect := effect_each_time(tool.get("method")))
    )


def _may_repeat(tool: Mapping[str, Json], effect: str) -> str:
    return (
        f"When the step is tried again, a {effect} of the tool {tool.get('name')} that was made is reported to the "
        "model and not repeated; but a call with other arguments counts as another one, even if the model means the "
        "same."
    )


class LlmAgent(StepHandler):
    """Asks the first model, and those behind it while they fail. What a model says is data, whatever it says."""

    step_type = StepType(
        type_id="llm_agent",
        display_name="LLM Agent",
        description="Execute LLM prompt with optional tools",
        category="ai",
        icon="robot",
        color="#4A90D9",
        config=LlmAgentConfig,
        input_ports=(Port("input", "object", "Data the prompt may use", takes_any=True),),
        output_ports=(
            Port("output", "string", "The model's answer"),
            Port(
                truncation.PORT,
                "object",
                "Text and reason of an answer that was cut off",
                required=False,
                stands_in=True,
            ),
            Port("error", "object", "Why the step failed", required=False),
        ),
        port_types=_port_types,
        remarks=_remarks,
        unrepeated=_unrepeated,
        examples=({"llm_ref": "default", "prompt": "Summarise in one sentence: {{ input.text }}"},),
    )

    async def run(self, call: StepCall) -> Emit:
        """Emit the answer: text, or the value that fits ``response_schema``; a cut one where its port is routed.

        Raises:
            StepFailed: A model's failure; ``details.tried`` names all that were asked and why they failed.
                VALUE_TOO_LARGE with the beginning of the answer.
                PROMPT_UNKNOWN, PROMPT_EMPTY; a tool's connection that cannot be used.
            Defer: One of the models may be asked later, and none has answered.
        """
        config = cast("LlmAgentConfig", call.config)
        opening, prompt = await _opening(call, config)
        conversation = Conversation(config, Toolbox(call, config.tools or ()), opening)

        cuts: list[ReplyTruncated] = []

        async def ask(option: AgentFallback) -> Json:
            try:
                return await conversation.answer(
                    await find_model_caller(call, option, budget=config.budget, prompt=prompt)
                )
            except ModelFailed as failed:
                if isinstance(failed.cause, ReplyTruncated):
                    cuts.append(failed.cause)
                raise

        try:
            answer = await first_answer(config.options, ask, usage=call.usage)
        except (StepFailed, Defer):
            if not cuts or truncation.PORT not in call.output_ports:
                raise
            return Emit({truncation.PORT: cuts[0].value})
        truncation.check_answer(answer)
        return Emit({"output": answer})


async def _opening(call: StepCall, config: LlmAgentConfig) -> tuple[list[Message], str | None]:
    """Write the prompts, and the name of the stored one."""
    system, asked, name = config.system_prompt, config.prompt, None
    if config.prompt_template_id is not None:
        stored = await call.context.prompt(config.prompt_template_id)
        name = f"{stored.template_id}@{stored.version}"
        asked = await _rendered(stored.prompt, call, name)
        system = system or await _rendered(stored.system_prompt, call, name)
    elif asked is None and not config.messages:
        asked = call.input if isinstance(call.input, str) else "" if call.input is None else dump_json(call.input)
    history = [Message(turn.role, turn.content) for turn in config.messages or ()]
    if asked or not history:
        history.append(Message("user", asked or ""))
    if history[-1].role != "user" or not history[-1].text.strip():
        raise StepFailed("PROMPT_EMPTY", _NOTHING_ASKED)
    history = [message for message in history if message.text.strip()]  # services refuse turns that say nothing
    messages = [Message("system", system)] if system else []
    return [*messages, *history], name


async def _rendered(text: str, call: StepCall, name: str) -> str:
    try:
        return str(await call.compute("prompt", {"text": text}))
    except ExpressionError as error:
        raise StepFailed(error.code, f"The stored prompt {name}: {error}") from error
