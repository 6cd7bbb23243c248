"""The chat completions of OpenAI, and of the many servers that speak their format."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from kernel.values import Json, dump_json
from runs.providers.answers import answer_schema, read_arguments
from runs.providers.base import (
    CompletionReply,
    CompletionRequest,
    Message,
    ProviderOptions,
    TokenCount,
    Tool,
    ToolCall,
)
from runs.providers.errors import Complaint, failed
from runs.providers.finishes import finish_of
from runs.providers.through_sdk import Lacks, SdkProvider
from runs.providers.tokens import counted, estimated

_VENDOR = re.compile(r"https://(?:[\w-]+\.)*openai\.com(?:[:/]|$)", re.IGNORECASE)
_LIMITS = ("max_completion_tokens", "max_tokens")


class OpenAIProvider(SdkProvider):
    """Asks models of OpenAI, or of a server that speaks its format, by the connection's base address."""

    default_base_url: ClassVar[str | None] = "https://api.openai.com/v1"

    def __init__(self, options: ProviderOptions) -> None:
        is_vendor = options.base_url is None or _VENDOR.match(options.base_url) is not None
        super().__init__(options, ChatCompletions(is_vendor=is_vendor), "runs.providers.openai_sdk")


class ChatCompletions:
    """The wire format."""

    def __init__(self, *, is_vendor: bool) -> None:
        """Choose the name of the longest answer: OpenAI's own newer models take only the new one, others the old."""
        self._limits = _LIMITS if is_vendor else _LIMITS[::-1]

    def write(self, request: CompletionRequest, lacks: Lacks, *, streamed: bool) -> dict[str, Json]:
        """Write a request, without what the model lacks."""
        preferred, other = self._limits
        body: dict[str, Json] = {
            "model": request.model,
            "messages": [_write_message(message) for message in request.messages],
            other if preferred in lacks else preferred: request.max_tokens,
        }
        if request.temperature is not None and "temperature" not in lacks:
            body["temperature"] = request.temperature
        if request.tools:
            body["tools"] = [_write_tool(tool) for tool in request.tools]
        if request.response_schema is not None:
            _ask_for_json(body, request.response_schema, lacks)
        if streamed:
            body["stream"] = True
            if "stream_options" not in lacks:
                body["stream_options"] = {"include_usage": True}
        return body

    def read(self, answer: Json, request: CompletionRequest, request_id: str | None) -> CompletionReply:
        """Read an answer."""
        choice = _first_choice(answer)
        message = cast("dict[str, Json]", choice["message"])
        whole = cast("dict[str, Json]", answer)
        calls = _read_calls(message.get("tool_calls"))
        refusal = message.get("refusal")
        text = _read_text(message.get("content"))
        finish = finish_of(choice.get("finish_reason"))
        if isinstance(refusal, str) and refusal:
            text, finish = refusal, "refused"
        elif finish == "filtered" and not text:
            finish = "refused"
        elif calls and finish == "stop":
            finish = "tool_calls"
        elif request.response_schema is not None:
            text = answer_schema(request.response_schema).read(text)
        return CompletionReply(
            text=text,
            model=str(whole.get("model") or request.model),
            tokens=_read_usage(whole.get("usage")) or estimated(request, text, calls),
            finish_reason=finish,
            tool_calls=calls,
            request_id=request_id,
        )

    def gather(self, request: CompletionRequest) -> "Chunks":
        """Begin an answer that comes in pieces."""
        return Chunks()

    def missing(self, complaint: Complaint, body: Mapping[str, Json]) -> str | None:
        """Tell which part of a refused request can be left out or written otherwise."""
        wanted = body.get("response_format")
        if isinstance(wanted, dict):
            kind = str(wanted["type"])
            if complaint.is_about("response_format") or complaint.is_about(kind):
                return kind
        if not complaint.is_for_good:
            return None
        for name in (self._limits[0], "temperature", "stream_options"):
            if name in body and complaint.is_about(name):
                return name
        return None


