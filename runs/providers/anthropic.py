"""The messages of Anthropic."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from kernel.types import Json
from kernel.values import dump_json
from runs.providers.answers import answer_schema, as_object, read_arguments
from runs.providers.decoding import joined
from runs.providers.errors import ServiceError, failed
from runs.providers.finish_reasons import FinishReasons
from runs.providers.reasoning import without_reasoning
from runs.providers.text_calls.calls import text_calls_in
from runs.providers.text_calls.placing import TextCall
from runs.providers.through_sdk import STREAM, Lacks, SdkProvider, has_no_stream
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
PLACE = "stop_reason"
"""Member in which a message says why it ended."""
HIGHEST_TEMPERATURE = 1.0

_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
_BLOCKS = {"text": "text", "thinking": "thinking", "signature": "thinking", "partial_json": "tool_use"}
_TEXTS = ("text", "thinking")
_SENT_BACK = ("thinking", "redacted_thinking")
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
        if not isinstance(answer, dict):
            raise failed("LLM_REPLY_UNREADABLE")
        blocks = _blocks(answer.get("content"))
        written, thought = without_reasoning(_texts(blocks, "text"))
        has_calls = any(block.get("type") == "tool_use" for block in blocks)
        spoken = text_calls_in(written, request, has_calls=has_calls, also=_answer_tools(request))
        calls, given = _read_calls([*blocks, *map(_block_of, spoken.calls)], request)
        text = spoken.text
        reasoning = _texts(blocks, "thinking") or thought
        ends = FinishReasons(PLACE, request.stop)
        ends.note(answer)
        finish = ends.finish_of(request, has_calls=bool(calls) or given is not None, is_lost=spoken.is_lost)
        if given is not None and not calls:
            text = given
            finish = "stop" if finish == "tool_calls" else finish
        if request.response_schema is not None and not calls and finish != "refused":
            text = answer_schema(request.response_schema).read(text)
        return CompletionReply(
            text=text,
            model=str(answer.get("model") or request.model),
            tokens=_read_usage(answer.get("usage")) or estimated(request, text + reasoning, calls),
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

    def gather(self, request: CompletionRequest) -> "Events":
        """Begin an answer that comes in pieces."""
        return Events(_answer_tool(request), request.stop)

    def missing(self, service_error: ServiceError, body: Mapping[str, Json], lacks: Lacks) -> str | None:
        """Tell which part of a refused request can be left out or written otherwise."""
        if "tool_choice" in body and service_error.is_about("tool_choice"):
            return "tool_choice"
        if body.get("stream") and has_no_stream(service_error):
            return STREAM
        if not service_error.is_for_good:
            return None
        return next((name for name in ("temperature", "top_p") if name in body and service_error.is_about(name)), None)


class Events:
    """An answer in pieces: all that ``Messages`` reads of its blocks, gathered from their deltas.

    Attributes:
        has_counted: Whether the service told how much it has said so far; what it tells at the start is no count yet.
    """

    def __init__(self, answer_tool: str | None, stop: Sequence[str]) -> None:
        self._answer_tool = answer_tool
        self._ends = FinishReasons(PLACE, stop)
        self._message: dict[str, Any] = {}
        self._blocks: list[dict[str, Any]] = []
        self._pieces: list[list[str]] = []
        self._places: dict[Any, int] = {}
        self._is_complete = False
        self.has_counted = False

    def add(self, event: Any) -> str:
        """Take the next piece; returns the text in it, of the answer's tool too."""
        try:
            return self._add(event)
        except (AttributeError, KeyError, TypeError):
            raise failed("LLM_REPLY_UNREADABLE") from None

    def answer(self, *, is_done: bool) -> Json:
        """Give the answer as if it had come in one."""
        if not (self._is_complete or is_done or self._ends.has_come):
            raise failed("LLM_CONNECTION_FAILED")
        content = [self._whole(block, pieces) for block, pieces in zip(self._blocks, self._pieces, strict=True)]
        return cast("Json", self._message | {"content": content, **self._ends.written()})

    @property
    def is_over(self) -> bool:
        """Whether the service said why the answer ended."""
        return self._is_complete or self._ends.has_come

    def _whole(self, block: dict[str, Any], pieces: list[str]) -> dict[str, Any]:
        kind, text = block["type"], joined(pieces)
        if kind == "tool_use":
            return block | {"input": read_arguments(text)} if text else block
        return block | {kind: text} if kind in _TEXTS else block

    def _add(self, event: Any) -> str:
        kind = event["type"]
        if kind == "message_start":
            self._message = dict(event["message"])
            self._ends.note(self._message)
        elif kind == "content_block_start":
            self._begin(event["index"], dict(event["content_block"]))
        elif kind == "content_block_delta":
            return self._add_piece(event["index"], event["delta"])
        elif kind == "message_delta":
            counts = {name: count for name, count in (event.get("usage") or {}).items() if count is not None}
            usage = (self._message.get("usage") or {}) | counts
            self._message |= {"usage": usage}
            self.has_counted = self.has_counted or "output_tokens" in counts
            self._ends.note(event, event["delta"])
        elif kind == "message_stop":
            self._is_complete = True
        return ""

    def _begin(self, index: Any, block: dict[str, Any]) -> None:
        """Begin a block: another one also under the index of one before, as gateways number all of them 0.

        One that has its id begins once.
        """
        if block.get("id") and any(one.get("id") == block["id"] for one in self._blocks):
            return
        self._places[index] = len(self._blocks)
        self._blocks.append(block)
        text = block.get(block["type"]) if block["type"] in _TEXTS else None
        self._pieces.append([text] if isinstance(text, str) else [])

    def _add_piece(self, index: Any, delta: Any) -> str:
        kind = _DELTAS.get(delta["type"])
        if kind is None:
            return ""
        if index not in self._places:
            self._begin(index, {"type": _BLOCKS[kind]})
        place = self._places[index]
        block, piece = self._blocks[place], delta[kind]
        if kind == "signature":
            block["signature"] = piece
        elif isinstance(piece, str):
            self._pieces[place].append(piece)
        else:
            block["input"] = piece
        is_heard = kind == "text" or block.get("name", "") == self._answer_tool
        return piece if is_heard and isinstance(piece, str) else ""


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
        if message.role != "system" and (content := _write_content(message, request.model)):
            turns.append({"role": message.role, "content": content})
    return turns


