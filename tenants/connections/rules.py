"""Rules of connections. Pure; errors point at the field, and never repeat a value that may be secret."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from kernel.egress import EgressBlocked, HeaderRefused, Policy, check_headers, check_url
from kernel.errors import ErrorItem
from kernel.types import Json
from tenants.connections.certificates import certificate_problems
from tenants.connections.options import option_problems
from tenants.models import ConnectionAuth, ConnectionKind

REF: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_BEGINS_AS_URL: Final = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_CREDENTIAL: Final = re.compile(r"authorization|cookie|token|secret|password|api-?key|^x-.*-key$", re.IGNORECASE)
POINTERS: Final[Mapping[str, str]] = {
    "auth": "/auth/type",
    "auth_name": "/auth/name",
    "username": "/auth/username",
    "token_url": "/auth/token_url",
    "client_id": "/auth/client_id",
    "audience": "/auth/audience",
    "resource": "/auth/resource",
    "secret_in": "/auth/secret_in",
    "tls_ca": "/tls/ca",
    "tls_certificate": "/tls/certificate",
    "tls_key": "/tls/key",
}
"""Pointers to where callers write what a connection keeps flat."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_HEADERS: Final = re.compile(r"[^\x20-\x7e]|^ | $")
_NOT_IN_TOKENS: Final = re.compile(r"[^\x21-\x7e]")
_INVISIBLE_OR_AROUND: Final = re.compile(r"[\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]|^\s|\s$")
_REFUSED_IN_SECRETS: Final[Mapping[str, re.Pattern[str]]] = {
    ConnectionAuth.BEARER: _NOT_IN_TOKENS,
    ConnectionAuth.PROVIDER: _NOT_IN_TOKENS,
    ConnectionAuth.HEADER: _NOT_IN_HEADERS,
    ConnectionAuth.QUERY: _INVISIBLE_OR_AROUND,
    ConnectionAuth.OAUTH2: _INVISIBLE_OR_AROUND,
}
"""Characters that a secret cannot hold, by the way it is shown; a password may hold anything."""
_OWN_PATHS: Final = ("/chat/completions", "/completions", "/messages")
_NAMED_BY: Final[Mapping[str, str]] = {ConnectionAuth.HEADER: "header", ConnectionAuth.QUERY: "query parameter"}
_NAME: Final = re.compile(r"[A-Za-z0-9_.~-]{1,100}")


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """Specification of a connection, checked for form."""

    kind: str
    provider: str = ""
    base_url: str = ""
    model: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: str = ""
    auth_name: str = ""
    username: str = ""
    token_url: str = ""
    client_id: str = ""
    scope: str = ""
    audience: str = ""
    resource: str = ""
    secret_in: str = ""
    tls_ca: str = ""
    tls_certificate: str = ""
    timeout_seconds: float | None = None
    requests_per_minute: int | None = None
    max_concurrency: int | None = None
    allows_tools: bool = False
    options: Mapping[str, Json] = field(default_factory=dict)
    is_active: bool = True

    @property
    def shown_auth(self) -> str:
        """The way the secret is presented; by default as the provider wants it, or not at all."""
        return self.auth or (ConnectionAuth.PROVIDER if self.kind == ConnectionKind.LLM else ConnectionAuth.NONE)


def problems(spec: ConnectionSpec, *, policy: Policy, providers: Mapping[str, str | None]) -> Iterator[ErrorItem]:
    """Tell everything that is wrong with a connection.

    Args:
        spec: The connection.
        policy: What the tenant may call.
        providers: The providers of language models that are installed, each with its own address if it has one.
    """
    yield from _of_kind(spec, providers)
    yield from _of_auth(spec)
    for name in ("base_url", "token_url"):
        if getattr(spec, name):
            yield from _of_url(name, getattr(spec, name), policy)
    yield from _of_headers(spec.headers)
    yield from option_problems(spec.kind, spec.options)


def secret_problems(secret: object, spec: ConnectionSpec) -> Iterator[ErrorItem]:
    """Refuse a secret that cannot be sent: a line end pasted along with a key, or what no header carries."""
    if not isinstance(secret, str):
        return
    if _CONTROL.search(secret):
        hint = "Paste it without line ends or tabs."
        yield _item("secret", "CONTROL_CHARACTER", "The secret has a line end or another control character.", hint)
    elif (refused := _REFUSED_IN_SECRETS.get(spec.shown_auth)) and (found := refused.search(secret)):
        place = f"Character {found.start() + 1} of the secret (U+{ord(found[0]):04X})"
        detail = f"{place} cannot be part of what the auth {spec.shown_auth} sends."
        yield _item("secret", "CHARACTER_REFUSED", detail, "Paste the secret alone, without blanks or words around it.")


def tls_problems(spec: ConnectionSpec, key: str, *, now: datetime) -> Iterator[ErrorItem]:
    """Tell what is wrong with what a connection has for TLS.

    Args:
        spec: The connection.
        key: The private key of its client certificate, new or kept; empty for none.
        now: When it is to be valid.
    """
    has_any = bool(spec.tls_ca or spec.tls_certificate or key)
    if has_any and urlsplit(spec.base_url).scheme == "http":
        yield _item("tls_ca", "NOT_TLS", "The base_url begins with http, so certificates have no use.", "Write https.")
    yield from certificate_problems(spec.tls_ca, spec.tls_certificate, key, now=now)


