"""HTTP clients for everything outbound: guarded by the policy, bounded, without shared cookies.

They are httpx clients, so anything that takes one takes these. They differ in what they promise:
every URL and every hop is judged, `timeout` is the time for everything (lookup, hops and body
included), the body is bounded after decompression, nothing comes from the environment, cookies are
kept only where a request brings its own `CookieStore`, credentials never follow to another host, and
errors are those of `kernel.egress.errors`.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from kernel.egress.backend import AsyncGuardedBackend, Resolver, SyncGuardedBackend, resolve
from kernel.egress.cookies import COOKIES, CookieStore, read_public_suffixes
from kernel.egress.errors import DeadlineExceeded, EgressBlocked
from kernel.egress.headers import OWN_HEADERS, check_headers
from kernel.egress.policy import Policy, check_url
from kernel.egress.progress import PROGRESS, RequestProgress
from kernel.egress.redirects import RedirectChain
from kernel.egress.responses.body import MAX_BODY_BYTES
from kernel.egress.transport import DEADLINE, AsyncGuardedTransport, SyncGuardedTransport
from kernel.egress.trust import default_ssl_context

TIMEOUT_SECONDS = 30.0


def open_client(
    policy: Policy,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    max_body_bytes: int = MAX_BODY_BYTES,
    resolver: Resolver = resolve,
    network: httpcore.AsyncNetworkBackend | None = None,
    ssl_context: ssl.SSLContext | None = None,
    owner: Hashable = None,
    around: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None,
) -> "EgressClient":
    """Open an async client with its own pool of connections; close it with `aclose`.

    Args:
        policy: What may be reached.
        timeout_seconds: Total time of a request that names no `timeout`.
        max_body_bytes: Bound of an answer, decompressed.
        resolver: Blocking lookup of a name; runs in a thread.
        network: What opens sockets.
        ssl_context: Whom to trust; by default the system's authorities, Mozilla's and the policy's. A request may name
            another by the extension `TLS`.
        owner: Whose share of the look-up threads it uses, normally a tenant's id; by default one of its own.
        around: Puts something around the transport that each hop passes, such as a trace.
    """
    backend = AsyncGuardedBackend(policy, resolver=resolver, network=network, owner=owner)
    transport = AsyncGuardedTransport(
        backend, max_body_bytes=max_body_bytes, ssl_context=ssl_context or default_ssl_context(policy.ca_file)
    )
    return EgressClient(policy, transport if around is None else around(transport), timeout_seconds)


def open_sync_client(
    policy: Policy,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    max_body_bytes: int = MAX_BODY_BYTES,
    resolver: Resolver = resolve,
    network: httpcore.NetworkBackend | None = None,
    ssl_context: ssl.SSLContext | None = None,
    owner: Hashable = None,
) -> "SyncEgressClient":
    """Open a blocking client, for libraries that know no other; as `open_client` otherwise."""
    backend = SyncGuardedBackend(policy, resolver=resolver, network=network, owner=owner)
    transport = SyncGuardedTransport(
        backend, max_body_bytes=max_body_bytes, ssl_context=ssl_context or default_ssl_context(policy.ca_file)
    )
    return SyncEgressClient(policy, transport, timeout_seconds)


class EgressClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` that keeps the promises of this module."""

    def __init__(self, policy: Policy, transport: httpx.AsyncBaseTransport, timeout_seconds: float) -> None:
        """Use `open_client`."""
        super().__init__(
            transport=transport,
            trust_env=False,
            timeout=timeout_seconds,
            follow_redirects=True,
            headers=OWN_HEADERS,
            cookies=_no_cookies(),
        )
        self._policy = policy

    def build_request(self, method: str, url: httpx.URL | str, **kwargs: Any) -> httpx.Request:
        """Build a request whose URL and headers passed.

        Raises:
            EgressBlocked: The URL may not be called.
            HeaderRefused: A header may not be sent.
        """
        target = _check_request(url, kwargs.get("headers"), self._policy)
        with _unreadable_places_blocked():
            return super().build_request(method, target, **kwargs)

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """Send a request and follow redirects, each judged, within the request's total time.

        With the extension `COOKIES` every hop is given the cookies that belong to it, and fills the store with those it
        sets.

        Raises:
            EgressBlocked: The policy forbids the URL, an address, or a hop.
            ConnectionFailed: No connection, or it broke.
            DeadlineExceeded: Not complete in time.
            BodyTooLarge: The body is over its bound.
            BodyUnreadable: The body cannot be decompressed.
        """
        deadline = asyncio.get_running_loop().time() + _total_seconds(request)
        hops = RedirectChain(self._policy, follow=follow_redirects is not False)
        progress = RequestProgress()
        cookies: CookieStore | None = request.extensions.get(COOKIES)
        try:
            async with asyncio.timeout_at(deadline):
                if cookies is not None:
                    await read_public_suffixes()
                following: httpx.Request | None = request
                while following is not None:
                    progress = RequestProgress()
                    following.extensions |= {DEADLINE: deadline, PROGRESS: progress}
                    with _unreadable_places_blocked(progress), _with_cookies(following, cookies):
                        response = await super().send(following, stream=True, auth=auth, follow_redirects=False)
                    async with _aclosed_on_error(response):
                        if cookies is not None:
                            cookies.take(response)
                        following, auth = hops.next_request(response), None
                        if following is not None or not stream:
                            await response.aread()
                return response
        except TimeoutError as error:
            raise DeadlineExceeded(sent=progress.sent, answered_with=progress.status) from error


