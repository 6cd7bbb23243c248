"""Functions that take the markup out of texts, or put texts into markup."""

import html
import re
from collections.abc import Callable
from typing import Final, cast

from kernel.values import Json
from segments.expressions.limits import Fuel
from segments.expressions.values import need

_TAG: Final = re.compile(r"/?([A-Za-z][A-Za-z0-9]*)")
_HIDDEN: Final = frozenset({"script", "style", "head", "template", "noscript"})
_BREAKS: Final = {
    **dict.fromkeys(("br", "tr", "li", "dt", "dd", "option"), "\n"),
    **dict.fromkeys(("p", "div", "ul", "ol", "dl", "table", "pre", "blockquote", "hr", "section", "article"), "\n\n"),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "header", "footer", "main", "nav", "form"), "\n\n"),
    **dict.fromkeys(("td", "th"), " "),
}
_BLANKS: Final = re.compile(r"[ \t\r\f\v\xa0]+")
_EMPTY_LINES: Final = re.compile(r"\n{3,}")

_FENCE: Final = re.compile(r"\s{0,3}(?:```|~~~)")
_RULE: Final = re.compile(r"\s{0,3}(?:[-*_=]\s*){3,}\Z|[\s|:-]+-[\s|:-]*\Z")
_BEGINNINGS: Final = re.compile(r"\s{0,3}(?:#{1,6}\s+|>\s?)+|(?<=\S)\s+#+\s*\Z")
_BULLETS: Final = re.compile(r"(\s*)[*+](?=\s)")
_LINKS: Final = re.compile(r"!?\[([^\[\]\n]*)\](?:\([^()\n]*\)|\[[^\[\]\n]*\])")
_AUTOLINKS: Final = re.compile(r"<((?:https?://|mailto:)[^<>\s]*)>")
_EMPHASIS: Final = re.compile(r"(?<![\w*~])(?:[*_]{1,3}|~~)(?=[^\s*_~])|(?<=[^\s*_~])(?:[*_]{1,3}|~~)(?![\w*~])|`")
_ESCAPES: Final = re.compile(r"\\([\\`*_{}\[\]()#+.!>~|-])")


def html_to_text(fuel: Fuel, text: Json, /) -> Json:
    """Give the text of an HTML document or a part of one: without tags, scripts and styles, a paragraph a paragraph."""
    source = cast("str", need("text", text, "`html_to_text`"))
    fuel.make_text(len(source))
    fuel.spend(len(source) // 8 + 2 * source.count("&"))
    lines = html.unescape("".join(_text_pieces(fuel, source))).split("\n")
    return _EMPTY_LINES.sub("\n\n", "\n".join(_BLANKS.sub(" ", line).strip() for line in lines)).strip()


def markdown_to_text(fuel: Fuel, text: Json, /) -> Json:
    """Give the text of Markdown without its marks; code stays as it is, and of links the words."""
    source = cast("str", need("text", text, "`markdown_to_text`"))
    fuel.make_text(len(source))
    fuel.spend(len(source) // 2)
    made: list[str] = []
    is_code = False
    for line in source.split("\n"):
        fuel.spend(10)
        if _FENCE.match(line):
            is_code = not is_code
        elif is_code:
            made.append(line)
        elif not _RULE.match(line) or not line.strip():
            made.append(_without_marks(line))
    return _EMPTY_LINES.sub("\n\n", "\n".join(made)).strip()


def escape_html(fuel: Fuel, text: Json, /) -> Json:
    """Write a text so that HTML shows it as it is, in text and in attributes."""
    source = cast("str", need("text", text, "`escape_html`"))
    fuel.make_text(len(source) + 5 * sum(map(source.count, "&<>\"'")))
    return html.escape(source)


def _text_pieces(fuel: Fuel, source: str) -> list[str]:
    """Give what stands between the tags of HTML, and line breaks for those that make some."""
    pieces: list[str] = []
    lowered = source.lower() if len(source.lower()) == len(source) else source
    offset = 0
    while (start := source.find("<", offset)) >= 0:
        fuel.spend(6)
        pieces.append(source[offset:start].replace("\n", " "))
        tag = _TAG.match(source, start + 1)
        if tag is None and not source.startswith(("!", "?"), start + 1):
            pieces.append("<")
            offset = start + 1
            continue
        name = tag[1].lower() if tag else ""
        pieces.append(_BREAKS.get(name, ""))
        offset = _end_of(lowered, start, name, is_opening=tag is not None and not tag[0].startswith("/"))
    return [*pieces, source[offset:].replace("\n", " ")]


def _end_of(source: str, start: int, name: str, *, is_opening: bool) -> int:
    """Find the end of a tag, a comment, or an element that shows nothing; what is never closed goes to the end."""
    if source.startswith("<!--", start):
        end, mark = source.find("-->", start + 4), "-->"
    elif name in _HIDDEN and is_opening:
        mark = f"</{name}"
        end = source.find(mark, start)
    else:
        end, mark = source.find(">", start), ">"
    return len(source) if end < 0 else end + (0 if mark.startswith("</") else len(mark))


def _without_marks(line: str) -> str:
    line = _BULLETS.sub(r"\1-", _BEGINNINGS.sub("", line), count=1)
    line = _AUTOLINKS.sub(r"\1", _LINKS.sub(r"\1", line))
    kept = _ESCAPES.sub(lambda found: f"\0{ord(found[1])};", line)
    return _KEPT.sub(lambda found: chr(int(found[1])), _EMPHASIS.sub("", kept))


_KEPT: Final = re.compile("\0([0-9]+);")
MARKUP: Final[dict[str, Callable[..., Json]]] = {
    "html_to_text": html_to_text,
    "markdown_to_text": markdown_to_text,
    "escape_html": escape_html,
}
