"""OAuth 2 client credentials (RFC 6749, 4.4): a token fetched once, used until shortly before its end."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from kernel.egress import EgressClient
from kernel.errors import LlmteamError
from kernel.values import parse_json
from runs.connections.facts import ConnectionFacts
from runs.connections.redaction import hidden_texts
from runs.steps.base import StepFailed

TOKEN_TIMEOUT_SECONDS: Final = 10.0
DEFAULT_LIFETIME_SECONDS: Final = 300.0
EARLY_SECONDS: Final = 30.0
"""A token is renewed this long before its end, or after half its life if that comes first."""


LONGEST_ANSWER: Final = 64 * 1024

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")


class ClientCredentials:
    """Shows a bearer token that the token server gives for the client's secret. One fetch at a time."""

    def __init__(self, facts: ConnectionFacts, *, secret: str, http_client: Callable[[], EgressClient]) -> None:
        self._facts = facts
        self._secret = secret
        self._http_client = http_client
        self._fetching = asyncio.Lock()
        self._token = ""
        self._until = 0.0

    async def put_on(self, request: httpx.Request) -> None:
        """Set the header, with a token fetched now if need be.

        Raises:
            StepFailed: OAUTH2_REFUSED, or OAUTH2_UNAVAILABLE, which passes.
        """
        async with self._fetching:
            if time.monotonic() >= self._until:
                self._token, lifetime = await self._fetch()
                self._until = time.monotonic() + max(lifetime / 2, lifetime - EARLY_SECONDS)
        request.headers["Authorization"] = f"Bearer {self._token}"

    def renew(self) -> bool:
        """Forget the token; a server may have revoked it before its time."""
        self._until = 0.0
        return True

    def secrets(self) -> tuple[str, ...]:
        """Give the spellings of the secret and the token."""
        return (*hidden_texts(self._secret, self._facts.client_id), *hidden_texts(self._token))

    async def _fetch(self) -> tuple[str, float]:
        fields = {"grant_type": "client_credentials", **({"scope": self._facts.scope} if self._facts.scope else {})}
        try:
            response = await self._http_client().post(
                self._facts.token_url,
                data=fields,
                auth=(self._facts.client_id, self._secret),
                headers={"Accept": "application/json"},
                timeout=TOKEN_TIMEOUT_SECONDS,
            )
        except LlmteamError as error:
            raise self._unavailable(error.detail) from error
        if response.status_code >= 500 or response.status_code == 429:
            raise self._unavailable(f"it answered with status {response.status_code}.")
        if not response.is_success:
            raise StepFailed(
                "OAUTH2_REFUSED",
                f"The token server of the connection {self._facts.ref} refused: status {response.status_code}.",
            )
        return self._read(response)

    def _read(self, response: httpx.Response) -> tuple[str, float]:
        try:
            answer: Any = parse_json(response.content[:LONGEST_ANSWER], big_integers="text")
            token, lifetime = str(answer["access_token"]), float(answer.get("expires_in", DEFAULT_LIFETIME_SECONDS))
        except (LlmteamError, LookupError, TypeError, ValueError, AttributeError):
            token, lifetime = "", 0.0
        if _TOKEN.fullmatch(token) is None:
            message = f"The token server of the connection {self._facts.ref} answered without a token."
            raise StepFailed("OAUTH2_REFUSED", message)
        return token, lifetime

    def _unavailable(self, why: str) -> StepFailed:
        message = f"No token for the connection {self._facts.ref}: {why}"
        return StepFailed("OAUTH2_UNAVAILABLE", message, retryable=True)