class SyncEgressClient(httpx.Client):
    """An `httpx.Client` that keeps the promises of this module."""

    def __init__(self, policy: Policy, transport: httpx.BaseTransport, timeout_seconds: float) -> None:
        """Use `open_sync_client`."""
        super().__init__(
            transport=transport,
            trust_env=False,
            timeout=timeout_seconds,
            follow_redirects=True,
            headers=OWN_HEADERS,
            cookies=_no_cookies(),
        )
        self._policy = policy

    def build_request(self, method: str, url: httpx.URL | str, **kwargs: Any) -> httpx.Request:
        """Build a request whose URL and headers passed; raises as the async client does."""
        target = _check_request(url, kwargs.get("headers"), self._policy)
        with _unreadable_places_blocked():
            return super().build_request(method, target, **kwargs)

    def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """Send a request and follow redirects, each judged; raises as the async client does."""
        deadline = time.monotonic() + _total_seconds(request)
        hops = RedirectChain(self._policy, follow=follow_redirects is not False)
        following: httpx.Request | None = request
        while following is not None:
            following.extensions[DEADLINE] = deadline
            with _unreadable_places_blocked():
                response = super().send(following, stream=True, auth=auth, follow_redirects=False)
            with _closed_on_error(response):
                following, auth = hops.next_request(response), None
                if following is not None or not stream:
                    response.read()
        return response


class _NoCookies(CookieJar):
    """A jar that takes nothing: one client serves many runs, and none may see another's session."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Read nothing: the library warns of what it cannot read."""


def _no_cookies() -> CookieJar:
    return _NoCookies(policy=DefaultCookiePolicy(allowed_domains=()))


def _check_request(url: httpx.URL | str, headers: Any, policy: Policy) -> str:
    if headers is not None:
        check_headers(_pairs(headers))
    return check_url(str(url), policy).url


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    """Read any form httpx takes headers in, as the caller spelled them."""
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        yield _text(name), _text(value)


def _text(part: str | bytes) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else part


def _total_seconds(request: httpx.Request) -> float:
    """Read the request's total time out of httpx's four timeouts: the longest of them."""
    given = [float(seconds) for seconds in request.extensions.get("timeout", {}).values() if seconds is not None]
    return max(given, default=TIMEOUT_SECONDS)


@contextmanager
def _with_cookies(request: httpx.Request, cookies: CookieStore | None) -> Iterator[None]:
    """Have a request sent with the cookies that belong to it; it has none behind it, as the next hop has others."""
    if cookies is None or "cookie" in request.headers:
        yield
        return
    cookies.put_on(request)
    try:
        yield
    finally:
        request.headers.pop("cookie", None)


@contextmanager
def _unreadable_places_blocked(progress: RequestProgress | None = None) -> Iterator[None]:
    """Say in our words that httpx could not read a URL or a redirect that passed our own reading."""
    try:
        yield
    except (httpx.InvalidURL, httpx.RemoteProtocolError) as error:
        blocked = EgressBlocked("the URL or a redirect cannot be read")
        blocked.answered_with = None if progress is None else progress.status
        raise blocked from error


@asynccontextmanager
async def _aclosed_on_error(response: httpx.Response) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await response.aclose()
        raise


@contextmanager
def _closed_on_error(response: httpx.Response) -> Iterator[None]:
    try:
        yield
    except BaseException:
        response.close()
        raise
