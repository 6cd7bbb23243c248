"""Journal records of model calls: the request and the answer, with secrets cut out and long texts shortened."""

from collections.abc import Mapping
from typing import Final

from kernel.types import Json
from runs.step_api.base import LanguageModel
from runs.step_api.language_models import CompletionReply, CompletionRequest, Message, ToolCall
from runs.step_api.shown_requests import shown

MAX_TURNS: Final = 20
MAX_KINDS: Final = 200
"""Characters of what is left out of an answer that are told."""


def sent_to_model(model: LanguageModel, name: str, request: CompletionRequest) -> dict[str, Json]:
    """Give a request as ``action.started`` has it: the last turns as they are filled in, and the names of the tools."""
    turns: list[Json] = [_turn(message) for message in request.messages[-MAX_TURNS:]]
    sent: dict[str, Json] = {
        "connection": model.ref,
        "host": model.endpoint.host,
        "model": name,
        "turns": len(request.messages),
        "messages": shown(turns, model.secrets()),
        "max_tokens": request.max_tokens,
    }
    if request.tools:
        sent["tools"] = [tool.name for tool in request.tools]
    if request.idempotency_key is not None:
        sent["idempotency_key"] = request.idempotency_key
    return sent


def answered(model: LanguageModel, reply: CompletionReply) -> dict[str, Json]:
    """Give an answer as ``action.completed`` has it: the text, the calls of tools, and why it ended."""
    record: dict[str, Json] = {
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "answer": shown(reply.text, model.secrets()),
    }
    if reply.reasoning:
        record["reasoning"] = shown(reply.reasoning, model.secrets())
    if reply.tool_calls:
        record["tool_calls"] = shown([_call(call) for call in reply.tool_calls], model.secrets())
    if reply.left_out:
        record["remark"] = (
            f"The answer holds more than text, which is left out: {', '.join(reply.left_out)[:MAX_KINDS]}."
        )
    if reply.request_id is not None:
        record["request_id"] = reply.request_id
    return record


def _turn(message: Message) -> dict[str, Json]:
    turn: dict[str, Json] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        turn["tool_calls"] = [_call(call) for call in message.tool_calls]
    return turn


def _call(call: ToolCall) -> dict[str, Json]:
    return {"name": call.name, "arguments": call.arguments}


def failure_of(details: Mapping[str, Json], code: str) -> dict[str, Json]:
    """Give a failure as ``action.failed`` has it."""
    return {"code": code, **({"status": details["status"]} if "status" in details else {})}
