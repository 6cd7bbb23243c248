"""Requests built from a config; nothing is sent here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from django.conf import settings

from kernel.types import Json
from runs.http.body import body_of, with_query, written
from runs.http.config import HttpActionConfig
from runs.http.reading import ResponseAs, media_type
from runs.runtime import host_of
from runs.step_api.base import Client, Endpoint, StepCall, StepFailed
from segments.expressions import climbs
from tenants.connections.options import HttpOptions

IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
"""Methods that have the same effect however often they are sent (RFC 9110, 9.2.2)."""
_ORIGIN: Final = re.compile(r"[^/?#]*//[^/?#]*")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_KEPT_IN_PATH: Final = "/%:@!$&'()*+,;=~?#[]-._"


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """Request of one call.

    Attributes:
        method: Upper case.
        url: Without credentials.
        headers: Lower case names.
        content: What is sent as the body.
        timeout_seconds: For the call, its answer included.
        client: Puts its credentials on it at the last moment; None for a bare URL.
        body: The content as a value, for those who look at what was sent.
        is_repeatable: Whether sending it twice has the effect of sending it once.
        response_as: How the answer is read.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    timeout_seconds: float
    client: Client | None = None
    body: Json = None
    is_repeatable: bool = True
    response_as: ResponseAs = "auto"

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that limits and circuit breakers count by."""
        endpoint = Endpoint(host_of(self.url)) if self.client is None else self.client.endpoint
        return replace(endpoint, max_concurrency=endpoint.max_concurrency or settings.HTTP_HOST_CONCURRENCY)

    def at(self, url: str) -> "OutgoingRequest":
        """Give the same request to another page.

        Args:
            url: Absolute, or relative to this page. One that differs in http and https alone, as hosts behind a proxy
                write it, is asked as this page was.

        Raises:
            StepFailed: PAGE_ELSEWHERE: the page is on another host, which is not to see the credentials.
        """
        absolute = urljoin(self.url, url.strip().replace(" ", "%20"))
        if _is_beside(absolute, self.url):
            absolute = urlunsplit((*urlsplit(self.url)[:2], *urlsplit(absolute)[2:]))
        if _origin(absolute) != _origin(self.url):
            raise StepFailed("PAGE_ELSEWHERE", "The next page is on another host than the first.")
        return replace(self, url=absolute)

    def takes_member(self, name: str) -> bool:
        """Whether the body is an object that is JSON, or holds the name, and the query does not hold it."""
        query = parse_qsl(self.url.partition("#")[0].partition("?")[2], keep_blank_values=True)
        is_json = media_type(self.headers.get("content-type", "")) == "application/json"
        is_free = all(key != name for key, _ in query)
        return is_free and isinstance(self.body, dict) and (is_json or name in self.body)

    def with_member(self, name: str, value: Json) -> "OutgoingRequest":
        """Give the same request with a member of its body, which is an object or nothing, set; written as it was."""
        body, headers = {**(self.body if isinstance(self.body, dict) else {}), name: value}, {**self.headers}
        return replace(self, body=body, content=written(body, headers, is_text=False), headers=headers)

    def with_parameter(self, name: str, value: str) -> "OutgoingRequest":
        """Give the same request with a query parameter set."""
        bare, _, query = self.url.partition("#")[0].partition("?")
        pairs = [(key, text) for key, text in parse_qsl(query, keep_blank_values=True) if key != name]
        return replace(self, url=f"{bare}?{urlencode([*pairs, (name, value)])}")


def _is_beside(url: str, other: str) -> bool:
    """Whether two URLs are of one host and the same port as written, or the default ports of http and https."""
    parts = urlsplit(url), urlsplit(other)
    is_default = all(host_of(one.geturl()).endswith(_DEFAULT_PORTS.get(one.scheme.lower(), " ")) for one in parts)
    is_web = {one.scheme.lower() for one in parts} <= _DEFAULT_PORTS.keys()
    if is_web and host_of(url) == host_of(other):
        return True
    return is_default and parts[0].hostname == parts[1].hostname


def _origin(url: str) -> tuple[str, str]:
    """Give scheme and host with port, as they are compared: in lower case, a default port named."""
    return urlsplit(url).scheme.lower(), host_of(url)


async def build_request(config: HttpActionConfig, call: StepCall) -> OutgoingRequest:
    """Put together what a step's first call sends.

    Raises:
        StepFailed: The connection is unknown, or the path would climb out of its base.
    """
    client = await call.context.client(config.client_ref) if config.client_ref else None
    headers = _content_type_of(client) | {name.lower(): value for name, value in config.headers.items()}
    body, content = body_of(config, call, headers)
    url = with_query(_bare_url(config.url) if config.url else _below(client, config.path or ""), config.query)
    is_repeatable = config.method in IDEMPOTENT or _honours_key(config, client)
    return OutgoingRequest(
        method=config.method,
        url=url,
        headers=headers,
        content=content,
        timeout_seconds=_timeout(config, client),
        client=client,
        body=body,
        is_repeatable=is_repeatable,
        response_as=config.response_as,
    )


def _content_type_of(client: Client | None) -> dict[str, str]:
    """Give the type that a connection sends its bodies as, if it names one; its other headers go on later."""
    headers: Mapping[str, str] = getattr(client, "headers", {})
    return {name.lower(): text for name, text in headers.items() if name.lower() == "content-type"}


def _honours_key(config: HttpActionConfig, client: Client | None) -> bool:
    """Whether the server does once what comes twice with one idempotency key: as the step says, else the connection."""
    if config.honours_idempotency_key is not None:
        return config.honours_idempotency_key
    return honours_key(client)


def honours_key(client: Client | None) -> bool:
    """Whether a connection says that its server honours idempotency keys."""
    return options_of(client).honours_idempotency_key


def options_of(client: Client | None) -> HttpOptions:
    """Give what a connection says of the other end; one registered in code may say nothing."""
    found = getattr(client, "options", None)
    return found if isinstance(found, HttpOptions) else HttpOptions()


def joined_path(base_url: str, path: str) -> str:
    """Put a path below a base; it can neither leave the base's host nor climb out of its path.

    Raises:
        StepFailed: PATH_REFUSED, or a base with a query, which no path can follow.
    """
    if any(mark in base_url for mark in "?#"):
        raise StepFailed("CONFIG_INVALID", "The connection's base_url has a ? or #, so no path can be appended to it.")
    if climbs(path.partition("?")[0]):
        raise StepFailed("PATH_REFUSED", "The path has a segment of dots (`.` or `..`).")
    return f"{base_url.rstrip('/')}/{quote(path.lstrip('/'), safe=_KEPT_IN_PATH)}"


def _below(client: Client | None, path: str) -> str:
    if client is None:
        raise StepFailed("CONFIG_INVALID", "Either url, or client_ref and path, must be given.")
    return joined_path(client.base_url, path)


def _bare_url(url: str) -> str:
    origin = _ORIGIN.match(url)
    cut = origin.end() if origin else 0
    return url[:cut] + quote(url[cut:], safe=_KEPT_IN_PATH)


def _timeout(config: HttpActionConfig, client: Client | None) -> float:
    """The step's own time, else the connection's, else the default."""
    of_client = client.timeout_seconds if client is not None else None
    return config.timeout_seconds if of_client is None or "timeout_seconds" in config.model_fields_set else of_client
