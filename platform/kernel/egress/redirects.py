"""Following redirects: every hop is judged like the first URL."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import httpx

from kernel.egress.errors import EgressBlocked, TooManyRedirects
from kernel.egress.headers import next_headers
from kernel.egress.policy import DEFAULT_PORTS, Policy, Target, check_text, check_url
from kernel.egress.trust import TLS

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
REDIRECT_STATUSES: Final = frozenset((301, 302, 303, 307, 308))
REDIRECTS: Final = "llmteam.redirects"
"""The extension of a request with the list that is to hold the redirects it takes."""
ANSWERS: Final = "llmteam.answers"
"""The extension of a request with the statuses that are answers, though they name another place."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """One that was followed: the status that asked for it, and what was sent then."""

    status: int
    method: str
    url: str


class RedirectChain:
    """The redirects of one request, counted."""

    def __init__(self, policy: Policy, *, follow: bool) -> None:
        """Start with none followed."""
        self._policy = policy
        self._follow = follow
        self._left = policy.redirects_max

    def next_request(self, response: httpx.Response) -> httpx.Request | None:
        """Build the request an answer asks for, or None when it is to be handed out as it is.

        A changed method loses the body; another host gets no credentials. An answer that names no place is no redirect.

        Raises:
            EgressBlocked: The new place may not be called, or leads from https to http; it has the answer's status.
            TooManyRedirects: It is one hop too many.
        """
        request, places = response.request, {place.strip() for place in response.headers.get_list("location")} - {""}
        answers = request.extensions.get(ANSWERS, ())
        if not self._follow or not places or response.status_code not in REDIRECT_STATUSES.difference(answers):
            return None
        try:
            before = check_url(str(request.url), self._policy)
            after = self._next_place(before, sorted(places))
        except EgressBlocked as error:
            error.answered_with = response.status_code
            raise
        same_host = _is_same_host(before, after)
        extensions = {name: value for name, value in request.extensions.items() if same_host or name != TLS}
        method = _next_method(request.method, response.status_code)
        keeps_body = method == request.method
        if (taken := request.extensions.get(REDIRECTS)) is not None:
            taken.append(Redirect(response.status_code, method, after.url))
        return httpx.Request(
            method,
            after.url,
            headers=next_headers(request.headers.multi_items(), same_host=same_host, with_body=keeps_body),
            content=request.content if keeps_body else None,
            extensions=extensions,
        )

    def _next_place(self, before: Target, places: list[str]) -> Target:
        if len(places) > 1:
            raise EgressBlocked("a redirect names two places")
        if self._left == 0:
            raise TooManyRedirects(f"more than {self._policy.redirects_max} redirects")
        self._left -= 1
        return self._place(before, places[0])

    def _place(self, before: Target, location: str) -> Target:
        # Judged as the server spelled it: joining drops control characters and repairs odd schemes silently. Only
        # blanks are what browsers take them for.
        location = location.strip(" ").replace(" ", "%20")
        check_text(location)
        try:
            place = location if _ABSOLUTE.match(location) else urljoin(before.url, location)
        except ValueError:
            raise EgressBlocked("a redirect cannot be read") from None
        after = check_url(place, self._policy)
        if before.scheme == "https" and after.scheme == "http":
            raise EgressBlocked("a redirect leads from https to http")
        return after


def _next_method(method: str, status: int) -> str:
    if status == 303:
        return method if method == "HEAD" else "GET"
    return "GET" if status in (301, 302) and method == "POST" else method


def _is_same_host(before: Target, after: Target) -> bool:
    """Tell whether credentials may follow: same host and port, or the step up to https beside it."""
    if before.host != after.host:
        return False
    if before.scheme == after.scheme:
        return before.port == after.port
    return before.port == DEFAULT_PORTS["http"] and after.port == DEFAULT_PORTS["https"]
