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
    """The header speaks of a next page, but not of which: what was read is not to pass for all."""


def next_links(header: str) -> list[str]:
    """Give the targets of the links whose relation is ``next``.

    A link with an ``anchor`` is another document's (RFC 8288, 3.2), and passed over.

    Raises:
        LinkUnreadable: What is no link says that it leads to the next page.
    """
    place = 0
    found: list[str] = []
    unread: list[str] = []
    while (link := _LINK.match(header, place)) is not None:
        parameters, place = _parameters(header, link.end())
        behind = _BEHIND.match(header, place)
        end = behind.end() if behind else len(header)
        if "next" in parameters.get("rel", "").lower().split() and not parameters.get("anchor"):
            found.append(link[1].strip())
        else:
            unread.append(header[place:end])
        place = end
    if not found and any(_SAYS_NEXT.search(text) for text in (*unread, header[place:])):
        raise LinkUnreadable
    return found


def _parameters(header: str, place: int) -> tuple[dict[str, str], int]:
    """Read the parameters of a link, of each the first; and say where they end."""
    parameters: dict[str, str] = {}
    while (found := _PARAMETER.match(header, place)) is not None:
        place = found.end()
        if found[1]:
            parameters.setdefault(found[1].lower(), (found[2] or "").strip("\"'"))
    return parameters, place
