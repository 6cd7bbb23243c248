"""The step that asks a language model."""

from typing import cast

from kernel.values import Json, dump_json
from runs.agents.asking import Asker, model_name
from runs.agents.config import AgentFallback, LlmAgentConfig
from runs.agents.conversation import converse
from runs.agents.tools import Toolbox
from runs.providers.base import Message
from runs.steps.base import Defer, Emit, StepCall, StepFailed, StepHandler
from segments.catalog import Port, StepType
from segments.expressions import parse_template

BUDGET_CODES = frozenset({"BUDGET_EXCEEDED", "PRICE_UNKNOWN"})


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
        input_ports=(Port("input", "object", "What the prompt may name"),),
        output_ports=(
            Port("output", "string", "The model's answer"),
            Port("error", "object", "Why the step failed", required=False),
        ),
        examples=({"llm_ref": "default", "prompt": "Summarise in one sentence: {{ input.text }}"},),
    )

    async def run(self, call: StepCall) -> Emit:
        """Emit the answer: text, or the value that fits ``response_schema``.

        Raises:
            StepFailed: The last model's failure; ``details.tried`` names the others and why they failed.
            Defer: A model may be asked later, and none could be now.
        """
        config = cast("LlmAgentConfig", call.config)
        opening, prompt = await _opening(call, config)
        options = [AgentFallback(llm_ref=config.llm_ref, model=config.model, on=["error", "budget"]), *config.fallbacks]
        toolbox = Toolbox.of(call, config.tools or ())
        tried: list[Json] = []
        deferred: list[Defer] = []
        for option, following in zip(options, [*options[1:], None], strict=True):
            try:
                asker = await _asker(call, config, option, prompt)
                return Emit({"output": await converse(asker, config, opening, toolbox)})
            except Defer as closed:
                deferred.append(closed)
                tried.append({"llm_ref": option.llm_ref, "code": closed.reason.upper()})
            except StepFailed as failure:
                if following is None or not _covers(following, failure):
                    raise _last(failure, tried, deferred) from failure
                tried.append({"llm_ref": option.llm_ref, "code": failure.code})
        raise min(deferred, key=lambda closed: closed.until)


def _covers(option: AgentFallback, failure: StepFailed) -> bool:
    return ("budget" if failure.code in BUDGET_CODES else "error") in option.on


def _last(failure: StepFailed, tried: list[Json], deferred: list[Defer]) -> Exception:
    """Choose what the step ends with: a model that may be asked later is better than a failure."""
    if deferred:
        return min(deferred, key=lambda closed: closed.until)
    if tried:
        failure.details["tried"] = tried
    return failure


async def _asker(call: StepCall, config: LlmAgentConfig, option: AgentFallback, prompt: str | None) -> Asker:
    model = await call.context.language_model(option.llm_ref)
    return Asker(call, model, model_name(model, option.model), config.budget, prompt)


async def _opening(call: StepCall, config: LlmAgentConfig) -> tuple[list[Message], str | None]:
    """Write the prompts, and the name of the stored one."""
    system, prompt, name = config.system_prompt, config.prompt, None
    if config.prompt_template_id is not None:
        stored = await call.context.prompt(config.prompt_template_id)
        name = f"{stored.template_id}@{stored.version}"
        prompt = _rendered(stored.prompt, call)
        system = system if system is not None else _rendered(stored.system_prompt, call)
    asked = prompt if prompt is not None else call.input
    messages = [Message("system", system)] if system else []
    return [*messages, Message("user", asked if isinstance(asked, str) else dump_json(asked))], name


def _rendered(text: str, call: StepCall) -> str:
    value = parse_template(text, single_braces=True).render(call.names)
    return value if isinstance(value, str) else dump_json(value)
