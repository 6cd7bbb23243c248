"""Tools: calls of the tenant's connections that a model asks for. Its arguments are data, checked before use."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

import orjson

from kernel.errors import ErrorItem
from kernel.json_text import JsonText
from kernel.numbers import without_fraction
from kernel.redaction import redact
from kernel.schemas import judging
from kernel.types import Json
from kernel.values import dump_json
from runs.agents.config import PLACE, AgentTool
from runs.http.answer import HttpAnswer
from runs.http.body import with_query
from runs.http.exchange import exchange
from runs.http.request import IDEMPOTENT, OutgoingRequest, honours_key, joined_path
from runs.inputs import violations
from runs.step_api.base import IN_DOUBT, Client, StepCall, StepFailed
from runs.step_api.language_models import Message, Tool, ToolCall
from runs.step_api.recorded_calls import MADE, RecordedCall

MAX_RESULT_BYTES: Final = 16 * 1024
TIMEOUT_SECONDS: Final = 30.0
CALL_ID: Final = 9
"""Characters; some services take no other number."""
_PLAIN_ID: Final = re.compile(f"[a-zA-Z0-9]{{{CALL_ID}}}")
_ALREADY: Final = "This call was made already, so it is not made again; `answer` has what came of it."


class Toolbox:
    """The tools of an attempt.

    A call has an idempotency key by its tool and what its arguments mean: models do not ask in the same order every
    time, nor write alike, and what a retried attempt asks for again is the same call to the other side. Where that side
    does not honour the key, a POST or PATCH that may have had its effect is not made again: the model reads what came
    of it, as does one that takes over from another. A call that failed is asked for again under its key; only one that
    was answered leaves room for another, of the same model.
    """

    def __init__(self, call: StepCall, tools: Sequence[AgentTool]) -> None:
        self._call = call
        self._tools = {tool.name: tool for tool in tools}
        self._asked: Counter[str] = Counter()
        self._made = {made.key: made for made in call.made}

    def offered(self) -> tuple[Tool, ...]:
        """Give the tools as a model is told of them."""
        return tuple(Tool(tool.name, tool.description, tool.parameters) for tool in self._tools.values())

    def earlier(self) -> list[Message]:
        """Give what earlier attempts called that is not called again, as turns: what was asked for, what came of it."""
        made = self._call.made
        calls = tuple(ToolCall(one.key[:CALL_ID], one.name, one.arguments) for one in made)
        answers = [Message("tool", _answer_of(one), call_id=one.key[:CALL_ID]) for one in made]
        return [Message("assistant", tool_calls=calls), *answers] if calls else []

    def begin_anew(self) -> None:
        """Have what another model asks for on the same question be the same calls, as a later attempt's are."""
        self._asked.clear()

    async def use(self, wanted: ToolCall) -> str:
        """Do what a model asks for.

        Returns:
            JSON for the model: the answer, or what went wrong, which it may do something about.

        Raises:
            StepFailed: The tool's connection cannot be used, or allows no tools.
            Defer: A gate is closed for longer than the attempt may take.
        """
        tool = self._tools.get(wanted.name)
        if tool is None:
            return _error_result("UNKNOWN_TOOL", f"There is no tool {wanted.name[:64]}.")
        arguments = wanted.arguments
        with judging(f"the arguments of the tool {tool.name} by its parameters"):
            problems = await violations(self._call.context.tenant_id, arguments, tool.parameters)
        if problems or not isinstance(arguments, dict):
            return _error_result("ARGUMENTS_INVALID", "The arguments do not fit the parameters.", problems)
        client = await self._call.context.client(tool.client_ref)
        if not client.allows_tools:
            raise StepFailed("TOOL_NOT_ALLOWED", f"The connection {tool.client_ref} does not allow tools.")
        asked = json.dumps([tool.name, _meaning(arguments)], sort_keys=True)
        key = self._next_key(asked)
        if (made := self._made.get(key)) is not None:
            if made.is_lost:
                self._asked[asked] -= 1  # nobody knows of it, however often it is asked for
            return _repeated_result(made)
        try:
            return await self._call_out(_request(tool, client, arguments, key), tool, arguments)
        except StepFailed as failure:
            self._asked[asked] -= 1  # asked for again it is the same call
            return _failed(failure)

    async def _call_out(self, request: OutgoingRequest, tool: AgentTool, arguments: Mapping[str, Json]) -> str:
        """Make a call; one that is not made twice is recorded with what the model is told."""
        if request.is_repeatable:
            return _answered(await exchange(self._call, request, patient=True))
        secrets = request.client.secrets() if request.client is not None else ()
        redacted = redact(dict(arguments), secrets)
        is_short = len(dump_json(redacted)) <= MAX_RESULT_BYTES
        record = _Record(RecordedCall(request.headers["idempotency-key"], tool.name, redacted if is_short else {}))
        try:
            return _answered(await exchange(self._call, request, patient=True, notes=record))
        except StepFailed:
            self._call.is_in_doubt = False
            raise
        finally:
            if record.made.result is not None:
                self._made[record.made.key] = record.made

    def _next_key(self, asked: str) -> str:
        self._asked[asked] += 1
        call = self._call
        place = f"{call.run_id}|{call.step_id}|{call.activation}|{self._asked[asked]}|{asked}"
        return hashlib.sha256(place.encode()).hexdigest()


