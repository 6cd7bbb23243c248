"""A conversation with one model: tools while it asks for them, one chance to repair a reply, then its answer."""

from collections.abc import Sequence
from dataclasses import replace

from kernel.values import Json
from runs.agents.asking import Asker
from runs.agents.config import MOST_ROUNDS, LlmAgentConfig
from runs.agents.reply import read_reply, repair_request, reply_invalid
from runs.agents.tools import Toolbox
from runs.providers.base import CompletionReply, CompletionRequest, Message
from runs.steps.base import StepFailed


async def converse(asker: Asker, config: LlmAgentConfig, opening: Sequence[Message], toolbox: Toolbox) -> Json:
    """Talk until there is an answer.

    Args:
        asker: Asks the model.
        config: What the step is told.
        opening: The prompts.
        toolbox: What the model may ask for.

    Returns:
        The text, or with a ``response_schema`` the value that fits it.

    Raises:
        StepFailed: LLM_REPLY_INVALID, LLM_TOO_MANY_ROUNDS, or as ``Asker.ask`` and ``Toolbox.use``.
        Defer: A gate is closed for now.
    """
    messages = list(opening)
    rounds, may_repair = 0, True
    while True:
        reply = await asker.ask(_request(asker, config, messages, toolbox))
        if reply.tool_calls:
            rounds += 1
            if rounds > MOST_ROUNDS:
                message = f"The model asked for tools more than {MOST_ROUNDS} times."
                raise StepFailed("LLM_TOO_MANY_ROUNDS", message, details={"limit": MOST_ROUNDS})
            messages += await _with_tools(reply, toolbox)
            continue
        if config.response_schema is None:
            return reply.text
        value, problems = read_reply(reply.text, config.response_schema)
        if not problems:
            return value
        if not may_repair:
            raise reply_invalid(problems, is_cut=reply.finish_reason == "length")
        may_repair = False
        messages += [Message("assistant", reply.text), Message("user", repair_request(problems))]


async def _with_tools(reply: CompletionReply, toolbox: Toolbox) -> list[Message]:
    """Do all the model asks for, in its order: the keys of the calls are counted in it."""
    answers = [Message("tool", await toolbox.use(wanted), call_id=wanted.call_id) for wanted in reply.tool_calls]
    return [Message("assistant", reply.text, tool_calls=reply.tool_calls), *answers]


def _request(asker: Asker, config: LlmAgentConfig, messages: Sequence[Message], toolbox: Toolbox) -> CompletionRequest:
    request = CompletionRequest(
        model=asker.name,
        messages=list(messages),
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        tools=toolbox.offered(),
        timeout_seconds=asker.seconds_left,
        idempotency_key=asker.call.next_key(),
    )
    return replace(request, response_schema=config.response_schema) if config.response_schema is not None else request
