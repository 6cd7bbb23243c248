"""The chat completions of OpenAI, and of the many servers that speak their format."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from operator import eq
from typing import Any, ClassVar, cast

import httpx

from kernel.types import Json
from kernel.values import dump_json
from runs.providers.chunks import (
    CALLS,
    DIALECT,
    PLACE,
    SENT_BACK,
    Chunks,
    first_of,
    left_out_of,
    read_calls,
    read_content,
    refusal_in,
    separate_reasoning,
    usage_of,
    written_calls,
)
from runs.providers.errors import ServiceError, code_of, failed
from runs.providers.finish_reasons import FinishReasons
from runs.providers.model_json import answer_schema, as_object
from runs.providers.reading.members import holds_words, members_of, object_of, text_of
from runs.providers.reading.tool_calls import in_turns, name_sent_back
from runs.providers.reasoning import without_end_marks, without_reasoning
from runs.providers.sdk_provider import REFUSED, STREAM, Lacks, SdkProvider, has_no_stream
from runs.providers.text_calls.calls import text_calls_in
from runs.providers.tokens import counted, estimated, whole_number
from runs.step_api.language_models import (
    CompletionReply,
    CompletionRequest,
    Kept,
    Message,
    ProviderOptions,
    TokenCount,
    Tool,
)

_VENDOR = re.compile(r"https://(?:[\w-]+\.)*openai\.com(?:[:/]|$)", re.IGNORECASE)
_NO_SYSTEM = re.compile(
    r"system.{0,40}(?:not|un)\W?.{0,10}support|(?:not|un)\W?.{0,10}support.{0,20}system|developer instruction",
    re.IGNORECASE | re.DOTALL,
)
_NEEDS_TURNS = re.compile(
    r"roles must alternate|only user and assistant roles|system message must be (?:at the beginning|(?:the )?first)",
    re.IGNORECASE,
)
"""Templates of models say so where a system prompt is the first turn, or is not, or one speaks twice."""
_NO_SCHEMA = re.compile(
    r"json.?schema|grammar|response mime type|json mode cannot be combined|failed to generate json"
    r"|can handle the requested parameters",
    re.IGNORECASE,
)
"""A service cannot hold a model to a schema, or not to this one, or not beside tools."""
_NO_ROUTE = httpx.codes.NOT_FOUND
"""Status of a gateway whose services all lack something."""
_LIMITS = ("max_completion_tokens", "max_tokens")
_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), ("total_tokens",))


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
            "messages": [_write_message(message, request.model) for message in _turns(request, lacks)],
            other if preferred in lacks else preferred: request.max_tokens,
        }
        choices: dict[str, Json] = {"temperature": request.temperature, "top_p": request.top_p}
        body |= {name: value for name, value in choices.items() if value is not None and name not in lacks}
        if request.stop:
            body["stop"] = list(request.stop)
        if request.tools:
            body["tools"] = [_write_tool(tool) for tool in request.tools]
        if request.response_schema is not None and (wanted := _answer_format(request.response_schema, lacks)):
            body["response_format"] = wanted
        if streamed:
            body["stream"] = True
            if "stream_options" not in lacks:
                body["stream_options"] = {"include_usage": True}
        return {**request.extra, **body}

    def read(self, answer: Json, request: CompletionRequest, request_id: str | None) -> CompletionReply:
        """Read an answer."""
        choices, message = _read_choices(answer)
        whole = object_of(answer)
        calls, is_lost = read_calls(message, request)
        content, thought = read_content(message.get("content"))
        text, thoughts = without_reasoning(content)
        reasoning = separate_reasoning(message) or thought or thoughts
        ends = FinishReasons(PLACE, request.stop)
        for members in (whole, *choices):
            ends.note_all(members)
        spoken = text_calls_in(text, request, has_calls=bool(calls) or is_lost)
        text = without_end_marks(spoken.text)
        calls = calls or read_calls({"tool_calls": spoken.written()}, request)[0]
        finish = ends.finish_of(request, has_calls=bool(calls), is_lost=is_lost or spoken.is_lost)
        if refusal := refusal_in(message) or refusal_in(whole):
            text, finish = refusal, "refused"
        elif finish == "filtered" and not text:
            finish = "refused"
        elif request.response_schema is not None and not calls:
            text = answer_schema(request.response_schema).read(text)
        if finish == "stop" and not (text or reasoning or calls) and holds_words(message.get("content")):
            raise failed("LLM_REPLY_UNREADABLE")
        return CompletionReply(
            text=text,
            model=text_of(whole.get("model"), request.model),
            tokens=_read_usage(usage_of(whole)) or estimated(request, text + reasoning, calls),
            finish_reason=finish,
            tool_calls=calls,
            request_id=request_id,
            reasoning=reasoning,
            kept=_kept(message, request) if calls else None,
            finish_word=ends.unknown,
            left_out=tuple(left_out_of(message)),
        )

    def usage(self, answer: Json) -> TokenCount | None:
        """Read what an answer took, if it says so."""
        return _read_usage(usage_of(answer)) if isinstance(answer, dict) else None

    def gather(self, request: CompletionRequest) -> "Chunks":
        """Begin an answer that comes in pieces."""
        return Chunks(request)

    def missing(self, service_error: ServiceError, body: Mapping[str, Json], lacks: Lacks) -> str | None:
        """Tell which part of a refused request can be left out or written otherwise."""
        wanted = body.get("response_format")
        kind = str(wanted["type"]) if isinstance(wanted, dict) else None
        if kind is not None and _is_about_format(service_error, kind):
            return kind
        if body.get("stream") and has_no_stream(service_error):
            return STREAM
        if "system" not in lacks and service_error.status in REFUSED and _has_no_system(service_error, body):
            return "system"
        for name in (self._limits[0], "temperature", "top_p", "stream_options"):
            if name in body and service_error.is_for_good and service_error.is_about(name):
                return name
        # Many words against a schema are a service's own, and some say nothing at all.
        return kind if code_of(service_error) == "LLM_BAD_REQUEST" else None


def _is_about_format(service_error: ServiceError, kind: str) -> bool:
    is_lost = service_error.status == httpx.codes.INTERNAL_SERVER_ERROR
    is_refused = service_error.status in (*REFUSED, _NO_ROUTE) and _NO_SCHEMA.search(service_error.text) is not None
    return is_lost or is_refused or service_error.is_about("response_format") or service_error.is_about(kind)


def _has_no_system(service_error: ServiceError, body: Mapping[str, Json]) -> bool:
    """Tell whether the model has no system role: services say so, or what its template says of other turns."""
    if _NO_SYSTEM.search(service_error.text):
        return True
    roles = [turn["role"] for turn in cast("list[dict[str, Json]]", body["messages"])]
    is_odd = "system" in roles or roles[0] == "assistant" or any(map(eq, roles, roles[1:]))
    return is_odd and _NEEDS_TURNS.search(service_error.text) is not None


def _turns(request: CompletionRequest, lacks: Lacks) -> list[Message]:
    """Give the turns as the model takes them: what it cannot be told apart goes in words, without a system too."""
    turns = list(request.messages)
    if request.response_schema is not None and "json_schema" in lacks:
        instruction = answer_schema(request.response_schema).instruction
        first = next((message.text for message in turns[:1] if message.role == "system"), None)
        turns = [
            Message("system", instruction if first is None else f"{first}\n\n{instruction}"),
            *turns[first is not None :],
        ]
    if "system" not in lacks:
        return turns
    system = "\n\n".join(message.text for message in turns if message.role == "system")
    turns = in_turns(message for message in turns if message.role != "system")
    place = next(place for place, message in enumerate(turns) if message.role == "user")
    turns[place] = replace(turns[place], text=f"{system}\n\n{turns[place].text}" if system else turns[place].text)
    return turns


def _write_message(message: Message, model: str) -> dict[str, Json]:
    kept = message.kept
    is_its_own = kept is not None and (kept.dialect, kept.model) == (DIALECT, model)
    parts: Mapping[str, Json] = kept.parts if kept is not None and is_its_own else {}
    extras = cast("Sequence[Json]", parts.get(CALLS, ()))
    written: dict[str, Json] = {"role": message.role, "content": message.text}
    written |= {name: value for name, value in parts.items() if name != CALLS}
    if message.tool_calls:
        written["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {
                    "name": name_sent_back(call.name),
                    "arguments": dump_json(as_object(call.arguments)),
                },
                **({"extra_content": extra} if extra else {}),
            }
            for call, extra in zip_longest(message.tool_calls, extras[: len(message.tool_calls)])
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


def _answer_format(asked: Mapping[str, Json], lacks: Lacks) -> Json:
    """Ask for an answer by schema; of a server that knows none for JSON; of one that knows neither in words only."""
    schema = answer_schema(asked)
    if "json_schema" not in lacks:
        described: dict[str, Json] = {"name": "answer", "schema": schema.schema, "strict": schema.is_strict}
        return {"type": "json_schema", "json_schema": described}
    return None if "json_object" in lacks else {"type": "json_object"}


def _read_choices(answer: Json) -> tuple[list[dict[str, Json]], dict[str, Json]]:
    """Give the first choice and its message, with the calls of another where it has none: nobody asks for several."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = first_of(choices)
    message = _message_of(choice)
    if not isinstance(message, dict):
        raise failed("LLM_REPLY_UNREADABLE")
    if written_calls(message):
        return [choice], message
    others = ((one, members_of(_message_of(one))) for one in cast("list[dict[str, Json]]", choices))
    for other, said in others:
        if calls := written_calls(said):
            content = message.get("content") or said.get("content")
            return [choice, other], {**message, "content": content, "tool_calls": cast("Json", calls)}
    return [choice], message


