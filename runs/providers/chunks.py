"""Chat completions put together from their chunks, and the parts of their messages, in the ways many servers have."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

from kernel.types import Json
from runs.providers.decoding import joined
from runs.providers.errors import failed
from runs.providers.finish_reasons import FinishReasons
from runs.providers.reading.members import holds_words, members_of, number_of, object_of, objects_of, text_of, words_of
from runs.providers.reading.tool_calls import WrittenCall, read_tool_calls
from runs.step_api.language_models import CompletionRequest, ToolCall

DIALECT: Final = "openai"
PLACE: Final = "finish_reason"
"""Member in which a choice says why its answer ended."""
CALLS: Final = "calls"
BESIDE: Final = "images"
"""Member in which OpenRouter has the pictures of a message."""
MAX_LOOKS: Final = 64
"""Most times the arguments of a call are looked at for whether they are complete."""
MAX_BESIDE: Final = 8
"""Most choices beside the one that counts that are gathered; nobody asks for any."""
REASONING: Final = ("reasoning_content", "reasoning")
_THOUGHTS: Final = ("thinking", "reasoning")
_OF_OTHERS: Final = ("message", "response", "candidates", "output", "generated_text", "completion", "delta", "done")
"""Members that pieces have in formats other than this one, such as Ollama's own."""
SENT_BACK: Final = ("reasoning_content", "reasoning_details")
"""Members that a service that gave them wants back with the calls of its tools."""


_OF_PLAIN_TEXT: Final = frozenset(("content", "role"))
"""All that most pieces have."""
_TEXTS: Final = ("text", "refusal", *_THOUGHTS)
"""Parts of a message that are said or thought."""


class Chunks:
    """An answer in pieces: all that ``OpenAIProvider`` reads of a message, gathered from the deltas."""

    def __init__(self, request: CompletionRequest) -> None:
        self._request = request
        self._beside: dict[tuple[str, int], Chunks] = {}
        self._model: str | None = None
        self._tools = [tool.name for tool in request.tools]
        self._usage: Json = None
        self._ends = FinishReasons(PLACE, request.stop)
        self._texts: dict[str, list[str]] = {"content": [], "refusal": [], **{name: [] for name in REASONING}}
        self._details: list[Json] = []
        self._left_out: dict[str, None] = {}
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._latest: dict[Any, _Call] = {}
        self._number: Any = None
        self._unread: Json = None

    def add(self, event: Any) -> str:
        """Take the next piece; returns the text in it."""
        if not isinstance(event, dict):
            raise failed("LLM_REPLY_UNREADABLE")
        self._model = event.get("model") or self._model
        self._usage = _later_of(self._usage, usage_of(event))
        choices = event.get("choices")
        if not choices:
            return self._add_apart(event)
        choice = self._own_of(choices)
        if choice is None:
            return ""
        self._ends.note(event, choice, choice.get("delta"), choice.get("message"), choice.get("details"))
        delta = choice.get("delta") or {}
        if not delta and not self._has_begun:
            delta = choice.get("message") or {}
        if not delta and choice.get("text"):
            raise failed("LLM_REPLY_UNREADABLE")
        return self._add_delta(delta)

    def answer(self, *, is_done: bool) -> Json:
        """Give the answer as if it had come in one."""
        if not (self._ends.has_come or is_done):
            raise failed("LLM_CONNECTION_FAILED")
        message: dict[str, Any] = {name: joined(texts) for name, texts in self._texts.items()}
        message["content"] = message["content"] or self._unread
        message["tool_calls"] = [call.whole() for call in self._calls]
        message["reasoning_details"] = self._details
        message[BESIDE] = [{"type": kind} for kind in self._left_out]
        choices = [{"index": self._number, "message": message, **self._ends.written()}]
        for chunks in self._beside.values():
            choices += object_of(chunks.answer(is_done=True))["choices"]
        return cast("Json", {"model": self._model, "usage": self._usage, "choices": choices})

    @property
    def has_counted(self) -> bool:
        """Whether the service told how much it has said so far."""
        return self._usage is not None

    @property
    def is_over(self) -> bool:
        """Whether the service said why the answer ended."""
        return self._ends.has_come

    @property
    def _has_begun(self) -> bool:
        return bool(self._calls or self._texts["content"])

    def _add_apart(self, event: dict[str, Any]) -> str:
        """Take what is told beside the choices."""
        self._ends.note_all(event)
        if event.get("refusal"):
            self._texts["refusal"].append(refusal_in(event))
        if "choices" not in event and any(event.get(name) for name in _OF_OTHERS):
            raise failed("LLM_REPLY_UNREADABLE")
        return ""

    def _own_of(self, choices: Any) -> dict[str, Any] | None:
        """Give the piece of the choice that came first; those of others are gathered beside it."""
        least = first_of(choices)
        self._number = least.get("index") if self._number is None else self._number
        if len(choices) == 1 and least.get("index") in (None, self._number):
            return least
        own = next((one for one in choices if one.get("index") in (None, self._number)), None)
        for place, choice in enumerate(choices):
            if choice is not own:
                number = choice.get("index")
                self._add_beside((str(number), place if number in (None, self._number) else -1), choice)
        return own

    def _add_beside(self, key: tuple[str, int], choice: dict[str, Any]) -> None:
        """Take a piece of a choice beside this one: some gateways have words and calls in two."""
        if key in self._beside or len(self._beside) < MAX_BESIDE:
            self._beside.setdefault(key, Chunks(self._request)).add({"choices": [choice]})

    def _add_delta(self, delta: Any) -> str:
        if not isinstance(delta, dict):
            raise failed("LLM_REPLY_UNREADABLE")
        plain = delta.get("content")
        if isinstance(plain, str) and _OF_PLAIN_TEXT.issuperset(delta):
            self._texts["content"].append(plain)
            return plain
        text, thought = read_content(delta.get("content"))
        self._texts["content"].append(text)
        self._texts["reasoning_content"].append(thought)
        if not (text or thought or refusal_in(delta)) and holds_words(delta.get("content")):
            self._unread = delta["content"]
        self._texts["refusal"].append(refusal_in(delta))
        self._left_out |= dict.fromkeys(left_out_of(delta))
        for name in REASONING:
            self._texts[name].append(text_of(delta.get(name)))
        if isinstance(delta.get("reasoning_details"), list):
            self._details += delta["reasoning_details"]
        for place, call in enumerate(written_calls(delta)):
            self._add_call(place, call)
        return text

    def _add_call(self, place: int, piece: dict[str, Any]) -> None:
        """Add a piece of a call; some servers send whole calls, and number none or all alike."""
        index = number_of(piece.get("index"))
        number = place if index is None else index
        known = self._latest.get(number)
        if known is None or (not known.is_again(piece) and known.is_other(piece)):
            begun = None if known is None else self._by_id.get(text_of(piece.get("id")))
            if begun is None or begun.is_complete:
                begun = _Call(self._tools)
                self._calls.append(begun)
            known = self._latest[number] = begun
        known.add(piece)
        if known.call_id:
            self._by_id[known.call_id] = known


