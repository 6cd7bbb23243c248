"""Answering a host's challenge by digest (RFC 7616); one that cannot be answered is a refusal, and says why."""

import re
from collections.abc import Generator, Iterator, Sequence
from typing import Final

import httpx

from runs.connections.digest_answer import DEFAULT, HASHES, OF_SESSIONS, digest_answer

NOT_ANSWERED: Final = "llmteam.challenge"
"""The extension of a response that says why its challenge was not answered."""
_ALGORITHMS: Final = frozenset(f"{name}{end}" for name in HASHES for end in ("", OF_SESSIONS))
_LONGEST: Final = 8_192
_PART: Final = re.compile(
    r"""([!#$%&'*+.^_`|~0-9A-Za-z-]{1,200})(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s,"]*))?""", re.DOTALL
)
_Challenge = dict[str, str]


class ByChallenge(httpx.Auth):
    """Sends a request again with the answer to its challenge, if it is one that can be answered.

    The last challenge of the host is answered beforehand.
    """

    def __init__(self, username: str, secret: str) -> None:
        self._username = username
        self._secret = secret
        self._challenge: _Challenge | None = None
        self._count = 0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send; once more where the host asks for it."""
        request.headers.encoding = "utf-8"  # httpx else takes ASCII for what it read before
        if self._challenge is not None:
            self._answer(request, self._challenge)
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        found = _answerable(response)
        if isinstance(found, str):
            response.extensions[NOT_ANSWERED] = found
            return
        self._challenge, self._count = found, 0
        self._answer(request, found)
        yield request

    def _answer(self, request: httpx.Request, challenge: _Challenge) -> None:
        self._count += 1
        request.headers["Authorization"] = digest_answer(
            challenge,
            method=request.method,
            target=request.url.raw_path.decode("ascii"),
            username=self._username,
            password=self._secret,
            count=self._count,
        )


def why_not_answered(response: httpx.Response) -> str | None:
    """Say why a challenge was not answered, if it was not."""
    reason: str | None = response.extensions.get(NOT_ANSWERED)
    return reason


def _answerable(response: httpx.Response) -> _Challenge | str:
    """Give a challenge that can be answered; where none can be, why."""
    fields = [value for name, value in response.headers.raw if name.lower() == b"www-authenticate"]
    challenges = list(_digests(fields))
    if not challenges:
        return "It does not ask for digest."
    reasons = []
    for challenge in challenges:
        reason = _flaw(challenge)
        if reason is None:
            return challenge
        reasons.append(reason)
    return reasons[0]


def _digests(fields: Sequence[bytes]) -> Iterator[_Challenge]:
    """Give the challenges by digest; one field may hold several challenges, of other schemes as well."""
    for field in fields:
        scheme, members = "", _Challenge()
        for part in _PART.finditer(_text(field[:_LONGEST])):
            name, value = part[1].lower(), part[2]
            if value is not None:
                members.setdefault(name, value.removeprefix('"').removesuffix('"'))
                continue
            if scheme == "digest":
                yield members
            scheme, members = name, _Challenge()
        if scheme == "digest":
            yield members


def _flaw(challenge: _Challenge) -> str | None:
    qualities = [name.strip().lower() for name in challenge.get("qop", "auth").split(",")]
    if not challenge.get("nonce"):
        return "Its digest challenge has no nonce."
    if challenge.get("algorithm", DEFAULT).upper() not in _ALGORITHMS:
        return "Its digest challenge asks for an unknown algorithm."
    if "auth" not in qualities and qualities != [""]:
        return "Its digest challenge asks for a quality of protection (qop) other than auth."
    return None


def _text(field: bytes) -> str:
    try:
        return field.decode()
    except UnicodeDecodeError:
        return field.decode("latin-1")
