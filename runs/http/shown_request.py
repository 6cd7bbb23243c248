"""Requests of HTTP calls as journals may show them."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from kernel.charsets import codec_of, label_of
from kernel.redaction import CUT, redact, spellings
from kernel.types import Json
from runs.http.request import OutgoingRequest
from runs.step_api.shown_requests import beginning, names_credential, shown, text_without_credentials

MAX_URL_LENGTH: Final = 2_000
MAX_HEADER_LENGTH: Final = 500
MAX_BODY: Final = 64 * 1024
_SECRET_IN_PATH: Final = re.compile(
    r"(/bot[0-9]+:)[\w-]{20,}|(/services/T\w+/B\w+/)\w{16,}|(/api/(?:v[0-9]+/)?webhooks/[0-9]+/)[\w-]{20,}"
    r"|(/webhookb2/[^/?]+/[^/?]+/)[^/?]+"
)
"""Paths that are a credential to whoever knows them: of Telegram, Slack, Discord and Teams."""
MIN_SECRET_LENGTH: Final = 4
"""A shorter text would be found everywhere."""


def sent_over_http(request: OutgoingRequest, headers: Mapping[str, str]) -> dict[str, Json]:
    """Give what is sent, for ``StepCall.announce``; of credentials the name only, wherever else they stand."""
    query = parse_qsl(request.url.partition("#")[0].partition("?")[2], keep_blank_values=True)
    known = request.client.secrets() if request.client is not None else ()
    secrets = (*known, *_credentials((*headers.items(), *query)))
    sent: dict[str, Json] = {
        "method": request.method,
        "url": _shown_url(request.url, query, secrets),
        "idempotency_key": headers["idempotency-key"],
        "headers": {name: _shown_header(name, headers[name], secrets) for name in headers if name != "idempotency-key"},
    }
    if request.client is not None:
        sent["connection"] = request.client.ref
    if request.content is not None:
        is_large = len(request.content) > MAX_BODY
        body = text_without_credentials(request.body) if isinstance(request.body, str) else request.body
        codec = codec_of(label_of(headers.get("content-type", "")) or "") or "utf-8"
        sent["body"] = beginning(request.content, secrets, codec=codec) if is_large else shown(body, secrets)
    return sent


def shown_address(url: str, secrets: Collection[str]) -> Json:
    """Give an address that a host named, as journals may show it."""
    query = parse_qsl(url.partition("#")[0].partition("?")[2], keep_blank_values=True)
    return _shown_url(url, query, (*secrets, *_credentials(query)))


def _credentials(pairs: Collection[tuple[str, str]]) -> Iterator[str]:
    """Give every spelling of what headers and parameters named like credentials hold, word by word, longest first."""
    words = {word for name, text in pairs if names_credential(name, in_address=True) for word in (text, *text.split())}
    spelled = {spelling for word in words if len(word) >= MIN_SECRET_LENGTH for spelling in spellings(word)}
    yield from sorted(spelled, key=len, reverse=True)


def _shown_url(url: str, query: list[tuple[str, str]], secrets: Collection[str]) -> Json:
    bare = url.partition("#")[0]
    if any(names_credential(name, in_address=True) for name, _ in query):
        pairs = [(name, CUT if names_credential(name, in_address=True) else text) for name, text in query]
        bare = f"{bare.partition('?')[0]}?{urlencode(pairs, safe='[]')}"
    bare = _SECRET_IN_PATH.sub(lambda found: next(filter(None, found.groups())) + CUT, bare)
    return shown(bare, secrets, most=MAX_URL_LENGTH)


def _shown_header(name: str, text: str, secrets: Collection[str]) -> Json:
    return CUT if names_credential(name, in_address=True) else str(redact(text, secrets))[:MAX_HEADER_LENGTH]