class _Call:
    """A call in pieces."""

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = tools
        self.call_id = ""
        self._name = ""
        self._arguments: list[str] = []
        self._object: Json = None
        self._extra: Json = None
        self._looks = 0

    def is_other(self, piece: dict[str, Any]) -> bool:
        """Tell whether a piece begins another call: under another id, or with a name behind one that is complete.

        Under the same id it has arguments as well: some servers say id and name in every piece.
        """
        function = members_of(piece.get("function"))
        is_named = bool(function.get("name")) and bool(self._name)
        if not (piece.get("id") and self.call_id):
            return is_named and self.is_complete
        arguments = function.get("arguments")
        has_more = bool(arguments.strip() if isinstance(arguments, str) else arguments)
        return text_of(piece["id"]) != self.call_id or (is_named and has_more and self.is_complete)

    def add(self, piece: dict[str, Any]) -> None:
        """Take the next piece."""
        function = members_of(piece.get("function"))
        arguments = function.get("arguments")
        is_again = self.is_again(piece)
        self.call_id = self.call_id or text_of(piece.get("id"))
        if is_again:
            return
        self._add_name(text_of(function.get("name")))
        self._extra = piece.get("extra_content") or self._extra
        if isinstance(arguments, str):
            self._arguments.append(arguments)
        elif arguments:
            self._object = arguments

    def is_again(self, piece: dict[str, Any]) -> bool:
        """Tell whether a piece is the whole call once more, with or without its id and its name."""
        function = members_of(piece.get("function"))
        arguments = function.get("arguments")
        call_id = piece.get("id") or self.call_id
        is_same = call_id == (self.call_id or call_id) and function.get("name") in (None, "", self._name)
        if not is_same:
            return False
        if self._object is not None:
            return bool(arguments == self._object)
        is_written = isinstance(arguments, str) and bool(self._arguments)
        return is_written and arguments == "".join(self._arguments) and self.is_complete

    def _add_name(self, name: str) -> None:
        """Take a name, again, or the next piece of one that makes the name of a tool."""
        both = self._name + name
        is_piece = self._name not in self._tools and any(tool.startswith(both) for tool in self._tools)
        self._name = both if is_piece or not self._name else self._name

    def whole(self) -> dict[str, Json]:
        """Give the call as if it had come in one."""
        arguments = joined(self._arguments) if self._object is None else self._object
        function: dict[str, Json] = {"name": self._name, "arguments": arguments}
        return {"id": self.call_id, "function": function, "extra_content": self._extra}

    @property
    def is_complete(self) -> bool:
        """Whether all its arguments have come."""
        if self._object is not None:
            return True
        self._looks += 1
        if self._looks > MAX_LOOKS:
            return False
        try:
            return isinstance(json.loads("".join(self._arguments)), dict)
        except (ValueError, RecursionError):
            return False


