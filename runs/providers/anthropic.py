"""The messages of Anthropic."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from kernel.types import Json
from kernel.values import dump_json
from runs.providers.errors import ServiceError, failed
from runs.providers.finish_reasons import FinishReasons
from runs.providers.model_json import answer_schema, as_object
from runs.providers.reading.members import holds_words, object_of, strictly_words_of, text_of
from runs.providers.reading.message_events import PLACE, MessageEvents
from runs.providers.reading.tool_calls import OPENING, WrittenCall, name_sent_back, read_tool_calls
from runs.providers.reasoning import without_reasoning
from runs.providers.sdk_provider import STREAM, Lacks, SdkProvider, has_no_stream
from runs.providers.text_calls.calls import text_calls_in
from runs.providers.text_calls.intended_calls import TextCall
from runs.providers.tokens import counted, estimated, whole_number
from runs.step_api.language_models import (
    CompletionReply,
    CompletionRequest,
    Kept,
    Message,
    ProviderOptions,
    TokenCount,
    Tool,
    ToolCall,
)

DIALECT = "anthropic"
HIGHEST_TEMPERATURE = 1.0

_SENT_BACK = ("thinking", "redacted_thinking")
_BY_MEMBER = {"text": "text", "input": "tool_use", "thinking": "thinking"}
_INPUT_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class AnthropicProvider(SdkProvider):
    """Asks models of Anthropic, or of a server that speaks its format, by the connection's base address."""

    default_base_url: ClassVar[str | None] = "https://api.anthropic.com"

    def __init__(self, options: ProviderOptions) -> None:
        super().__init__(options, Messages(), "runs.providers.anthropic_sdk")


class Messages:
    """The wire format.

    An answer by schema is asked for as the input of a tool the model has to use, which every model and any schema
    can be held to; other tools may be on offer beside it.
    """

    def write(self, request: CompletionRequest, lacks: Lacks, *, streamed: bool) -> dict[str, Json]:
        """Write a request, without what the model lacks."""
        system = [message.text for message in request.messages if message.role == "system" and message.text]
        body: dict[str, Json] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "messages": _write_turns(request),
            **_write_choices(request, lacks),
        }
        tools: list[Json] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in request.tools
        ]
        if request.response_schema is not None:
            schema = answer_schema(request.response_schema)
            if not lacks.isdisjoint(("tool_choice", "json_schema")):
                system.append(schema.instruction)
            else:
                name = _answer_tool(request)
                tools.append({"name": name, "description": "Give the answer.", "input_schema": schema.schema})
                body["tool_choice"] = {"type": "any"} if request.tools else {"type": "tool", "name": name}
        if tools:
            body["tools"] = tools
        if system:
            body["system"] = "\n\n".join(system)
        if streamed:
            body["stream"] = True
        return {**request.extra, **body}

    def read(self, answer: Json, request: CompletionRequest, request_id: str | None) -> CompletionReply:
        """Read an answer; the input of the answer's tool is its text, and no call."""
        members = object_of(answer)
        blocks = _blocks(members.get("content"))
        written, thought = without_reasoning(_texts(blocks, "text"))
        has_calls = any(block.get("type") == "tool_use" for block in blocks)
        spoken = text_calls_in(written, request, has_calls=has_calls, also=_answer_tools(request))
        calls, given, is_lost = _read_calls([*blocks, *map(_block_of, spoken.calls)], request)
        text = spoken.text
        reasoning = _texts(blocks, "thinking") or thought
        ends = FinishReasons(PLACE, request.stop)
        ends.note_all(members)
        has_calls = bool(calls) or given is not None
        finish = ends.finish_of(request, has_calls=has_calls, is_lost=is_lost or spoken.is_lost)
        if given is not None and not calls:
            text = given
            finish = "stop" if finish == "tool_calls" else finish
        if request.response_schema is not None and not calls and finish != "refused":
            text = answer_schema(request.response_schema).read(text)
        if finish == "stop" and not (text or reasoning or calls) and _holds_more(blocks):
            raise failed("LLM_REPLY_UNREADABLE")
        return CompletionReply(
            text=text,
            model=text_of(members.get("model"), request.model),
            tokens=_read_usage(members.get("usage")) or estimated(request, text + reasoning, calls),
            finish_reason=finish,
            tool_calls=calls,
            request_id=request_id,
            reasoning=reasoning,
            kept=_kept(blocks, request) if calls else None,
            finish_word=ends.unknown,
        )

    def usage(self, answer: Json) -> TokenCount | None:
        """Read what an answer took, if it says so."""
        return _read_usage(answer.get("usage")) if isinstance(answer, dict) else None

    def gather(self, request: CompletionRequest) -> MessageEvents:
        """Begin an answer that comes in pieces."""
        return MessageEvents(_answer_tool(request), request.stop)

    def missing(self, service_error: ServiceError, body: Mapping[str, Json], lacks: Lacks) -> str | None:
        """Tell which part of a refused request can be left out or written otherwise."""
        if "tool_choice" in body and service_error.is_about("tool_choice"):
            return "tool_choice"
        if body.get("stream") and has_no_stream(service_error):
            return STREAM
        if not service_error.is_for_good:
            return None
        return next((name for name in ("temperature", "top_p") if name in body and service_error.is_about(name)), None)


