"""Subjects of mails: one line of text that every mail program shows as it was written."""

import unicodedata
from email.header import Header
from typing import Final

_ENCODED_WORD: Final = "=?"
_LINE_WIDTH: Final = 74


def subject_of(text: str, *, most: int) -> str:
    """Make a subject of a text that may be anybody's.

    Line ends and other control characters become blanks. What a mail program would take for an encoded word (RFC 2047)
    is encoded itself, so that it is shown and not read.

    Args:
        text: What it says.
        most: Characters of it that are kept.
    """
    without_controls = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)
    line = " ".join(without_controls.split())[:most]
    if not line.isascii() or _ENCODED_WORD not in line:
        return line  # the framework encodes all of what is not ASCII
    return Header(line, "utf-8", maxlinelen=_LINE_WIDTH, header_name="Subject").encode(linesep="")