def usage_of(answer: Mapping[str, Any]) -> Any:
    """Find what an answer or a piece of one says it took; Groq says so in a place of its own."""
    beside = answer.get("x_groq")
    return answer.get("usage") or (beside.get("usage") if isinstance(beside, dict) else None)


def _later_of(known: Json, usage: Any) -> Json:
    """Take the later of two counts, unless it is all zeros, as some servers end with."""
    return usage if usage and (known is None or any(members_of(usage).values())) else known


def first_of(choices: Any) -> dict[str, Any]:
    """Give the first choice: of several, which nobody asked for, that with the least number.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE: there is none.
    """
    if isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], dict):
        return choices[0]
    if not isinstance(choices, list) or not choices or not all(isinstance(one, dict) for one in choices):
        raise failed("LLM_REPLY_UNREADABLE")
    return min(choices, key=lambda one: one["index"] if type(one.get("index")) is int else 0)


def read_content(content: Any) -> tuple[str, str]:
    """Read a text, the texts of parts, or a value in place of its JSON; returns what is said, and what is thought."""
    if isinstance(content, str):
        return content, ""
    if content is None or isinstance(content, list):
        parts: Sequence[Any] = content or ()
    elif _is_part(content):
        parts = (content,)
    else:
        return json.dumps(content, ensure_ascii=False), ""
    text, thought = "", ""
    for part in parts:
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict) and part.get("type") in _THOUGHTS:
            thought += read_content(part.get("thinking") or part.get("text"))[0]
        elif isinstance(part, list | dict):
            text += words_of(part)
    return text, thought


def _is_part(content: Any) -> bool:
    """Tell a part that stands alone from a value: it has a text, or what its type says."""
    if not isinstance(content, dict):
        return False
    kind = content.get("type")
    return isinstance(content.get("text"), str) or (isinstance(kind, str) and (kind in content or kind in _THOUGHTS))


def refusal_in(message: Mapping[str, Any]) -> str:
    """Read why a model refuses, which a message has apart or among its parts."""
    refusal, content = message.get("refusal"), message.get("content")
    parts = content if isinstance(content, list) else [content]
    found = [part.get("refusal") for part in parts if isinstance(part, dict) and part.get("type") == "refusal"]
    return "".join(text for text in (refusal, *found) if isinstance(text, str))


def left_out_of(message: Mapping[str, Any]) -> list[str]:
    """Name the kinds of parts that are not text, such as pictures: a step's answer cannot hold them."""
    content, beside = message.get("content"), message.get(BESIDE)
    parts = [*(content if isinstance(content, list) else ()), *(beside if isinstance(beside, list) else ())]
    kinds = [part.get("type") for part in parts if isinstance(part, dict) and not isinstance(part.get("text"), str)]
    found = [kind for kind in kinds if isinstance(kind, str) and kind not in _TEXTS]
    return list(dict.fromkeys((*found, *(["audio"] if message.get("audio") else []))))


def separate_reasoning(message: Mapping[str, Any]) -> str:
    """Read the reasoning a message has apart."""
    return next((reasoning for name in REASONING if isinstance(reasoning := message.get(name), str) and reasoning), "")


def written_calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the calls of a message or delta as they are written: a list, one alone, or in the field of old."""
    calls = objects_of(message.get("tool_calls"))
    return calls or [{"function": old} for old in objects_of(message.get("function_call"))]


def read_calls(message: Mapping[str, Any], request: CompletionRequest) -> tuple[tuple[ToolCall, ...], bool]:
    """Read the calls of a message, as ``read_tool_calls`` does."""
    written: list[WrittenCall] = []
    for call in written_calls(message):
        function = object_of(call.get("function"))
        written.append(WrittenCall(call.get("id"), function.get("name"), function.get("arguments")))
    return read_tool_calls(written, request)
