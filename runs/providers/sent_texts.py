"""Texts sent to a model: a call that stands in one of them may only be quoted."""

import html
import re
from collections.abc import Iterable
from typing import Final

_UNHEEDED: Final = re.compile(r"(?:[\s\\\"'`<>\u2018-\u201f\u2039\u203a\u00ab\u00bb]|\uff5cDSML\uff5c)+")
"""Blanks, what DeepSeek puts into its tags, and what quotes and escapes put around and between what they quote."""
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_BLANKS: Final = frozenset("nrtbf")


class SentTexts:
    """The texts of a conversation; looked through when there is something to look for."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self._kept: str | None = None

    def hold(self, words: Iterable[str]) -> bool:
        """Whether one of some texts stands there in the same characters, quoted and escaped in whichever way."""
        if self._kept is None:
            texts = list(self._texts)
            self._kept = "\0".join(_UNHEEDED.sub("", form) for text in texts for form in (text, _plain(text)))
        kept = self._kept
        return any(_UNHEEDED.sub("", one) in kept for one in words if one)


def _plain(text: str) -> str:
    """Give a text without what HTML and JSON in a text make of it."""
    return html.unescape(_ESCAPED.sub(_unescaped, text))


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return " " if found[2] in _BLANKS else found[2]
