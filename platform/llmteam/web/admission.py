"""Admission of requests and WebSockets by their sender's share, before any work is done for them."""

import hashlib
from collections.abc import Iterable
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from django.conf import settings
from django.http import parse_cookie

from audit.types import REQUEST, RequestContext
from foundation.asgi import Application, Receive, Scope, Send
from kernel.admission import (
    REQUESTER,
    Admission,
    AdmissionBounds,
    Kinds,
    Requester,
    RequestKind,
    Share,
    share_of_address,
)
from kernel.bounded_cache import BoundedCache
from kernel.errors import PROBLEM, LimitReached
from kernel.ids import new_id
from llmteam.api.problems import problem
from llmteam.web.early_refusals import refuse_early_by
from llmteam.web.holdings import Holdings
from llmteam.web.metrics import REQUESTS_IN_FLIGHT, REQUESTS_REFUSED, STREAMS
from llmteam.web.rates import Quota, RequestRates
from llmteam.web.tenant_caps import KnownCaps
from runs.limits.request_counts import REQUESTS_PER_MINUTE

MAX_CREDENTIALS: Final = 10_000
CLOSE_CODE: Final = 4429
Headers = list[tuple[bytes, bytes]]

_TYPES: Final = frozenset({"http", "websocket"})
_STARTS: Final = frozenset({"http.response.start", "websocket.accept"})
_OF_PROGRAMS: Final = ("/api/", "/ws/v1/")
_WAITING: Final = (RequestKind.REQUEST, RequestKind.WAIT)
_NO_WAIT: Final = frozenset({b"", b"0"})


class KnownCredentials:
    """Hashes of keys and sessions accepted lately. For counting only: they open nothing."""

    def __init__(self) -> None:
        self._tenants: BoundedCache[bytes, UUID] = BoundedCache(MAX_CREDENTIALS)

    def share_of(self, credential: bytes | None) -> Share | None:
        """Give the share of a credential's tenant; None where it is not known."""
        tenant_id = None if credential is None else self._tenants.get(credential)
        return None if tenant_id is None else Share(tenant_id)

    def learn(self, credential: bytes | None, share: Share) -> None:
        """Remember what a request showed: whose its credential is, or that it is nobody's."""
        if credential is None:
            return
        if share.tenant_id is None:
            self._tenants.pop(credential)
        else:
            self._tenants.put(credential, share.tenant_id)


def build_admission(caps: KnownCaps) -> Admission:
    """Make the counts of this process, bounded as the settings and tenants' limits say and shown among the metrics."""
    requests = AdmissionBounds(settings.REQUESTS_IN_FLIGHT_PER_TENANT, settings.REQUESTS_IN_FLIGHT_PER_ADDRESS)
    streams = AdmissionBounds(settings.STREAMS_PER_TENANT, settings.STREAMS_PER_ADDRESS)
    bounds = {RequestKind.REQUEST: requests, RequestKind.WAIT: requests, RequestKind.STREAM: streams}
    admission = Admission(bounds, caps)
    REQUESTS_IN_FLIGHT.set_function(lambda: admission.count(RequestKind.REQUEST))
    STREAMS.set_function(lambda: admission.count(RequestKind.STREAM))
    return admission


def with_admission(application: Application) -> "Entrance":
    """Serve what its share has room for, and refuse the rest with 429."""
    caps = KnownCaps()
    admission = build_admission(caps)
    entrance = Entrance(application, admission, caps, RequestRates(), Holdings(admission))
    refuse_early_by(entrance.refusal_before_body)
    return entrance


