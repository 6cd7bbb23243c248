"""OAuth 2 client credentials (RFC 6749, 4.4): a token fetched once, used until shortly before its end."""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus

import httpx

from kernel.egress import EgressClient
from kernel.errors import LlmteamError
from kernel.values import parse_json
from runs.connections.facts import ConnectionFacts
from runs.connections.redaction import hidden_texts, redact
from runs.connections.trust import ConnectionTrust
from runs.step_api.base import StepFailed
from tenants.models import SecretPlace

TOKEN_TIMEOUT_SECONDS: Final = 10.0
DEFAULT_LIFETIME_SECONDS: Final = 300.0
EARLY_SECONDS: Final = 30.0
"""A token is renewed this long before its end, or after half its life if that comes first."""


MOST_FIELDS: Final = 100
LONGEST_ANSWER: Final = 64 * 1024

LONGEST_WORDS: Final = 300
LONGEST_LIFETIME_SECONDS: Final = 3.2e8
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class ClientCredentials:
    """Shows a bearer token that the token server gives for the client's secret. One fetch at a time."""

    def __init__(
        self,
        facts: ConnectionFacts,
        *,
        secret: str,
        http_client: Callable[[], EgressClient],
        trust: ConnectionTrust | None = None,
    ) -> None:
        self._facts = facts
        self._secret = secret
        self._http_client = http_client
        self._trust = trust
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
        client_id, secret = self._facts.client_id, self._secret
        encoded = hidden_texts(quote_plus(secret), quote_plus(client_id))
        return (*encoded, *hidden_texts(secret, client_id), *hidden_texts(self._token))

    async def _fetch(self) -> tuple[str, float]:
        facts = self._facts
        fields = {"grant_type": "client_credentials", "scope": facts.scope, "audience": facts.audience}
        fields |= {"resource": facts.resource}
        headers = {"Accept": "application/json"}
        if facts.secret_in == SecretPlace.BODY:
            fields |= {"client_id": facts.client_id, "client_secret": self._secret}
        else:
            headers["Authorization"] = _basic(facts.client_id, self._secret)
        try:
            response = await self._http_client().post(
                facts.token_url,
                data={name: value for name, value in fields.items() if value},
                headers=headers,
                timeout=TOKEN_TIMEOUT_SECONDS,
                extensions={} if self._trust is None else await self._trust.extensions(),
            )
        except LlmteamError as error:
            raise self._unavailable(error.detail) from error
        answer = _answer_of(response)
        if response.status_code >= 500 or response.status_code == 429:
            raise self._unavailable(f"it answered with status {response.status_code}.{self._words(answer)}")
        if not response.is_success:
            raise self._refused(f"refused: status {response.status_code}.{self._words(answer)}")
        return self._read(answer)

    def _read(self, answer: Mapping[str, Any]) -> tuple[str, float]:
        token = answer.get("access_token")
        if isinstance(token, int) and not isinstance(token, bool):
            token = str(token)
        token = token.strip() if isinstance(token, str) else token
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise self._refused(f"answered without a token.{self._words(answer)}")
        return token, _lifetime(answer.get("expires_in"))

    def _words(self, answer: Mapping[str, Any]) -> str:
        """Give what the server says about a refusal, without our secret."""
        said = [answer.get(name) for name in ("error", "error_description", "message")]
        words = ": ".join(str(redact(text, self.secrets()))[:LONGEST_WORDS] for text in said if isinstance(text, str))
        return f" It says: {words}" if words else ""

    def _refused(self, what: str) -> StepFailed:
        return StepFailed("OAUTH2_REFUSED", f"The token server of the connection {self._facts.ref} {what}")

    def _unavailable(self, why: str) -> StepFailed:
        message = f"No token for the connection {self._facts.ref}: {why}"
        return StepFailed("OAUTH2_UNAVAILABLE", message, retryable=True)


def _basic(client_id: str, secret: str) -> str:
    """Write Basic credentials of a client, both parts form-encoded (RFC 6749, 2.3.1)."""
    both = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


def _answer_of(response: httpx.Response) -> Mapping[str, Any]:
    """Read an answer, JSON or a form; what is no object says nothing."""
    content = response.content[:LONGEST_ANSWER]
    try:
        if response.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(content.decode(errors="replace"), max_num_fields=MOST_FIELDS))
        found = parse_json(content, big_integers="text")
    except (LlmteamError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lifetime(told: object) -> float:
    """Read a lifetime in seconds; one that is not told, or makes no sense, is taken to be short."""
    try:
        seconds = float(told) if isinstance(told, int | float | str) else 0.0
    except ValueError:
        seconds = 0.0
    return seconds if 0 < seconds < LONGEST_LIFETIME_SECONDS else DEFAULT_LIFETIME_SECONDS