def _write_choices(request: CompletionRequest, lacks: Lacks) -> dict[str, Json]:
    """Write how the model chooses its words, and where it ends."""
    written: dict[str, Json] = {}
    if request.temperature is not None and "temperature" not in lacks:
        # The scale ends at 1 here, and at 2 elsewhere.
        written["temperature"] = min(request.temperature, HIGHEST_TEMPERATURE)
    if request.top_p is not None and "top_p" not in lacks:
        written["top_p"] = request.top_p
    if request.stop:
        written["stop_sequences"] = list(request.stop)
    return written


def _write_turns(request: CompletionRequest) -> list[Json]:
    """Write the turns of user and assistant: answers of tools are a user's, all of one turn together.

    A user's comes first, as it has to.
    """
    turns: list[Json] = []
    results: list[Json] = []
    for message in request.messages:
        if message.role == "tool":
            if not results:
                turns.append({"role": "user", "content": results})
            results.append({"type": "tool_result", "tool_use_id": message.call_id, "content": message.text})
            continue
        results = []
        if message.role != "system" and (content := _write_content(message, request.model)):
            if not turns and message.role == "assistant":
                turns.append({"role": "user", "content": OPENING})
            turns.append({"role": message.role, "content": content})
    return turns


def _write_content(message: Message, model: str) -> list[Json]:
    """Write the blocks of a turn; a blank text is none, and is refused as one."""
    kept = message.kept
    is_its_own = kept is not None and (kept.dialect, kept.model) == (DIALECT, model)
    content = list(cast("list[Json]", kept.parts["thoughts"])) if kept is not None and is_its_own else []
    if message.text.strip():
        content.append({"type": "text", "text": message.text})
    for call in message.tool_calls:
        given = as_object(call.arguments)
        content.append({"type": "tool_use", "id": call.call_id, "name": name_sent_back(call.name), "input": given})
    return content


def _answer_tool(request: CompletionRequest) -> str | None:
    """Name the tool whose input is the answer, as no other tool is named."""
    if request.response_schema is None:
        return None
    name = "give_answer"
    while any(tool.name == name for tool in request.tools):
        name += "_"
    return name


def _answer_tools(request: CompletionRequest) -> list[Tool]:
    name = _answer_tool(request)
    return [] if name is None else [Tool(name, "", answer_schema(request.response_schema or {}).schema)]


def _block_of(call: TextCall) -> dict[str, Json]:
    return {"type": "tool_use", "name": call.name, "input": call.arguments}


def _blocks(content: Any) -> list[dict[str, Any]]:
    """Give the blocks of a message: a list of them, one alone, or a text in their place."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    found = content if isinstance(content, list) else [content]
    return [_typed(object_of(block)) for block in found]


def _typed(block: dict[str, Any]) -> dict[str, Any]:
    """Give a block the type that its members tell, where it names none."""
    if isinstance(block.get("type"), str):
        return block
    kind = next((kind for name, kind in _BY_MEMBER.items() if name in block), "")
    return {**block, "type": kind}


def _texts(blocks: list[dict[str, Any]], kind: str) -> str:
    return "".join(strictly_words_of(block.get(kind)) for block in blocks if block.get("type") == kind)


def _holds_more(blocks: list[dict[str, Any]]) -> bool:
    """Whether an answer without text has words in blocks that nobody knows."""
    return any(holds_words(block) for block in blocks if block["type"] not in _SENT_BACK)


def _read_calls(
    blocks: list[dict[str, Any]], request: CompletionRequest
) -> tuple[tuple[ToolCall, ...], str | None, bool]:
    """Read the calls, what was given as the answer (of several that differ, all), and whether a call is lost."""
    answer_tool = _answer_tool(request)
    used = [block for block in blocks if block.get("type") == "tool_use"]
    is_answer = [answer_tool is not None and block.get("name") == answer_tool for block in used]
    inputs = [block.get("input") for block, is_given in zip(used, is_answer, strict=True) if is_given]
    given = dict.fromkeys(one if isinstance(one, str) else dump_json(one) for one in inputs)
    written = [
        WrittenCall(block.get("id"), block.get("name"), block.get("input"))
        for block, is_given in zip(used, is_answer, strict=True)
        if not is_given
    ]
    calls, is_lost = read_tool_calls(written, request)
    return calls, "\n".join(given) if given else None, is_lost


def _kept(blocks: list[dict[str, Any]], request: CompletionRequest) -> Kept | None:
    """Keep the signed reasoning, which the service wants back with the calls of its tools."""
    thoughts: list[Json] = [block for block in blocks if block.get("type") in _SENT_BACK]
    return Kept(DIALECT, request.model, {"thoughts": thoughts}) if thoughts else None


def _read_usage(usage: Any) -> TokenCount | None:
    if not isinstance(usage, dict):
        return None
    parts = [whole_number(usage.get(name) or 0) for name in _INPUT_TOKENS]
    known = [part for part in parts if part is not None]
    return counted(sum(known) if len(known) == len(parts) else None, usage.get("output_tokens"))