def _message_of(choice: Mapping[str, Json]) -> Json:
    return choice.get("message") or choice.get("delta")


def _kept(message: Mapping[str, Json], request: CompletionRequest) -> Kept | None:
    """Keep what reasoning models want back with their calls: their reasoning, and what signs it."""
    parts: dict[str, Json] = {name: message[name] for name in SENT_BACK if message.get(name)}
    extras: list[Json] = [call.get("extra_content") for call in written_calls(message)]
    if any(extras):
        parts[CALLS] = extras
    return Kept(DIALECT, request.model, parts) if parts else None


def _read_usage(usage: Any) -> TokenCount | None:
    """Read a count.

    What was thought is counted too where it stands beside the answer's tokens: by itself, or only in the total, unless
    that has the part of the prompt beyond its parts that was kept.
    """
    if not isinstance(usage, dict):
        return None
    read, written, total = (whole_number(_told(usage, names)) for names in _COUNTS)
    if read is None or (written is None and total is None):
        return None
    if written is None:
        return counted(read, cast("int", total) - read)
    thought = whole_number(members_of(usage.get("completion_tokens_details")).get("reasoning_tokens")) or 0
    kept = whole_number(members_of(usage.get("prompt_tokens_details")).get("cached_tokens"))
    beyond = (total or 0) - read - written
    if beyond > 0 and beyond == kept:
        return counted(read + beyond, written)
    return counted(read, written + max(beyond, thought if thought > written else 0, 0))


def _told(usage: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((usage[name] for name in names if usage.get(name) is not None), None)
