"""The messages of Anthropic."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from kernel.values import Json, dump_json
from runs.providers.answers import answer_schema, read_arguments
from runs.providers.base import (
    CompletionReply,
    CompletionRequest,
    Message,
    ProviderOptions,
    TokenCount,
    ToolCall,
)
from runs.providers.errors import Complaint, failed
from runs.providers.finishes import finish_of
from runs.providers.through_sdk import Lacks, SdkProvider
from runs.providers.tokens import counted, estimated

HIGHEST_TEMPERATURE = 1.0

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
        }
        if request.temperature is not None and "temperature" not in lacks:
            # The scale ends at 1 here, and at 2 elsewhere.
            body["temperature"] = min(request.temperature, HIGHEST_TEMPERATURE)
        tools: list[Json] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in request.tools
        ]
        if request.response_schema is not None:
            schema = answer_schema(request.response_schema)
            if "tool_choice" in lacks:
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
        return body

    def read(self, answer: Json, request: CompletionRequest, request_id: str | None) -> CompletionReply:
        """Read an answer; the input of the answer's tool is its text, and no call."""
        if not isinstance(answer, dict) or not isinstance(answer.get("content"), list):
            raise failed("LLM_REPLY_UNREADABLE")
        text, calls, given = _read_blocks(cast("list[Json]", answer["content"]), _answer_tool(request))
        finish = finish_of(answer.get("stop_reason"))
        if given is not None and not calls:
            text = given
            finish = "stop" if finish == "tool_calls" else finish
        if request.response_schema is not None and not calls and finish != "refused":
            text = answer_schema(request.response_schema).read(text)
        return CompletionReply(
            text=text,
            model=str(answer.get("model") or request.model),
            tokens=_read_usage(answer.get("usage")) or estimated(request, text, calls),
            finish_reason=finish,
            tool_calls=calls,
            request_id=request_id,
        )

    def gather(self, request: CompletionRequest) -> "Events":
        """Begin an answer that comes in pieces."""
        return Events(_answer_tool(request))

    def missing(self, complaint: Complaint, body: Mapping[str, Json]) -> str | None:
        """Tell which part of a refused request can be left out or written otherwise."""
        if "tool_choice" in body and complaint.is_about("tool_choice"):
            return "tool_choice"
        if "temperature" in body and complaint.is_about("temperature") and complaint.is_for_good:
            return "temperature"
        return None


class Events:
    """An answer in pieces."""

    def __init__(self, answer_tool: str | None) -> None:
        self._answer_tool = answer_tool
        self._message: dict[str, Any] = {}
        self._blocks: dict[Any, dict[str, Any]] = {}
        self._pieces: dict[Any, list[str]] = {}
        self._is_complete = False

    def add(self, event: Any) -> str:
        """Take the next piece; returns the text in it, of the answer's tool too."""
        try:
            return self._add(event)
        except (AttributeError, KeyError, TypeError):
            raise failed("LLM_REPLY_UNREADABLE") from None

    def answer(self) -> Json:
        """Give the answer as if it had come in one."""
        if not self._is_complete:
            raise failed("LLM_CONNECTION_FAILED")
        content = []
        for index, block in self._blocks.items():
            text = "".join(self._pieces[index])
            if block["type"] == "tool_use":
                content.append(block | {"input": read_arguments(text)})
            else:
                content.append(block | {"text": text})
        return cast("Json", self._message | {"content": content})

    def _add(self, event: Any) -> str:
        kind = event["type"]
        if kind == "message_start":
            self._message = dict(event["message"])
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event["content_block"])
            self._pieces[event["index"]] = []
        elif kind == "content_block_delta":
            return self._add_piece(event["index"], event["delta"])
        elif kind == "message_delta":
            told = {name: count for name, count in (event.get("usage") or {}).items() if count is not None}
            usage = (self._message.get("usage") or {}) | told
            self._message |= {"stop_reason": event["delta"].get("stop_reason"), "usage": usage}
        elif kind == "message_stop":
            self._is_complete = True
        return ""

    def _add_piece(self, index: Any, delta: Any) -> str:
        if delta["type"] == "text_delta":
            self._pieces[index].append(delta["text"])
            return str(delta["text"])
        if delta["type"] == "input_json_delta":
            self._pieces[index].append(delta["partial_json"])
            if self._blocks[index].get("name") == self._answer_tool:
                return str(delta["partial_json"])
        return ""


def _write_turns(request: CompletionRequest) -> list[Json]:
    """Write the turns of user and assistant: answers of tools are a user's, all of one turn together."""
    turns: list[Json] = []
    results: list[Json] = []
    for message in request.messages:
        if message.role == "tool":
            if not results:
                turns.append({"role": "user", "content": results})
            results.append({"type": "tool_result", "tool_use_id": message.call_id, "content": message.text})
            continue
        results = []
        if message.role != "system" and (content := _write_content(message)):
            turns.append({"role": message.role, "content": content})
    return turns


def _write_content(message: Message) -> list[Json]:
    """Write the blocks of a turn; an empty text is none."""
    content: list[Json] = [{"type": "text", "text": message.text}] if message.text else []
    for call in message.tool_calls:
        given: Json = call.arguments if isinstance(call.arguments, dict) else {"arguments": call.arguments}
        content.append({"type": "tool_use", "id": call.call_id, "name": call.name, "input": given})
    return content


def _answer_tool(request: CompletionRequest) -> str | None:
    """Name the tool whose input is the answer, as no other tool is named."""
    if request.response_schema is None:
        return None
    name = "give_answer"
    while any(tool.name == name for tool in request.tools):
        name += "_"
    return name


def _read_blocks(content: list[Json], answer_tool: str | None) -> tuple[str, tuple[ToolCall, ...], str | None]:
    """Read text, calls, and what was given as the answer; kinds of blocks we did not ask for are passed over."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    given: str | None = None
    for block in content:
        if not isinstance(block, dict):
            raise failed("LLM_REPLY_UNREADABLE")
        if block.get("type") == "text":
            texts.append(str(block.get("text") or ""))
        elif block.get("type") == "tool_use" and block.get("name") == answer_tool:
            value = block.get("input")
            given = value if isinstance(value, str) else dump_json(value)
        elif block.get("type") == "tool_use":
            calls.append(ToolCall(str(block.get("id")), str(block.get("name")), block.get("input")))
    return "".join(texts), tuple(calls), given


def _read_usage(usage: Any) -> TokenCount | None:
    if not isinstance(usage, dict):
        return None
    parts = [usage.get(name) or 0 for name in _INPUT_TOKENS]
    return counted(sum(parts) if all(isinstance(part, int) for part in parts) else None, usage.get("output_tokens"))
