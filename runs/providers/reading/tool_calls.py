"""Calls of tools as services write them, each under an id of its own, and as they take them back."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from runs.providers.model_json import read_arguments
from runs.step_api.language_models import CompletionRequest, Message, ToolCall

LONGEST_NAME: Final = 64
OPENING: Final = "."
"""Words of a user where a conversation begins with the assistant, and a service wants a user to begin."""
_ODD_LETTER: Final = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as an answer has it; nothing is known of its members."""

    call_id: Any
    name: Any
    arguments: Any


def read_tool_calls(written: Iterable[WrittenCall], request: CompletionRequest) -> tuple[tuple[ToolCall, ...], bool]:
    """Read calls; each has an id that no other of the conversation has: of ours, nine letters and digits.

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
        call_id = str(call.call_id) if has_id else f"call{place:05d}"
        while call_id in taken:
            call_id = f"{call_id}_{place}"
        taken.add(call_id)
        found.append(ToolCall(call_id, call.name, read_arguments(call.arguments)))
    return tuple(found), is_lost


def name_sent_back(name: str) -> str:
    """Write the name of a call as services take it back: models ask for tools by names that are none, too."""
    return _ODD_LETTER.sub("_", name)[:LONGEST_NAME]


def in_turns(messages: Iterable[Message]) -> list[Message]:
    """Give turns in which user and assistant alternate, the user first; a tool's answers stand between them."""
    turns: list[Message] = []
    for message in messages:
        last = turns[-1] if turns else None
        if last is None and message.role != "user":
            turns.append(Message("user", OPENING))
        if last is not None and last.role == message.role != "tool" and not (last.tool_calls or message.tool_calls):
            turns[-1] = replace(last, text=f"{last.text}\n\n{message.text}")
        else:
            turns.append(message)
    return turns or [Message("user", OPENING)]