def moved_host(before: ConnectionSpec, after: ConnectionSpec) -> bool:
    """Whether a secret kept from before would be sent to another place."""
    places = [(urlsplit(one.base_url)[:2], urlsplit(one.token_url)[:2], one.provider) for one in (before, after)]
    return places[0] != places[1]


def _of_kind(spec: ConnectionSpec, providers: Mapping[str, str | None]) -> Iterator[ErrorItem]:
    if spec.kind == ConnectionKind.LLM:
        if spec.provider not in providers:
            hint = f"One of {', '.join(sorted(providers))}."
            yield _item("provider", "UNKNOWN_PROVIDER", "There is no such provider of language models.", hint)
        elif not spec.base_url and providers[spec.provider] is None:
            yield _item("base_url", "MISSING_FIELD", f"The provider {spec.provider} has no address of its own.")
        yield from _of_model_address(spec.base_url)
        return
    if not spec.base_url:
        yield _item("base_url", "MISSING_FIELD", "A connection to an HTTP API needs a base_url.")
    elif any(mark in spec.base_url for mark in "?#"):
        detail = "A base_url may not contain ? or #: the paths of steps are appended to it."
        yield _item("base_url", "INVALID", detail, "Write what follows them into the step's `path` or `query`.")
    for name in ("provider", "model"):
        if getattr(spec, name):
            yield _item(name, "NOT_OF_THIS_KIND", f"Only a connection to a language model has a {name}.")


def _of_model_address(base_url: str) -> Iterator[ErrorItem]:
    path = urlsplit(base_url).path.rstrip("/")
    if path.endswith(_OWN_PATHS):
        own = next(end for end in _OWN_PATHS if path.endswith(end))
        detail = f"The provider adds {own} to a base_url itself."
        yield _item("base_url", "INVALID", detail, f"Leave {own} out.")


def _of_auth(spec: ConnectionSpec) -> Iterator[ErrorItem]:
    needed = {
        ConnectionAuth.BASIC: ("username",),
        ConnectionAuth.DIGEST: ("username",),
        ConnectionAuth.HEADER: ("auth_name",),
        ConnectionAuth.QUERY: ("auth_name",),
        ConnectionAuth.OAUTH2: ("token_url", "client_id"),
    }
    auth = spec.shown_auth
    yield from _of_another_kind(spec)
    for name in needed.get(ConnectionAuth(auth), ()):
        if not getattr(spec, name):
            field = f"a name, that of the {_NAMED_BY[auth]}" if name == "auth_name" else name
            yield _item(name, "MISSING_FIELD", f"The auth {auth} needs {field}.")
    if auth == ConnectionAuth.BASIC and ":" in spec.username:
        yield _item(
            "username", "INVALID", "A user name of basic auth holds no colon: the host would take it for its end."
        )
    if spec.auth_name and not _NAME.fullmatch(spec.auth_name):
        yield _item("auth_name", "INVALID", "A header's or parameter's name has letters, digits, hyphens only.")
    if auth == ConnectionAuth.HEADER and spec.auth_name:
        yield from _refusal("auth_name", {spec.auth_name: "x"})


def _of_another_kind(spec: ConnectionSpec) -> Iterator[ErrorItem]:
    auth = spec.shown_auth
    if auth == ConnectionAuth.DIGEST and spec.kind != ConnectionKind.HTTP:
        yield _item("auth", "NOT_OF_THIS_KIND", "Only an HTTP API can use digest.")
    if auth == ConnectionAuth.PROVIDER and spec.kind != ConnectionKind.LLM:
        yield _item("auth", "NOT_OF_THIS_KIND", "Only a language model has a provider to show the secret to.")
    for name in ("audience", "resource", "secret_in"):
        if getattr(spec, name) and auth != ConnectionAuth.OAUTH2:
            yield _item(name, "NOT_OF_THIS_KIND", f"Only the auth oauth2 has {name}.")


def _of_url(name: str, url: str, policy: Policy) -> Iterator[ErrorItem]:
    if _BEGINS_AS_URL.match(url) is None:
        detail = "The address begins with neither https:// nor http://, or names no host."
        yield _item(name, EgressBlocked.code, detail, "Write it as https://host/path.")
        return
    try:
        check_url(url, policy)
    except EgressBlocked as error:
        hint = error.remedy or "No setting of the operator allows this one."
        yield _item(name, error.code, f"{error.detail}.", hint)


def _of_headers(headers: Mapping[str, str]) -> Iterator[ErrorItem]:
    yield from _refusal("headers", headers)
    for name in headers:
        if _CREDENTIAL.search(name):
            hint = "Send the value as `secret`, with the auth `header` and this as its name."
            yield _item("headers", "CREDENTIAL_IN_HEADERS", f"The header {name} looks like a credential.", hint)


def _refusal(field_name: str, headers: Mapping[str, str]) -> Iterator[ErrorItem]:
    try:
        check_headers(headers.items())
    except HeaderRefused as error:
        yield _item(field_name, error.code, error.detail)


def _item(name: str, code: str, detail: str, hint: str | None = None) -> ErrorItem:
    return ErrorItem(code=code, detail=detail, pointer=POINTERS.get(name, f"/{name}"), hint=hint)
