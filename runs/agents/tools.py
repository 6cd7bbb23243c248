"""Tools: calls of the tenant's connections that a model asks for. Its arguments are data, checked before use."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from kernel.errors import ErrorItem
from kernel.values import Json, dump_json
from runs.agents.config import PLACE, AgentTool
from runs.inputs import misfits
from runs.providers.base import Tool, ToolCall
from runs.step_api.base import Client, StepCall, StepFailed
from runs.steps.http.body import with_query
from runs.steps.http.exchange import exchange
from runs.steps.http.request import IDEMPOTENT, OutgoingRequest, below, honours_key

MOST_RESULT_BYTES: Final = 16 * 1024
TIMEOUT_SECONDS: Final = 30.0


class Toolbox:
    """The tools of an attempt.

    A call has an idempotency key by its tool and arguments: models do not ask in the same order every time, and what
    a retried attempt asks for again is the same call to the other side.
    """

    def __init__(self, call: StepCall, tools: Sequence[AgentTool]) -> None:
        self._call = call
        self._tools = {tool.name: tool for tool in tools}
        self._asked: Counter[str] = Counter()

    def offered(self) -> tuple[Tool, ...]:
        """Give the tools as a model is told of them."""
        return tuple(Tool(tool.name, tool.description, tool.parameters) for tool in self._tools.values())

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
            return _told("UNKNOWN_TOOL", f"There is no tool {wanted.name[:64]}.")
        arguments = wanted.arguments
        problems = await misfits(self._call.context.tenant_id, arguments, tool.parameters)
        if problems or not isinstance(arguments, dict):
            return _told("ARGUMENTS_INVALID", "The arguments do not fit the parameters.", problems)
        client = await self._call.context.client(tool.client_ref)
        if not client.allows_tools:
            raise StepFailed("TOOL_NOT_ALLOWED", f"The connection {tool.client_ref} does not allow tools.")
        try:
            request = _request(tool, client, arguments, self._key(tool, arguments))
            answer = await exchange(self._call, request, patient=True)
            return _cut(dump_json({"status": answer.status, "response": answer.value}))
        except StepFailed as failure:
            return _cut(dump_json({**failure.details, "error": failure.code, "detail": failure.message}))

    def _key(self, tool: AgentTool, arguments: Mapping[str, Json]) -> str:
        asked = dump_json([tool.name, dict(sorted(arguments.items()))])
        self._asked[asked] += 1
        call = self._call
        place = f"{call.run_id}|{call.step_id}|{call.activation}|{self._asked[asked]}|{asked}"
        return hashlib.sha256(place.encode()).hexdigest()


def _request(tool: AgentTool, client: Client, arguments: Mapping[str, Json], key: str) -> OutgoingRequest:
    """Write a call. No argument leaves its place in the path: it adds no segment, and is none of dots.

    Raises:
        StepFailed: PATH_REFUSED, ARGUMENTS_INVALID.
    """
    in_path = tool.names_in_path
    path = PLACE.sub(lambda found: _segment(found[1], arguments), tool.path)
    rest = {name: value for name, value in arguments.items() if name not in in_path}
    url = below(client.base_url, path)
    headers = {"idempotency-key": key}
    timeout = client.timeout_seconds or TIMEOUT_SECONDS
    if tool.method in {"GET", "DELETE"}:
        return OutgoingRequest(tool.method, with_query(url, rest), headers, None, timeout, client)
    headers["content-type"] = "application/json"
    is_repeatable = tool.method in IDEMPOTENT or honours_key(client)
    return OutgoingRequest(tool.method, url, headers, dump_json(rest).encode(), timeout, client, rest, is_repeatable)


def _segment(name: str, arguments: Mapping[str, Json]) -> str:
    value = arguments.get(name)
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
    if not text.strip() or isinstance(value, bool):
        raise StepFailed("ARGUMENTS_INVALID", f"The argument {name} goes into the path, so it cannot be empty.")
    return quote(text, safe="")


def _told(code: str, detail: str, problems: Sequence[ErrorItem] = ()) -> str:
    items: list[Json] = [{"pointer": problem.pointer, "detail": problem.detail} for problem in problems[:20]]
    return dump_json({"error": code, "detail": detail, **({"problems": items} if items else {})})


def _cut(text: str) -> str:
    if len(text.encode()) <= MOST_RESULT_BYTES:
        return text
    return text.encode()[:MOST_RESULT_BYTES].decode(errors="ignore") + f" ... cut at {MOST_RESULT_BYTES} bytes"
