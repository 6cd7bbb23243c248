"""OAuth 2 client credentials (RFC 6749, 4.4): a token fetched once, used until shortly before its end."""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus

import httpx

from kernel.egress import EgressBlocked, EgressClient
from kernel.errors import LlmteamError
from kernel.redaction import hidden_texts, redact
from kernel.values import parse_json
from runs.connections.facts import ConnectionFacts
from runs.connections.trust import ConnectionTrust
from runs.providers.quotable_words import quotable_place
from runs.step_api.base import StepFailed
from runs.step_api.retry_after import seconds_to_wait
from tenants.models import SecretPlace

TOKEN_TIMEOUT_SECONDS: Final = 10.0
DEFAULT_LIFETIME_SECONDS: Final = 300.0
EARLY_SECONDS: Final = 30.0
"""A token is renewed this long before its end, or after half its life if that comes first."""


MAX_FIELDS: Final = 100
MAX_ANSWER_LENGTH: Final = 64 * 1024

MAX_REDIRECTS: Final = 5
MAX_WORDS_LENGTH: Final = 300
MAX_LIFETIME_SECONDS: Final = 3.2e8
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_LEADING_ON: Final = frozenset((httpx.codes.TEMPORARY_REDIRECT, httpx.codes.PERMANENT_REDIRECT))
"""Redirects that keep the question as it is."""
_TAG: Final = re.compile(r"<(?:script|style)\b[^<]*<[^>]*>|<[^>]{0,2000}>", re.IGNORECASE)
_MAX_NAMES: Final = 10
_MAX_NAME: Final = 40
_REMEDY: Final = "Name the address it leads to as the connection's `token_url`, if it is one."


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
        response = await self._ask({name: value for name, value in fields.items() if value}, headers)
        answer = _answer_of(response)
        is_limit = response.status_code == httpx.codes.TOO_MANY_REQUESTS
        if response.status_code >= 500 or is_limit:
            why = f"it answered with status {response.status_code}.{self._words(answer, response)}"
            raise self._unavailable(why, seconds_to_wait(response.headers, is_limit=is_limit))
        if response.has_redirect_location:
            raise self._moved(response.status_code, quotable_place(response.headers["location"], response.request))
        if not response.is_success:
            raise self._refused(f"refused: status {response.status_code}.{self._words(answer, response)}")
        return self._read(answer, response)

    async def _ask(self, fields: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
        """Ask for a token; behind a redirect only where the question stays whole and on its host."""
        extensions = {} if self._trust is None else await self._trust.extensions()
        client, place = self._http_client(), httpx.URL(self._facts.token_url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                request = client.build_request(
                    "POST", place, data=fields, headers=headers, timeout=TOKEN_TIMEOUT_SECONDS, extensions=extensions
                )
                response = await client.send(request, follow_redirects=False)
            except LlmteamError as error:
                if isinstance(error, EgressBlocked) and error.answered_with is not None:
                    raise self._moved(error.answered_with, None) from error
                if (status := getattr(error, "answered_with", None)) is None or not httpx.codes.is_error(status):
                    raise self._unavailable(error.detail) from error
                return httpx.Response(status, request=request)
            next_place = _next_place(response)
            if next_place is None:
                break
            place = next_place
        return response

    def _moved(self, status: int, place: str | None) -> StepFailed:
        """Say that the server redirects, and where to if that can be told."""
        target = f" to {redact(place, self.secrets())}" if place else ""
        return self._refused(f"redirects: status {status}{target}. {_REMEDY}")

    def _read(self, answer: Mapping[str, Any], response: httpx.Response) -> tuple[str, float]:
        token = answer.get("access_token")
        if isinstance(token, int) and not isinstance(token, bool):
            token = str(token)
        token = token.strip() if isinstance(token, str) else token
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            words = self._words(answer)
            raise self._refused(
                f"answered without a token{'' if words else _without_token(token, answer, response)}.{words}"
            )
        return token, _lifetime(answer.get("expires_in"))

    def _words(self, answer: Mapping[str, Any], refusal: httpx.Response | None = None) -> str:
        """Give what the server says about a refusal, without our secret; the text of a page too, where it is none."""
        texts: list[object] = [answer.get(name) for name in ("error", "error_description", "message")]
        if refusal is not None and not answer:
            texts = [" ".join(_TAG.sub(" ", refusal.text[:MAX_ANSWER_LENGTH]).split())]
        words = ": ".join(
            str(redact(text, self.secrets()))[:MAX_WORDS_LENGTH] for text in texts if isinstance(text, str)
        )
        return f" It says: {words}" if words else ""

    def _refused(self, what: str) -> StepFailed:
        return StepFailed("OAUTH2_REFUSED", f"The token server of the connection {self._facts.ref} {what}")

    def _unavailable(self, why: str, seconds: float | None = None) -> StepFailed:
        message = f"No token for the connection {self._facts.ref}: {why}"
        return StepFailed("OAUTH2_UNAVAILABLE", message, retryable=True, retry_after_seconds=seconds)


def _without_token(found: object, answer: Mapping[str, Any], response: httpx.Response) -> str:
    """Say what came in a token's place, by names alone: values may be one."""
    if found:
        return ": its `access_token` has characters that no header can carry"
    if answer:
        names = ", ".join(f"`{name[:_MAX_NAME]}`" for name in [*answer][:_MAX_NAMES])
        return f": it has no `access_token`, but {names}"
    kind = response.headers.get("content-type", "")[:MAX_WORDS_LENGTH]
    return f": it is not a JSON object ({kind or 'of no type'})"


def _next_place(response: httpx.Response) -> httpx.URL | None:
    """Give where a question is asked again: as it is and of the same host, or one step up to https there."""
    if response.status_code not in _LEADING_ON or not response.has_redirect_location:
        return None
    before = response.request.url
    try:
        after = before.join(response.headers["location"].strip().replace(" ", "%20"))
    except httpx.InvalidURL:
        return None
    is_step_up = (before.scheme, after.scheme) == ("http", "https") and before.port is None and after.port is None
    is_same = (before.scheme, before.port) == (after.scheme, after.port)
    return after if before.host == after.host and (is_same or is_step_up) else None


def _basic(client_id: str, secret: str) -> str:
    """Write Basic credentials of a client, both parts form-encoded (RFC 6749, 2.3.1)."""
    both = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


def _answer_of(response: httpx.Response) -> Mapping[str, Any]:
    """Read an answer, JSON or a form; what is not an object says nothing."""
    content = response.content[:MAX_ANSWER_LENGTH]
    try:
        if response.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(content.decode(errors="replace"), max_num_fields=MAX_FIELDS))
        found = parse_json(content, big_integers="text")
    except (LlmteamError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lifetime(expires_in: object) -> float:
    """Read a lifetime in seconds; one that is not told, or makes no sense, is taken to be short."""
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else 0.0
    except ValueError:
        seconds = 0.0
    return seconds if 0 < seconds < MAX_LIFETIME_SECONDS else DEFAULT_LIFETIME_SECONDS
