"""Places for values in addresses as other tools write them: `{id}`, `:id`, `${id}`. Here they mean nothing."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from segments.expressions.template import Template

MAX_SHOWN: Final = 5

_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_QUERY: Final = re.compile(r"(?<!\{)\?")
_NAME: Final = r"[A-Za-z_][\w.-]*"
_MARKED: Final = re.compile(r"[$#@%]\{[^{}\0]{1,200}\}")
"""As JavaScript, Ruby and workflow languages write it; what stands inside may be any expression of theirs."""
_FIELD: Final = rf"\{{[+#./;?&]?{_NAME}\*?(?::[^{{}}\0]{{1,100}})?(?:,{_NAME}\*?){{0,20}}\}}"
_BRACED: Final = re.compile(_FIELD)
"""As OpenAPI, URI templates (RFC 6570) and routes of web frameworks write it."""
_IN_QUERY: Final = re.compile(rf"[?&](?!query=)[^=&#?{{}}]*=({_FIELD})(?=[&#]|\Z)")
"""The whole of a parameter: within others braces have uses of their own, and GraphQL has `?query={__typename}`."""
_EQUALS: Final = re.compile(r"\s*=\s*\0")
"""As n8n begins what it fills in."""
_MARKS: Final = (
    (re.compile(r"@\{[^{}\0\n]{1,200}\}"), "write `{{ input.name }}`, or whatever expression has the value"),
    (re.compile(r"\{%-?[^{}%\0\n]{1,200}%\}"), "write a conditional: `{{ a if condition else b }}`"),
    (re.compile(r"<%[=-][^%\0\n]{1,200}%>"), "write `{{ input.name }}`, or whatever expression has the value"),
)
_GUID: Final = re.compile(r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
"""An id in braces, as SharePoint has them."""
_SEGMENT: Final = re.compile(rf":{_NAME}|<(?:[a-z]+:)?{_NAME}>")
"""A whole segment, as Express, Rails and Flask write their routes."""


def foreign_places(template: Template, *, own: re.Pattern[str] | None = None) -> list[str]:
    """Find what other tools would put a value into.

    Args:
        template: An address, or a path.
        own: Places that are read here, such as `{name}` in a tool's path.

    Returns:
        Each of them once, in order.
    """
    text = template.outline
    origin = _ORIGIN.match(text)
    query = _QUERY.search(text)
    begin, end = origin.end() if origin else 0, query.start() if query else len(text)
    found = [*_in_braces(text, end), *_segments(text, begin, end)]
    return list(dict.fromkeys(one for _, one in sorted(found) if own is None or own.fullmatch(one) is None))


def foreign_marks(template: Template, *, is_prompt: bool) -> list[tuple[str, str]]:
    """Find what other tools would fill in, in a text of any kind, and here is sent as it stands; each with a hint.

    A prompt may speak of templates; in it only what stands at a template of ours counts.
    """
    text = template.outline
    found = [("=", "leave out the `=` before the braces")] if template.expressions and _EQUALS.match(text) else []
    for mark, hint in () if is_prompt else _MARKS:
        found += [(one[0], hint) for one in islice(mark.finditer(text), MAX_SHOWN)]
    return list(dict.fromkeys(found))


def named_in(place: str) -> str | None:
    """Give the name in a place that has one and nothing else."""
    inner = place.strip("${}:<>#@%")
    return inner if re.fullmatch(r"[A-Za-z_]\w*", inner) else None


def _in_braces(text: str, end: int) -> Iterator[tuple[int, str]]:
    marked = [(found.start(), found[0]) for found in _MARKED.finditer(text)]
    named = [(found.start(), found[0]) for found in _BRACED.finditer(text, 0, end)]
    named += [(found.start(1), found[1]) for found in _IN_QUERY.finditer(text, end)]
    inside = {start + 1 for start, _ in marked}
    yield from marked
    yield from ((start, one) for start, one in named if start not in inside and _GUID.fullmatch(one) is None)


def _segments(text: str, begin: int, end: int) -> Iterator[tuple[int, str]]:
    for segment in re.finditer(r"[^/]+", text[begin:end]):
        if _SEGMENT.fullmatch(segment[0]):
            yield begin + segment.start(), segment[0]
