"""A conversation: tools while a model asks for them, one chance to repair a reply, then the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kernel.errors import ErrorItem
from kernel.types import Json
from kernel.values import ValueTooLarge
from runs.agents.config import LlmAgentConfig
from runs.agents.fallback import ModelFailed
from runs.agents.model_call import ModelCaller
from runs.agents.reply import read_reply, repair_request, reply_invalid
from runs.agents.tools import Toolbox, with_plain_ids
from runs.agents.truncation import ReplyTruncated, answer_too_large, is_truncated, kept_text, reply_empty
from runs.providers.sent_texts import SentTexts
from runs.step_api.base import StepFailed
from runs.step_api.language_models import CompletionReply, CompletionRequest, Message

MAX_ROUNDS: Final = 8
MAX_CALLS: Final = 32

_NO_TOOLS: Final = "There are no tools. Answer without them."


@dataclass
class Conversation:
    """Conversation of an attempt with its models.

    A model that takes over from another reads what tools have done already, so nothing is done twice, and so does one
    that is asked by a later attempt; it does not read answers of the other that did not fit.

    Attributes:
        config: What the step is told.
        toolbox: What a model may ask for.
        messages: The prompts, then the turns of tools, those of earlier attempts first.
    """

    config: LlmAgentConfig
    toolbox: Toolbox
    messages: list[Message]
    _rounds: int = field(default=0, init=False)
    _calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.messages = [*self.messages, *self.toolbox.earlier()]

    async def answer(self, asker: ModelCaller) -> Json:
        """Talk to one model until it answers.

        Returns:
            The text, or with a ``response_schema`` the value that fits it.

        Raises:
            ModelFailed: It does not: a code of ``runs.providers.errors``, LLM_REPLY_CUT, LLM_REPLY_EMPTY,
                LLM_REPLY_INVALID, LLM_TOO_MANY_TOOL_CALLS, a budget without room, or a gate that is closed for now.
            StepFailed: A tool's connection cannot be used, or the answer is larger than a value may be.
            Defer: The gate of a tool's connection is closed for longer than the attempt may take.
        """
        self.toolbox.begin_anew()
        self.messages = with_plain_ids(self.messages)
        mended: list[Message] = []
        while True:
            reply = await asker.ask(self._request(asker, mended))
            if is_truncated(reply):
                raise ModelFailed(ReplyTruncated(reply, self.config.max_tokens))
            if reply.tool_calls:
                mended = await self._use_tools(reply, mended)
                continue
            if not reply.text.strip():
                raise ModelFailed(reply_empty(reply))
            if self.config.response_schema is None:
                return reply.text
            value, problems = await self._read(asker, reply)
            if not problems:
                return value
            if mended:
                raise ModelFailed(reply_invalid(problems))
            mended = [Message("assistant", reply.text), Message("user", repair_request(problems))]

    async def _read(self, asker: ModelCaller, reply: CompletionReply) -> tuple[Json, list[ErrorItem]]:
        """Hold an answer against the schema; secrets are cut out of it."""
        schema = self.config.response_schema or {}
        sent = SentTexts(message.text for message in self.messages)
        tenant, secrets = asker.call.context.tenant_id, asker.model.secrets()
        try:
            return await read_reply(tenant, reply.text, schema, sent=sent, secrets=secrets)
        except ValueTooLarge as error:
            raise answer_too_large(error, reply.text) from error

    async def _use_tools(self, reply: CompletionReply, mended: list[Message]) -> list[Message]:
        """Do all the model asks for, one after the other; give what is to mend its answer.

        Where there are no tools it is told so, unless something was to be mended already.
        """
        if not self.config.tools:
            if mended:
                raise ModelFailed(_too_many_calls("The model asked for tools, but the step has none.", reply))
            return [Message("assistant", _turn_text(reply)), Message("user", _NO_TOOLS)]
        self._rounds += 1
        self._calls += len(reply.tool_calls)
        if self._rounds > MAX_ROUNDS or self._calls > MAX_CALLS:
            message = f"The model asked for tools in more than {MAX_ROUNDS} turns, or more than {MAX_CALLS} times."
            raise ModelFailed(_too_many_calls(message, reply))
        answers = [Message("tool", await self.toolbox.use(one), call_id=one.call_id) for one in reply.tool_calls]
        self.messages += [Message("assistant", reply.text, tool_calls=reply.tool_calls, kept=reply.kept), *answers]
        return mended

    def _request(self, asker: ModelCaller, mended: Sequence[Message]) -> CompletionRequest:
        return CompletionRequest(
            model=asker.name,
            messages=[*self.messages, *mended],
            temperature=self.config.temperature,
            max_tokens=self.config.max_tokens,
            response_schema=self.config.response_schema,
            tools=self.toolbox.offered(),
            idempotency_key=asker.call.next_key(),
            tenant=asker.call.context.tenant_id,
            top_p=self.config.top_p,
            stop=self.config.stop or (),
            extra=self.config.extra or {},
        )


def _too_many_calls(message: str, reply: CompletionReply) -> StepFailed:
    """Say that a model asks for tools and does not answer; what it said beside them is kept."""
    names: list[Json] = [call.name for call in reply.tool_calls[:MAX_CALLS]]
    details: dict[str, Json] = {"tools": names, **(kept_text(reply.text) if reply.text else {})}
    return StepFailed("LLM_TOO_MANY_TOOL_CALLS", message, details=details)


def _turn_text(reply: CompletionReply) -> str:
    """Write a turn that asked for tools nobody offered as words, since services take no calls of such tools back."""
    return reply.text or f"I call {', '.join(call.name for call in reply.tool_calls[:MAX_CALLS])}."
