"""Tools: calls of the tenant's connections that a model asks for. Its arguments are data, checked before use."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from kernel.errors import ErrorItem
from kernel.values import Json, dump_json
from runs.agents.config import AgentTool
from runs.inputs import misfits
from runs.providers.base import Tool, ToolCall
from runs.steps.base import Client, StepCall, StepFailed
from runs.steps.http.exchange import exchange
from runs.steps.http.request import OutgoingRequest, below, with_query

MOST_RESULT_BYTES = 16 * 1024
TIMEOUT_SECONDS = 30.0
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSED_ON = frozenset({"BUDGET_EXCEEDED", "PRICE_UNKNOWN", "TOOL_NOT_ALLOWED", "CONNECTION_UNKNOWN"})
"""Failures that are the step's and not the tool's: the model can do nothing about them."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of a step."""

    call: StepCall
    tools: Mapping[str, AgentTool]

    @classmethod
    def of(cls, call: StepCall, tools: Sequence[AgentTool]) -> "Toolbox":
        """Put the tools of a config together."""
        return cls(call, {tool.name: tool for tool in tools})

    def offered(self) -> tuple[Tool, ...]:
        """Give the tools as a model is told of them."""
        return tuple(Tool(tool.name, tool.description, tool.parameters) for tool in self.tools.values())

    async def use(self, wanted: ToolCall) -> str:
        """Do what a model asks for.

        Returns:
            JSON for the model: the answer, or what went wrong, which it may do something about.

        Raises:
            StepFailed: The connection is not there or allows no tools; a budget is used up.
            Defer: A gate is closed for now.
        """
        tool = self.tools.get(wanted.name)
        if tool is None:
            return _told("UNKNOWN_TOOL", f"There is no tool {wanted.name[:64]}.")
        problems = misfits(wanted.arguments, tool.parameters)
        if problems or not isinstance(wanted.arguments, dict):
            return _told("ARGUMENTS_INVALID", "The arguments do not fit the parameters.", problems)
        try:
            answer = await exchange(self.call, await self._request(tool, wanted.arguments))
            return _cut(dump_json({"status": answer.status, "response": answer.value}))
        except StepFailed as failure:
            if failure.code in _PASSED_ON:
                raise
            return _cut(dump_json({"error": failure.code, "detail": failure.message, **failure.details}))

    async def _request(self, tool: AgentTool, arguments: Mapping[str, Json]) -> OutgoingRequest:
        client = await self.call.context.client(tool.client_ref)
        if not client.allows_tools:
            raise StepFailed("TOOL_NOT_ALLOWED", f"The connection {tool.client_ref} does not allow tools.")
        in_path = set(_PLACE.findall(tool.path))
        path = _PLACE.sub(lambda found: quote(_text(arguments.get(found[1])), safe=""), tool.path)
        rest = {name: value for name, value in arguments.items() if name not in in_path}
        url = _below(client, path)
        timeout = client.timeout_seconds or TIMEOUT_SECONDS
        if tool.method in {"GET", "DELETE"}:
            return OutgoingRequest(tool.method, with_query(url, rest), {}, None, timeout, client)
        headers = {"content-type": "application/json"}
        return OutgoingRequest(tool.method, url, headers, dump_json(rest).encode(), timeout, client)


def _below(client: Client, path: str) -> str:
    """Put an encoded path below the client's base. What is encoded stays so, and no argument adds a segment."""
    return below(client.base_url, path)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dump_json(value)


def _told(code: str, detail: str, problems: Sequence[ErrorItem] = ()) -> str:
    items: list[Json] = [{"pointer": problem.pointer, "detail": problem.detail} for problem in problems[:20]]
    return dump_json({"error": code, "detail": detail, **({"problems": items} if items else {})})


def _cut(text: str) -> str:
    if len(text.encode()) <= MOST_RESULT_BYTES:
        return text
    return text.encode()[:MOST_RESULT_BYTES].decode(errors="ignore") + f" ... cut at {MOST_RESULT_BYTES} bytes"