def _write_content(message: Message, model: str) -> list[Json]:
    """Write the blocks of a turn; an empty text is none."""
    kept = message.kept
    is_its_own = kept is not None and (kept.dialect, kept.model) == (DIALECT, model)
    content = list(cast("list[Json]", kept.parts["thoughts"])) if kept is not None and is_its_own else []
    if message.text:
        content.append({"type": "text", "text": message.text})
    for call in message.tool_calls:
        given = as_object(call.arguments)
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


def _answer_tools(request: CompletionRequest) -> list[Tool]:
    name = _answer_tool(request)
    return [] if name is None else [Tool(name, "", answer_schema(request.response_schema or {}).schema)]


def _block_of(call: TextCall) -> dict[str, Json]:
    return {"type": "tool_use", "name": call.name, "input": call.arguments}


def _blocks(content: Any) -> list[dict[str, Json]]:
    """Give the blocks of a message: a list of them, one alone, or a text in their place."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    elif isinstance(content, dict):
        content = [content]
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise failed("LLM_REPLY_UNREADABLE")
    return cast("list[dict[str, Json]]", content)


def _texts(blocks: list[dict[str, Json]], kind: str) -> str:
    return "".join(str(block.get(kind) or "") for block in blocks if block.get("type") == kind)


def _read_calls(blocks: list[dict[str, Json]], request: CompletionRequest) -> tuple[tuple[ToolCall, ...], str | None]:
    """Read the calls, each by an id of its own, and what was given as the answer: of several that differ, all."""
    answer_tool = _answer_tool(request)
    used = [block for block in blocks if block.get("type") == "tool_use"]
    inputs = [block.get("input") for block in used if block.get("name") == answer_tool]
    given = dict.fromkeys(one if isinstance(one, str) else dump_json(one) for one in inputs)
    earlier = sum(len(turn.tool_calls) for turn in request.messages)
    calls = tuple(
        ToolCall(str(block.get("id") or f"call_{place}"), str(block.get("name")), read_arguments(block.get("input")))
        for place, block in enumerate(used, earlier)
        if block.get("name") != answer_tool
    )
    return calls, "\n".join(given) if given else None


def _kept(blocks: list[dict[str, Json]], request: CompletionRequest) -> Kept | None:
    """Keep the signed reasoning, which the service wants back with the calls of its tools."""
    thoughts: list[Json] = [block for block in blocks if block.get("type") in _SENT_BACK]
    return Kept(DIALECT, request.model, {"thoughts": thoughts}) if thoughts else None


def _read_usage(usage: Any) -> TokenCount | None:
    if not isinstance(usage, dict):
        return None
    parts = [whole_number(usage.get(name) or 0) for name in _INPUT_TOKENS]
    known = [part for part in parts if part is not None]
    return counted(sum(known) if len(known) == len(parts) else None, usage.get("output_tokens"))
