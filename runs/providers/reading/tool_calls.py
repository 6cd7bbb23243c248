"""Calls of tools as services write them, each under an id of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runs.providers.answers import read_arguments
from runs.step_api.language_models import CompletionRequest, ToolCall


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as an answer has it; nothing is known of its members."""

    call_id: Any
    name: Any
    arguments: Any


def read_tool_calls(written: Iterable[WrittenCall], request: CompletionRequest) -> tuple[tuple[ToolCall, ...], bool]:
    """Read calls; each has an id that no other of the conversation has.

    Returns:
        The calls, and whether one is lost: it names no tool, so that nobody can tell what was asked for.
    """
    earlier = sum(len(turn.tool_calls) for turn in request.messages)
    taken = {call.call_id for turn in request.messages for call in turn.tool_calls}
    found: list[ToolCall] = []
    is_lost = False
    for place, call in enumerate(written, earlier):
        if not (isinstance(call.name, str) and call.name):
            is_lost = True
            continue
        has_id = bool(call.call_id) and isinstance(call.call_id, str | int)
        call_id = str(call.call_id) if has_id else f"call_{place}"
        while call_id in taken:
            call_id = f"{call_id}_{place}"
        taken.add(call_id)
        found.append(ToolCall(call_id, call.name, read_arguments(call.arguments)))
    return tuple(found), is_lost
