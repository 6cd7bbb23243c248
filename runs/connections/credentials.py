"""Credentials of a connection, one class for each way to send them. None puts its secret into a text of ours."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from kernel.egress import EgressClient, HeaderRefused, check_headers
from kernel.redaction import hidden_texts
from runs.connections.digest import ByChallenge
from runs.connections.facts import ConnectionFacts
from runs.connections.oauth2 import ClientCredentials
from runs.connections.trust import ConnectionTrust
from runs.step_api.base import StepFailed


class Credentials(Protocol):
    """Put on each request before it is sent."""

    async def put_on(self, request: httpx.Request) -> None:
        """Add them.

        Raises:
            StepFailed: They cannot be had now.
        """

    def renew(self) -> bool:
        """Forget what may have become stale; return whether another try may be let in."""

    def secrets(self) -> tuple[str, ...]:
        """Give what must not come back in an answer."""


@dataclass(frozen=True)
class InHeader:
    """A header with a fixed value, unless the request has one."""

    name: str
    value: str = field(repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)

    async def put_on(self, request: httpx.Request) -> None:
        """Set it."""
        request.headers.setdefault(self.name, self.value)

    def renew(self) -> bool:
        """Nothing is stale."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Give the secret's spellings."""
        return self.hidden


class ByDigest:
    """Answers the host's challenge (RFC 7616); the guarded client does so, by ``http_auth``."""

    def __init__(self, username: str, secret: str) -> None:
        self.http_auth = ByChallenge(username, secret)
        self._hidden = hidden_texts(secret, username)

    async def put_on(self, request: httpx.Request) -> None:
        """Add nothing before there is a challenge."""

    def renew(self) -> bool:
        """Nothing is stale."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Give the secret's spellings."""
        return self._hidden


@dataclass(frozen=True)
class InQuery:
    """A parameter of the address. It is added when the request is sent, so no record of the address has it."""

    name: str
    value: str = field(repr=False)

    async def put_on(self, request: httpx.Request) -> None:
        """Add it."""
        request.url = request.url.copy_set_param(self.name, self.value)

    def renew(self) -> bool:
        """Nothing is stale."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Give the secret's spellings."""
        return hidden_texts(self.value)


class NoCredentials:
    """Adds nothing."""

    async def put_on(self, request: httpx.Request) -> None:
        """Add nothing."""

    def renew(self) -> bool:
        """Nothing is stale."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Nothing is secret."""
        return ()


def build_credentials(
    facts: ConnectionFacts,
    *,
    secret: str,
    http_client: Callable[[], EgressClient],
    trust: ConnectionTrust | None = None,
) -> Credentials:
    """Make what a connection shows.

    Args:
        facts: The connection.
        secret: Its secret, open.
        http_client: Gives the tenant's guarded client, for tokens.
        trust: Its TLS, if it has its own; for tokens as well.

    Raises:
        StepFailed: CONNECTION_UNUSABLE: the secret cannot be sent in a header.
    """
    if facts.auth == "digest":
        return ByDigest(facts.username, secret)
    if facts.auth == "query":
        return InQuery(facts.auth_name, secret)
    if facts.auth == "oauth2":
        return ClientCredentials(facts, secret=secret, http_client=http_client, trust=trust)
    if facts.auth in {"bearer", "basic", "header"}:
        return _in_header(facts, *_header(facts, secret), hidden_texts(secret, facts.username))
    return NoCredentials()


def _header(facts: ConnectionFacts, secret: str) -> tuple[str, str]:
    """Give the header that shows a secret, and its value."""
    if facts.auth == "header":
        return facts.auth_name, secret
    if facts.auth == "bearer":
        return "Authorization", f"Bearer {secret}"
    return "Authorization", f"Basic {base64.b64encode(f'{facts.username}:{secret}'.encode()).decode()}"


def _in_header(facts: ConnectionFacts, name: str, value: str, hidden: tuple[str, ...]) -> InHeader:
    """Make a header; a secret that was saved before its rules, or for another auth, may not fit into one."""
    try:
        check_headers([(name, value)])
    except HeaderRefused as error:
        message = f"The secret of the connection {facts.ref} cannot be sent in a header: save it again."
        raise StepFailed("CONNECTION_UNUSABLE", message) from error
    return InHeader(name, value, hidden)