def with_plain_ids(messages: Sequence[Message]) -> list[Message]:
    """Give turns with ids of calls that every service takes: what one has given, another may refuse."""
    ids: dict[str | None, str] = {}
    for call in (call for message in messages for call in message.tool_calls):
        is_plain = _PLAIN_ID.fullmatch(call.call_id) is not None
        ids[call.call_id] = call.call_id if is_plain else hashlib.sha256(call.call_id.encode()).hexdigest()[:CALL_ID]
    return [
        replace(
            message,
            tool_calls=tuple(replace(call, call_id=ids[call.call_id]) for call in message.tool_calls),
            call_id=ids.get(message.call_id, message.call_id),
        )
        for message in messages
    ]


@dataclass(slots=True)
class _Record:
    """Has the journal hold a call that is not made twice."""

    made: RecordedCall

    def of_start(self) -> Mapping[str, Json]:
        return {MADE: {"name": self.made.name, "arguments": self.made.arguments}}

    def of_end(self, outcome: HttpAnswer | StepFailed, *, was_made: bool) -> Mapping[str, Json]:
        if not was_made:
            return {}
        result = _failed(outcome) if isinstance(outcome, StepFailed) else _answered(outcome)
        self.made = replace(self.made, result=result, is_lost=isinstance(outcome, StepFailed))
        return {MADE: {"told": result, **({"is_lost": True} if self.made.is_lost else {})}}


def _request(tool: AgentTool, client: Client, arguments: Mapping[str, Json], key: str) -> OutgoingRequest:
    """Write a call. No argument leaves its place in the path: it adds no segment, and is none of dots.

    Raises:
        StepFailed: PATH_REFUSED, ARGUMENTS_INVALID.
    """
    in_path = tool.names_in_path
    path = PLACE.sub(lambda found: _segment(found[1], arguments), tool.path)
    rest = {name: value for name, value in arguments.items() if name not in in_path}
    url = joined_path(client.base_url, path)
    headers = {"idempotency-key": key}
    timeout = client.timeout_seconds or TIMEOUT_SECONDS
    if tool.method in {"GET", "DELETE"}:
        return OutgoingRequest(tool.method, with_query(url, rest), headers, None, timeout, client)
    headers["content-type"] = "application/json"
    is_repeatable = tool.method in IDEMPOTENT or honours_key(client)
    return OutgoingRequest(tool.method, url, headers, dump_json(rest).encode(), timeout, client, rest, is_repeatable)


def _segment(name: str, arguments: Mapping[str, Json]) -> str:
    value = without_fraction(arguments.get(name))
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
    if not text.strip() or isinstance(value, bool):
        raise StepFailed("ARGUMENTS_INVALID", f"The argument {name} goes into the path, so it cannot be empty.")
    return quote(text, safe="")


def _error_result(code: str, detail: str, problems: Sequence[ErrorItem] = ()) -> str:
    items: list[Json] = [{"pointer": problem.pointer, "detail": problem.detail} for problem in problems[:20]]
    return dump_json({"error": code, "detail": detail, **({"problems": items} if items else {})})


def _answered(answer: HttpAnswer) -> str:
    remark: dict[str, Json] = {} if answer.remark is None else {"remark": answer.remark}
    value = answer.value
    shown = orjson.Fragment(value.text[: MAX_RESULT_BYTES + 1]) if isinstance(value, JsonText) else value
    return _cut(orjson.dumps({"status": answer.status, **remark, "response": shown}))


def _failed(failure: StepFailed) -> str:
    return _cut(orjson.dumps({**failure.details, "error": failure.code, "detail": failure.message}))


def _answer_of(made: RecordedCall) -> str:
    return _error_result("ANSWER_LOST", f"The answer was lost. {IN_DOUBT}") if made.result is None else made.result


def _repeated_result(made: RecordedCall) -> str:
    answer: Json = _answer_of(made)
    with suppress(ValueError):  # one that was cut
        answer = json.loads(_answer_of(made))
    return dump_json({"already_made": _ALREADY, "answer": answer})


def _meaning(value: Json) -> Json:
    """Give a value as all have it that mean the same: 1.0 is 1."""
    if isinstance(value, dict):
        return {name: _meaning(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    return without_fraction(value)


def _cut(text: bytes) -> str:
    if len(text) <= MAX_RESULT_BYTES:
        return text.decode()
    return text[:MAX_RESULT_BYTES].decode(errors="ignore") + f" ... cut at {MAX_RESULT_BYTES} bytes"
