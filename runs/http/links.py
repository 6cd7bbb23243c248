"""The header ``Link`` (RFC 8288): which page is the next."""

import re
from typing import Final

_LINK: Final = re.compile(r"[\s,]*<([^<>]*)>")
_PARAMETER: Final = re.compile(
    r"""\s*;\s*(?:([!#$%&'*+.^_`|~A-Za-z0-9-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?)?""", re.DOTALL
)
_BEHIND: Final = re.compile(r"[^,]*,?")
_SAYS_NEXT: Final = re.compile(r"""\brel\s*=\s*["']?[^"',;<>]*\bnext\b""", re.IGNORECASE)


class LinkUnreadable(ValueError):
    """The header speaks of a next page in a way that cannot be read: it is not to pass for the last."""


def next_link(header: str) -> str | None:
    """Give the target of the first link whose relation is ``next``; None where there is none.

    A link with an ``anchor`` is another document's (RFC 8288, 3.2), and passed over.

    Raises:
        LinkUnreadable: What is no link says that it leads to the next page.
    """
    place = 0
    unread: list[str] = []
    while (link := _LINK.match(header, place)) is not None:
        parameters, place = _parameters(header, link.end())
        if "next" in parameters.get("rel", "").lower().split() and not parameters.get("anchor"):
            return link[1].strip()
        behind = _BEHIND.match(header, place)
        end = behind.end() if behind else len(header)
        unread.append(header[place:end])
        place = end
    if any(_SAYS_NEXT.search(text) for text in (*unread, header[place:])):
        raise LinkUnreadable
    return None


def _parameters(header: str, place: int) -> tuple[dict[str, str], int]:
    """Read the parameters of a link, of each the first; and say where they end."""
    parameters: dict[str, str] = {}
    while (found := _PARAMETER.match(header, place)) is not None:
        place = found.end()
        if found[1]:
            parameters.setdefault(found[1].lower(), (found[2] or "").strip("\"'"))
    return parameters, place