class Chunks:
    """An answer in pieces."""

    def __init__(self) -> None:
        self._model: str | None = None
        self._usage: Json = None
        self._finish: str | None = None
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._calls: dict[Any, dict[str, Any]] = {}

    def add(self, event: Any) -> str:
        """Take the next piece; returns the text in it."""
        try:
            return self._add(event)
        except (AttributeError, TypeError):
            raise failed("LLM_REPLY_UNREADABLE") from None

    def _add(self, event: Any) -> str:
        self._model = event.get("model") or self._model
        self._usage = event.get("usage") or self._usage
        choices = event.get("choices")
        if not choices:
            return ""
        choice = _first(choices)
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta") or {}
        for place, call in enumerate(delta.get("tool_calls") or ()):
            self._add_call(place, call)
        for name, texts in self._texts.items():
            if isinstance(delta.get(name), str):
                texts.append(delta[name])
        return _read_text(delta.get("content"))

    def answer(self) -> Json:
        """Give the answer as if it had come in one."""
        if self._finish is None:
            raise failed("LLM_CONNECTION_FAILED")
        message = {name: "".join(texts) for name, texts in self._texts.items()}
        calls = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
            for call in self._calls.values()
        ]
        return cast(
            "Json",
            {
                "model": self._model,
                "usage": self._usage,
                "choices": [{"message": message | {"tool_calls": calls}, "finish_reason": self._finish}],
            },
        )

    def _add_call(self, place: int, piece: Any) -> None:
        """Add a piece of a call; some servers send whole calls, and number none or all alike."""
        key = piece.get("index", place)
        known = self._calls.get(key)
        if known is not None and piece.get("id") and known["id"] and piece["id"] != known["id"]:
            key = piece["id"]
            known = self._calls.get(key)
        if known is None:
            known = self._calls[key] = {"id": None, "name": "", "arguments": []}
        known["id"] = known["id"] or piece.get("id")
        told = piece.get("function") or {}
        known["name"] = known["name"] or told.get("name") or ""
        known["arguments"].append(str(told.get("arguments") or ""))


def _write_message(message: Message) -> dict[str, Json]:
    written: dict[str, Json] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        written["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": call.arguments if isinstance(call.arguments, str) else dump_json(call.arguments),
                },
            }
            for call in message.tool_calls
        ]
    if message.call_id is not None:
        written["tool_call_id"] = message.call_id
    return written


def _write_tool(tool: Tool) -> dict[str, Json]:
    function: dict[str, Json] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def _ask_for_json(body: dict[str, Json], asked: Mapping[str, Json], lacks: Lacks) -> None:
    """Ask for an answer by schema; of a server that knows none for JSON; of one that knows neither in words."""
    schema = answer_schema(asked)
    if "json_schema" not in lacks:
        described: dict[str, Json] = {"name": "answer", "schema": schema.schema, "strict": schema.is_strict}
        body["response_format"] = {"type": "json_schema", "json_schema": described}
        return
    cast("list[Json]", body["messages"]).insert(0, {"role": "system", "content": schema.instruction})
    if "json_object" not in lacks:
        body["response_format"] = {"type": "json_object"}


def _first_choice(answer: Json) -> dict[str, Json]:
    choice = _first(answer.get("choices") if isinstance(answer, dict) else None)
    if not isinstance(choice.get("message"), dict):
        raise failed("LLM_REPLY_UNREADABLE")
    return choice


def _first(choices: Any) -> dict[str, Any]:
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise failed("LLM_REPLY_UNREADABLE")
    return choices[0]


def _read_text(content: Any) -> str:
    """Read a text, or the texts of parts."""
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content if isinstance(content, list) else ()
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _read_calls(calls: Any) -> tuple[ToolCall, ...]:
    try:
        return tuple(
            ToolCall(
                call_id=str(call.get("id") or f"call_{place}"),
                name=str(call["function"]["name"]),
                arguments=read_arguments(call["function"].get("arguments")),
            )
            for place, call in enumerate(calls or ())
        )
    except (AttributeError, KeyError, TypeError):
        raise failed("LLM_REPLY_UNREADABLE") from None


def _read_usage(usage: Any) -> TokenCount | None:
    if not isinstance(usage, dict):
        return None
    return counted(usage.get("prompt_tokens"), usage.get("completion_tokens"))