class Entrance:
    """The door of a web process: what a tenant, or an address, has no room for is refused with 429.

    A caller that is not known yet counts for its address, and for its tenant as soon as its key is found to be live.
    """

    def __init__(
        self, application: Application, admission: Admission, caps: KnownCaps, rates: RequestRates, holdings: Holdings
    ) -> None:
        self._application = application
        self._admission = admission
        self._caps = caps
        self._rates = rates
        self._holdings = holdings
        self._known = KnownCredentials()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket, or refuse it."""
        if scope["type"] not in _TYPES:
            await self._application(scope, receive, send)
            return
        self._holdings.start()
        credential = _credential(scope["headers"])
        address = share_of_address(str((scope.get("client") or ("",))[0]))
        share = self._known.share_of(credential) or address
        if share.tenant_id is not None:
            await self._caps.refresh(share.tenant_id)
        quota = self._quota(share, scope["path"])
        try:
            if quota is not None:
                await self._rates.take(quota)
            if scope["type"] == "http" and asks_for_stream(scope["headers"]):
                self._admission.check(share, RequestKind.STREAM)
            requester = self._admission.enter(kinds_of(scope), share, address)
        except LimitReached as error:
            REQUESTS_REFUSED.labels(error.code.lower()).inc()
            await _refuse(scope, send, error, self._headers(share, quota))
            return
        requester.on_learn = partial(self._known.learn, credential)
        token = REQUESTER.set(requester)
        try:
            await self._application(scope, receive, _Answering(self, scope, send, requester, quota).send)
        finally:
            REQUESTER.reset(token)
            self._admission.leave(requester)

    def refusal_before_body(
        self, headers: Iterable[tuple[bytes, bytes]], path: str
    ) -> tuple[LimitReached, Headers] | None:
        """Refuse, before its body is read, a request of a tenant that was told to slow down a moment ago."""
        share = self._known.share_of(_credential(headers))
        quota = None if share is None else self._quota(share, path)
        if share is None or quota is None or not self._rates.is_refused(quota):
            return None
        error = self._rates.refusal(quota)
        REQUESTS_REFUSED.labels(error.code.lower()).inc()
        return error, self._headers(share, quota)

    async def settle(self, requester: Requester, before: Quota | None, path: str) -> Headers:
        """Count a request for whom it turned out to be, if not for whom it was taken; give its owner's headers."""
        quota = self._quota(requester.share, path)
        if quota != before:
            if before is not None:
                self._rates.give_back(before)
            if quota is not None:
                await self._rates.count(quota)
        return self._headers(requester.share, quota)

    def _quota(self, share: Share, path: str) -> Quota | None:
        """Tell whose minute a request is counted in; None where there is no bound.

        Pages and what belongs to them are counted beside the API: opening one is many requests.
        """
        if share.tenant_id is None:
            most = settings.REQUESTS_PER_MINUTE_PER_ADDRESS
            return Quota(f"{share}/{most}", most, "address")  # processes with another setting count apart
        if not is_api(path):
            return Quota(f"{share}/pages", settings.REQUESTS_PER_MINUTE_PER_TENANT)
        cap: int | None = settings.REQUESTS_PER_MINUTE_PER_TENANT
        if self._caps.is_known(share.tenant_id):
            cap = self._caps.cap(share.tenant_id, REQUESTS_PER_MINUTE)
        return None if cap is None else Quota(str(share), cap)

    def _headers(self, share: Share, quota: Quota | None) -> Headers:
        """Write how a tenant stands; an address is not told what others behind it have used."""
        if quota is None or quota.owner != str(share) or share.tenant_id is None:
            return []
        return self._rates.standing(quota).headers()


class _Answering:
    """One answer on its way out: its first message gets the headers of the request's tenant."""

    def __init__(self, entrance: Entrance, scope: Scope, send: Send, requester: Requester, taken: Quota | None) -> None:
        self._entrance = entrance
        self._path = str(scope["path"])
        self._send = send
        self._requester = requester
        self._taken = taken

    async def send(self, message: Any) -> None:
        """Send a message on."""
        if message["type"] in _STARTS:
            headers = await self._entrance.settle(self._requester, self._taken, self._path)
            if headers:
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await self._send(message)


def kinds_of(scope: Scope) -> Kinds:
    """Tell what a request counts as, before it is read."""
    if scope["type"] == "websocket":
        return (RequestKind.STREAM,)
    return _WAITING if is_api(scope["path"]) and _asks_to_wait(scope) else (RequestKind.REQUEST,)


def is_api(path: str) -> bool:
    """Whether an address is one for programs."""
    return path.startswith(_OF_PROGRAMS)


def asks_for_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request asks for events as they come."""
    return any(name == b"accept" and b"text/event-stream" in value.lower() for name, value in headers)


def _asks_to_wait(scope: Scope) -> bool:
    """Whether a request would wait for a run: by its address, or by what it prefers."""
    if b"wait" in scope["query_string"] and parse_qs(scope["query_string"]).get(b"wait", [b"0"])[0] not in _NO_WAIT:
        return True
    return any(name == b"prefer" and b"wait" in value.lower() for name, value in scope["headers"])


def _credential(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Hash what a caller shows: key, token or session. None where it shows nothing."""
    by_name = dict(headers)
    scheme, _, token = by_name.get(b"authorization", b"").partition(b" ")
    shown = token.strip() if scheme.lower() == b"bearer" else by_name.get(b"x-api-key")
    if shown is None and b"cookie" in by_name:
        cookies = parse_cookie(by_name[b"cookie"].decode("latin-1"))
        shown = cookies.get(settings.SESSION_COOKIE_NAME, "").encode("latin-1", "replace")
    return hashlib.blake2b(shown, digest_size=16).digest() if shown else None


async def _refuse(scope: Scope, send: Send, error: LimitReached, more: Headers) -> None:
    request_id = str(new_id())
    token = REQUEST.set(RequestContext(request_id=request_id))
    try:
        body = problem(error)
    finally:
        REQUEST.reset(token)
    if scope["type"] == "websocket":
        message = {"event_type": "stream.closed", "code": error.code, "detail": error.detail, "cursor": None}
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": orjson.dumps(message).decode()})
        await send({"type": "websocket.close", "code": CLOSE_CODE})
        return
    content = orjson.dumps(body)
    headers = [
        (b"content-type", PROBLEM.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"retry-after", str(error.extra["retry_after"]).encode()),
        (b"x-request-id", request_id.encode()),
        *more,
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
