"""The header ``Link`` (RFC 8288): which page is the next."""

import re
from typing import Final

_LINK: Final = re.compile(r"\s*<([^>]*)>")
_PARAMETER: Final = re.compile(
    r"""\s*;\s*(?:([!#$%&'*+.^_`|~A-Za-z0-9-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?)?""", re.DOTALL
)
_BEHIND: Final = re.compile(r"[^,]*,?")


def next_link(header: str) -> str | None:
    """Give the target of the first link whose relation is ``next``; None where there is none."""
    place = 0
    while (link := _LINK.match(header, place)) is not None:
        relation, place = _relation(header, link.end())
        if "next" in relation.lower().split():
            return link[1].strip()
        behind = _BEHIND.match(header, place)
        place = behind.end() if behind else len(header)
    return None


def _relation(header: str, place: int) -> tuple[str, int]:
    """Read the parameters of a link: its first ``rel`` counts; and say where they end."""
    relation: str | None = None
    while (found := _PARAMETER.match(header, place)) is not None:
        place = found.end()
        if relation is None and (found[1] or "").lower() == "rel":
            relation = (found[2] or "").strip('"')
    return relation or "", place
