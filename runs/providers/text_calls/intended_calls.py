"""Tool calls in a text that are meant: those that stand alone, and not words that the model only quotes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kernel.types import Json
from runs.providers.sent_texts import SentTexts

_FENCE: Final = "```"
_MAX_INDENT: Final = 3
"""Blanks before a line; more of them make it code in Markdown."""


class CallLost(Exception):
    """A call cannot be read, or it cannot be told whether it is meant: the text is no answer, and calls nothing."""


@dataclass(frozen=True, slots=True)
class TextCall:
    """A call as the text has it.

    Attributes:
        name: Of the tool.
        arguments: As they were read.
        source: As it was written, without its marks.
    """

    name: str
    arguments: Json
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class CallBlock:
    """Calls behind one mark, from that mark to what ends them."""

    start: int
    end: int
    calls: tuple[TextCall, ...]


def blocks_that_call(text: str, blocks: Sequence[CallBlock], sent: SentTexts) -> list[CallBlock]:
    """Choose the blocks that are calls; others stay text.

    A call is meant where it is no repetition of what was sent, and begins or ends the answer on lines of its own.

    Raises:
        CallLost: One does not stand so, and is no mere mention amid a line either; or all there is was sent before.
    """
    own = [block for block in blocks if not sent.hold(call.source for call in block.calls)]
    if blocks and not own and not "".join(_around(text, blocks)).strip():
        raise CallLost
    at_edge = _at_edges(text, own)
    chosen: list[CallBlock] = []
    for number, block in enumerate(own):
        is_alone = _is_alone(text, own, number) and not _is_in_code(text, block)
        if is_alone and block in at_edge:
            chosen.append(block)
        elif is_alone or block in at_edge:
            raise CallLost
    return chosen


def rest_of(text: str, blocks: Sequence[CallBlock]) -> str:
    """Give a text without blocks of calls."""
    return "\n".join(filter(None, (piece.strip() for piece in _around(text, blocks))))


def _around(text: str, blocks: Sequence[CallBlock]) -> list[str]:
    ends = [0, *(block.end for block in blocks)]
    starts = [*(block.start for block in blocks), len(text)]
    return [text[end:start] for end, start in zip(ends, starts, strict=True)]


def _at_edges(text: str, blocks: Sequence[CallBlock]) -> list[CallBlock]:
    """Give those before which there are only others, or behind which there are."""
    found: list[CallBlock] = []
    done = 0
    for block in blocks:
        if text[done : block.start].strip():
            break
        found.append(block)
        done = block.end
    done = len(text)
    for block in reversed(blocks):
        if text[block.end : done].strip():
            break
        found.append(block)
        done = block.start
    return found


def _is_alone(text: str, blocks: Sequence[CallBlock], number: int) -> bool:
    """Whether nothing else stands in the lines of a block but others."""
    block = blocks[number]
    before = text[blocks[number - 1].end if number else 0 : block.start]
    indent = before.rpartition("\n")[2]
    has_room = not before.strip() or not (indent.strip() or "\t" in indent or len(indent) > _MAX_INDENT)
    end = block.start + len(text[block.start : block.end].rstrip())
    behind = text[end : blocks[number + 1].start if number + 1 < len(blocks) else len(text)]
    return has_room and (not behind.strip() or not behind.partition("\n")[0].strip())


def _is_in_code(text: str, block: CallBlock) -> bool:
    """Whether a fence stands before a block that nothing has closed."""
    return text.count(_FENCE, 0, block.start) % 2 == 1
