"""Markdown of others as HTML: raw HTML is text, pictures are links, and an allow-list goes over what came out."""

from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from humantasks.inbox.material.links import REL, is_web_address, link, linked

MAX_LENGTH: Final = 20_000
"""Longest text, in characters, that is rendered; a longer one is shown as it is."""
MAX_CELLS: Final = 5_000
"""Most cells that a text may come to, were all its lines rows of its widest table; rows are filled up to its width."""
_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES: Final = {
    "a": {"href", "target"}, "ol": {"start"}, "pre": {"tabindex"}, "td": {"align"}, "th": {"align"},
}  # fmt: skip
_HEADINGS: Final = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}
"""The page has the first two levels itself."""
_LINKED: Final = "linked"


def rendered(text: str) -> str:
    """Write Markdown as HTML in which nothing runs and nothing is loaded."""
    lines = text.splitlines()
    if len(text) > MAX_LENGTH or len(lines) * max((line.count("|") for line in lines), default=0) > MAX_CELLS:
        return f"<p>{linked(text)}</p>"
    return nh3.clean(
        _MARKDOWN.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https"},
        link_rel=REL,
    )


def _text(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: Any) -> str:
    token = tokens[index]
    return escape(token.content) if token.meta.get(_LINKED) else linked(token.content)


def _image(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: Any) -> str:
    """Name a picture; it is loaded by the reader's browser, when they follow the link."""
    address, name = str(tokens[index].attrs.get("src", "")), escape(tokens[index].content)
    if not is_web_address(address) or tokens[index].meta.get(_LINKED):
        return f"{name} ({escape(address)})"
    return link(address, f"{name} ({escape(address)})")


def _opened(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: Any) -> str:
    address = str(tokens[index].attrs.get("href", ""))
    return f'<a href="{escape(address)}" target="_blank">' if is_web_address(address) else ""


def _closed(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: Any) -> str:
    address, shown = str(tokens[index].meta.get("href", "")), str(tokens[index].meta.get("shown", ""))
    seen = "" if shown == address else f" ({escape(address)})"
    return f"{seen}</a>" if is_web_address(address) else seen


def _code(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: Any) -> str:
    return f'<pre tabindex="0"><code>{escape(tokens[index].content)}</code></pre>\n'


def _mark_links(state: StateCore) -> None:
    """Note at a link's end where it leads and what it shows, and what stands inside of one."""
    for block in state.tokens:
        if block.tag in _HEADINGS:
            block.tag = _HEADINGS[block.tag]
        if "style" in block.attrs:  # of a cell; the page's policy allows no styles
            block.attrs = {"align": str(block.attrs["style"]).rpartition(":")[2]}
        opened: Token | None = None
        shown = ""
        for token in block.children or ():
            if token.type == "link_open":
                opened, shown = token, ""
            elif token.type == "link_close" and opened is not None:
                token.meta |= {"href": opened.attrs.get("href", ""), "shown": shown}
                opened = None
            elif opened is not None:
                token.meta[_LINKED] = True
                shown += token.content


def _made() -> MarkdownIt:
    options: MutableMapping[str, Any] = {"html": False, "linkify": False, "typographer": False, "maxNesting": 20}
    markdown = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    markdown.core.ruler.push("mark_links", _mark_links)
    rules = {"text": _text, "image": _image, "link_open": _opened, "link_close": _closed, "fence": _code}
    for name, rule in {**rules, "code_block": _code}.items():
        markdown.add_render_rule(name, rule)
    return markdown


_MARKDOWN: Final = _made()
