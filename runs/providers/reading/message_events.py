"""Messages of Anthropic put together from their events."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from kernel.types import Json
from runs.providers.decoding import joined
from runs.providers.errors import failed
from runs.providers.finish_reasons import FinishReasons
from runs.providers.model_json import read_arguments
from runs.providers.reading.members import members_of, number_of, object_of, strictly_words_of, text_of

PLACE: Final = "stop_reason"
"""Member in which a message says why it ended."""

_DELTAS: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
_BLOCKS: Final = {"text": "text", "thinking": "thinking", "signature": "thinking", "partial_json": "tool_use"}
_TEXTS: Final = ("text", "thinking")
_CALL: Final = "tool_use"


@dataclass(slots=True)
class _GatheredBlock:
    """A block in pieces: how it began, under which index, and what its deltas brought."""

    index: Any
    head: dict[str, Any]
    pieces: list[str] = field(default_factory=list)

    def is_begun_by(self, index: Any, head: dict[str, Any]) -> bool:
        """Tell whether a start is that of this block once more: by its id, and without another name."""
        call_id = head.get("id")
        is_same = (index, call_id) == (self.index, self.head.get("id")) and self.head.get("type") == _CALL
        return bool(call_id) and is_same and head.get("name") in (None, "", self.head.get("name"))

    @property
    def is_complete(self) -> bool:
        """Whether a call has all its input, so that what comes behind it is another's."""
        if not self.pieces:
            return bool(self.head.get("input"))
        try:
            return isinstance(json.loads("".join(self.pieces)), dict)
        except (ValueError, RecursionError):
            return False

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come of it but its start."""
        return not (self.pieces or self.head.get("input"))

    def whole(self) -> dict[str, Any]:
        """Give the block as if it had come in one."""
        kind, text = self.head.get("type"), joined(self.pieces)
        if kind == _CALL:
            return self.head | {"input": read_arguments(text)} if text else self.head
        return self.head | {kind: text} if isinstance(kind, str) and kind in _TEXTS else self.head


class MessageEvents:
    """An answer in pieces: all that ``Messages`` reads of its blocks, gathered from their deltas.

    Attributes:
        has_counted: Whether the service told how much it has said so far; what it tells at the start is no count yet.
    """

    def __init__(self, answer_tool: str | None, stop: Sequence[str]) -> None:
        self._answer_tool = answer_tool
        self._ends = FinishReasons(PLACE, stop)
        self._message: dict[str, Any] = {}
        self._blocks: list[_GatheredBlock] = []
        self._latest: dict[Any, _GatheredBlock] = {}
        self._is_complete = False
        self.has_counted = False

    def add(self, event: Any) -> str:
        """Take the next piece; returns the text in it, of the answer's tool too."""
        if not isinstance(event, dict):
            raise failed("LLM_REPLY_UNREADABLE")
        kind = event.get("type")
        self._ends.note(event, event.get("delta"), event.get("message"), event.get("usage"))
        if kind == "message_start":
            self._message = dict(object_of(event.get("message")))
        elif kind == "content_block_start":
            self._begin(number_of(event.get("index")), dict(object_of(event.get("content_block"))))
        elif kind == "content_block_delta":
            return self._add_piece(event.get("index"), event.get("delta"))
        elif kind == "message_delta":
            object_of(event.get("delta", {}))
            known = members_of(self._message.get("usage"))
            usage = members_of(event.get("usage"))
            counts = {
                name: count for name, count in usage.items() if count or (count is not None and name not in known)
            }
            self._message |= {"usage": {**known, **counts}}
            self.has_counted = self.has_counted or "output_tokens" in counts
        elif kind == "message_stop":
            self._is_complete = True
        elif not isinstance(kind, str):
            raise failed("LLM_REPLY_UNREADABLE")
        return ""

    def answer(self, *, is_done: bool) -> Json:
        """Give the answer as if it had come in one."""
        if not (self._is_complete or is_done or self._ends.has_come):
            raise failed("LLM_CONNECTION_FAILED")
        return cast("Json", self._message | {"content": self._distinct(), **self._ends.written()})

    @property
    def is_over(self) -> bool:
        """Whether the service said why the answer ended."""
        return self._is_complete or self._ends.has_come

    def _begin(self, index: Any, head: dict[str, Any]) -> None:
        """Begin a block: another one also under the index, or the id, of one before, as gateways have them all alike.

        One that is announced again amid its input goes on.
        """
        known = self._latest.get(index)
        if known is not None and known.is_begun_by(index, head) and not known.is_complete:
            known.head |= {name: value for name, value in head.items() if value}
            return
        self._latest[index] = block = _GatheredBlock(index, head)
        self._blocks.append(block)
        kind = head.get("type")
        if isinstance(kind, str) and kind in _TEXTS and (words := strictly_words_of(head.get(kind))):
            block.pieces.append(words)

    def _distinct(self) -> list[dict[str, Any]]:
        """Give the blocks without calls that were sent once more under their index: the start alone, or all of it."""
        found: list[dict[str, Any]] = []
        calls: dict[tuple[str, str], set[tuple[str, str]]] = {}
        ids: set[str] = set()
        for block in self._blocks:
            whole = block.whole()
            if whole.get("type") == _CALL and whole.get("id"):
                call_id, name = repr(whole["id"]), text_of(whole.get("name"))
                known = calls.setdefault((repr(block.index), call_id), set())
                given = (name, json.dumps(whole.get("input"), sort_keys=True))
                is_start = block.is_empty and (name in {one for one, _ in known} or (not name and call_id in ids))
                if given in known or is_start:
                    continue
                known.add(given)
                ids.add(call_id)
            found.append(whole)
        return found

    def _add_piece(self, index: Any, delta: Any) -> str:
        """Add a piece; of most kinds with few calls, as most events are pieces."""
        if not isinstance(delta, dict) or isinstance(index, dict | list):
            raise failed("LLM_REPLY_UNREADABLE")
        name = delta.get("type")
        kind = _DELTAS.get(name) if isinstance(name, str) else None
        if kind is None:
            return ""
        if index not in self._latest:
            self._begin(index, {"type": _BLOCKS[kind]})
        block, piece = self._latest[index], delta[kind]
        if kind == "signature":
            block.head["signature"] = piece
            return ""
        if kind == "partial_json" and not isinstance(piece, str):
            block.head["input"] = piece
            return ""
        words = piece if isinstance(piece, str) else strictly_words_of(piece)
        block.pieces.append(words)
        is_heard = kind == "text" or block.head.get("name", "") == self._answer_tool
        return words if is_heard else ""
