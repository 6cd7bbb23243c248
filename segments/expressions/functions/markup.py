"""Functions that take the markup out of texts, or put texts into markup."""

import html
import re
from collections.abc import Callable
from typing import Final, cast

from kernel.types import Json
from segments.expressions.limits import Fuel
from segments.expressions.values import need

_TAGS: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|head|template|noscript)(?![a-z0-9]).*?(?=</\1|\Z)"
    r"|</?([a-z][a-z0-9]*)[^>]*>?|<[!?][^>]*>?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
"""Parts not shown. One that is never closed goes to the end. Each ends where it has looked, so all is linear."""
_BREAKS: Final = {
    **dict.fromkeys(("br", "tr", "li", "dt", "dd", "option"), "\n"),
    **dict.fromkeys(("p", "div", "ul", "ol", "dl", "table", "pre", "blockquote", "hr", "section", "article"), "\n\n"),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "header", "footer", "main", "nav", "form"), "\n\n"),
    **dict.fromkeys(("td", "th"), " "),
}
_BLANKS: Final = re.compile(r"[ \t\r\f\v\xa0]{2,}|[\t\r\f\v\xa0]")
_EMPTY_LINES: Final = re.compile(r"\n{3,}")

_FENCE: Final = re.compile(r"\s{0,3}(?:```|~~~)")
_RULE_BEGINS: Final = frozenset("-*_=|:")
_RULE: Final = re.compile(r"\s{0,3}(?:[-*_=]\s*+){3,}+\Z|(?=.+-)[\s|:-]*+\Z")
_MARKS: Final = re.compile(r"[\\`*_~\[<>#+]")
_BEGINNING: Final = re.compile(r"\s{0,3}(?:#{1,6}\s+|>\s?)+")
_HEADING_ENDS: Final = re.compile(r"(?:(?<=\S)|\A)\s++#++\s*\Z")
_BULLET: Final = re.compile(r"\A(\s*)[*+](?=\s)")
_LINKS: Final = re.compile(r"!?\[([^\[\]\n]*)\](?:\([^()\n]*\)|\[[^\[\]\n]*\])")
_AUTOLINKS: Final = re.compile(r"<((?:https?://|mailto:)[^<>\s]*)>")
_EMPHASIS: Final = re.compile(r"(?<![\w*~])(?:[*_]{1,3}|~~)(?=[^\s*_~])|(?<=[^\s*_~])(?:[*_]{1,3}|~~)(?![\w*~])|`")
_ESCAPES: Final = re.compile(r"\\([\\`*_{}\[\]()#+.!>~|-])")


def html_to_text(fuel: Fuel, text: Json, /) -> Json:
    """Give the text of an HTML document or a part of one: without tags, scripts and styles, a paragraph a paragraph."""
    source = cast("str", need("text", text, "`html_to_text`"))
    fuel.make_text(len(source))
    fuel.spend_on_text(len(source) // 16 + source.count("<") + 2 * source.count("&"))
    shown = html.unescape(_TAGS.sub(_break, source.replace("\n", " ")))
    lines = [line.strip() for line in _BLANKS.sub(" ", shown).split("\n")]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _break(tag: re.Match[str]) -> str:
    return _BREAKS.get((tag[2] or "").lower(), "")


def markdown_to_text(fuel: Fuel, text: Json, /) -> Json:
    """Give the text of Markdown without its marks; code stays as it is, and of links the words."""
    source = cast("str", need("text", text, "`markdown_to_text`"))
    fuel.make_text(len(source))
    fuel.spend_on_text(len(source) // 24)
    made: list[str] = []
    is_code = False
    for line in source.split("\n"):
        fuel.spend_on_text(1)
        if _FENCE.match(line):
            is_code = not is_code
        elif is_code:
            made.append(line)
        elif not _is_rule(line):
            made.append(_without_marks(fuel, line) if _MARKS.search(line) else line)
    return _EMPTY_LINES.sub("\n\n", "\n".join(made)).strip()


def _is_rule(line: str) -> bool:
    """Whether a line only divides: what stands above it from what stands below, or a table's head from its rows."""
    return line.lstrip()[:1] in _RULE_BEGINS and _RULE.match(line) is not None


def escape_html(fuel: Fuel, text: Json, /) -> Json:
    """Write a text so that HTML shows it as it is, in text and in attributes."""
    source = cast("str", need("text", text, "`escape_html`"))
    fuel.make_text(len(source) + 5 * sum(map(source.count, "&<>\"'")))
    return html.escape(source)


def _without_marks(fuel: Fuel, line: str) -> str:
    fuel.spend_on_text(5 + len(line) // 8 + line.count("\\"))
    begins = _BEGINNING.match(line)
    if begins is not None:
        line = line[begins.end() :]
        line = _HEADING_ENDS.sub("", line) if "#" in begins[0] else line
    line = _BULLET.sub(r"\1-", line)
    if "[" in line:
        line = _LINKS.sub(r"\1", line)
    if "<" in line:
        line = _AUTOLINKS.sub(r"\1", line)
    if "\\" not in line:
        return _EMPHASIS.sub("", line)
    kept = _ESCAPES.sub(lambda found: f"\0{ord(found[1])};", line)
    return _KEPT.sub(lambda found: chr(int(found[1])), _EMPHASIS.sub("", kept))


_KEPT: Final = re.compile("\0([0-9]+);")
MARKUP: Final[dict[str, Callable[..., Json]]] = {
    "html_to_text": html_to_text,
    "markdown_to_text": markdown_to_text,
    "escape_html": escape_html,
}
