"""Admission of requests and WebSockets by their sender's share, before any work is done for them."""

import hashlib
from collections.abc import Iterable
from functools import partial
from typing import Final
from uuid import UUID

import orjson
from django.conf import settings
from django.http import parse_cookie

from audit.types import REQUEST, RequestContext
from foundation.asgi import Application, Receive, Scope, Send
from kernel.admission import REQUESTER, Admission, AdmissionBounds, RequestKind, Share, share_of_address
from kernel.bounded_cache import BoundedCache
from kernel.errors import PROBLEM, LimitReached
from kernel.ids import new_id
from llmteam.api.problems import problem
from llmteam.web.metrics import REQUESTS_IN_FLIGHT, REQUESTS_REFUSED, STREAMS
from llmteam.web.rates import RequestRates

MAX_CREDENTIALS: Final = 10_000
CLOSE_CODE: Final = 4429
_KINDS: Final = {"http": RequestKind.REQUEST, "websocket": RequestKind.STREAM}


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


def build_admission() -> Admission:
    """Make the counts of this process, bounded as the settings say and shown among the metrics."""
    admission = Admission(
        {
            RequestKind.REQUEST: AdmissionBounds(
                settings.REQUESTS_IN_FLIGHT_PER_TENANT, settings.REQUESTS_IN_FLIGHT_PER_ADDRESS
            ),
            RequestKind.STREAM: AdmissionBounds(settings.STREAMS_PER_TENANT, settings.STREAMS_PER_ADDRESS),
        }
    )
    REQUESTS_IN_FLIGHT.set_function(lambda: admission.count(RequestKind.REQUEST))
    STREAMS.set_function(lambda: admission.count(RequestKind.STREAM))
    return admission


def build_rates() -> RequestRates:
    """Make the rates the settings name."""
    return RequestRates(
        per_tenant=settings.REQUESTS_PER_MINUTE_PER_TENANT, per_address=settings.REQUESTS_PER_MINUTE_PER_ADDRESS
    )


def with_admission(application: Application, admission: Admission, rates: RequestRates) -> Application:
    """Serve what its share has room for, and refuse the rest with 429.

    A caller that is not known yet counts for its address, and for its tenant as soon as its key is found to be live.
    """
    known = KnownCredentials()

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        kind = _KINDS.get(scope["type"])
        if kind is None:
            await application(scope, receive, send)
            return
        credential = _credential(scope["headers"])
        address = share_of_address(str((scope.get("client") or ("",))[0]))
        share = known.share_of(credential) or address
        try:
            await rates.take(share)
            if _asks_for_stream(scope["headers"]):
                admission.check(share, RequestKind.STREAM)
            requester = admission.enter(kind, share, address)
        except LimitReached as error:
            REQUESTS_REFUSED.labels(error.code.lower()).inc()
            await _refuse(scope, send, error)
            return
        requester.on_learn = partial(known.learn, credential)
        token = REQUESTER.set(requester)
        try:
            await application(scope, receive, send)
        finally:
            REQUESTER.reset(token)
            admission.leave(requester)
            if requester.share != share:
                rates.move(share, requester.share)

    return served


def _credential(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Hash what a caller shows: key, token or session. None where it shows nothing."""
    by_name = dict(headers)
    scheme, _, token = by_name.get(b"authorization", b"").partition(b" ")
    shown = token.strip() if scheme.lower() == b"bearer" else by_name.get(b"x-api-key")
    if shown is None and b"cookie" in by_name:
        cookies = parse_cookie(by_name[b"cookie"].decode("latin-1"))
        shown = cookies.get(settings.SESSION_COOKIE_NAME, "").encode("latin-1", "replace")
    return hashlib.blake2b(shown, digest_size=16).digest() if shown else None


def _asks_for_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"accept" and b"text/event-stream" in value.lower() for name, value in headers)


async def _refuse(scope: Scope, send: Send, error: LimitReached) -> None:
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
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
