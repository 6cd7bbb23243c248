"""Cookies of one session: taken of answers, put on the requests they belong to, bounded.

``http.cookiejar`` reads them and knows paths and expiry. Stricter than it: a cookie belongs to its host alone, or to a
domain that is no public suffix and the hosts below; an address has no hosts below; what is for TLS comes by TLS.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http import cookiejar
from ipaddress import ip_address
from typing import Final, TypeAlias
from urllib.parse import urlsplit
from urllib.request import Request

import httpx
from publicsuffixlist import PublicSuffixList

from kernel.egress.errors import HeaderRefused
from kernel.egress.headers import check_headers
from kernel.egress.set_cookie import normalise_set_cookie

COOKIES: Final = "llmteam.cookies"
"""Extension of a request of the async client: the ``CookieStore`` that goes with it, to every hop."""
MAX_COOKIES: Final = 50
MAX_BYTES: Final = 16 * 1024
MAX_COOKIE: Final = 4 * 1024
_HOST: Final = "llmteam.host"
_HIDDEN: Final = "httponly"

CookieKey: TypeAlias = tuple[str, str, bool, str]


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie, or that there is none any more.

    Attributes:
        name: Its name.
        value: None: it is gone.
        host: The host it belongs to, or the domain.
        has_subdomains: Whether ``host`` is a domain, whose hosts it belongs to as well.
        path: It goes to this path and those below.
        is_secure: Whether it goes by TLS only.
        is_hidden: ``HttpOnly``: nobody but the host itself is to see it.
        expires: In seconds since 1970; None: with its session.
    """

    name: str
    value: str | None = field(repr=False)
    host: str
    has_subdomains: bool = False
    path: str = "/"
    is_secure: bool = False
    is_hidden: bool = False
    expires: int | None = None

    @property
    def key(self) -> CookieKey:
        """The key it shares with a later cookie that takes its place."""
        return self.name, self.host, self.has_subdomains, self.path

    @property
    def size(self) -> int:
        """Bytes, for the bounds."""
        return sum(map(len, (self.name, self.value or "", self.host, self.path)))


class CookieStore:
    """The cookies of one session. Of more than fit the oldest go, as in browsers; ``dropped`` counts them.

    Args:
        kept: Those it has, the oldest first.
    """

    def __init__(self, kept: Iterable[Cookie] = ()) -> None:
        self.dropped = 0
        self._jar = _Jar()
        self._kept: dict[CookieKey, Cookie] = {}
        self._reported: set[CookieKey] = set()
        self._news: dict[CookieKey, Cookie] = {}
        self._hidden: dict[str, None] = {}
        for cookie in kept:
            self._keep(cookie)
            self._reported.add(cookie.key)
            self._jar.set_cookie(_standard(cookie))

    def __len__(self) -> int:
        return len(self._kept)

    def put_on(self, request: httpx.Request) -> None:
        """Add those that belong to a request, unless it has cookies of its own."""
        httpx.Cookies(self._jar).set_cookie_header(request)

    def names_for(self, url: str) -> list[str]:
        """Name those that would go to a URL."""
        request = httpx.Request("GET", url)
        self.put_on(request)
        sent = request.headers.get("cookie")
        return [pair.partition("=")[0] for pair in sent.split("; ")] if sent else []

    def take(self, response: httpx.Response) -> None:
        """Take in what an answer sets and deletes, and those before it in which the host asked who we are."""
        for answer in (*response.history, response):
            httpx.Cookies(self._jar).extract_cookies(_as_browsers_read(answer))
        found = {cookie.key: cookie for cookie in map(_cookie, self._jar)}
        for key in self._kept.keys() - found.keys():
            self._forget(key)
        for key, cookie in found.items():
            if self._kept.get(key) != cookie:
                self._keep(cookie)
                self._news[key] = cookie
        for key in cookies_over_bounds(self._kept):
            cookie = self._kept[key]
            self._forget(key)
            self._jar.drop(cookie)
            self.dropped += 1

    def news(self) -> list[Cookie]:
        """Give what has changed since this was asked last."""
        news = list(self._news.values())
        for cookie in news:
            (self._reported.discard if cookie.value is None else self._reported.add)(cookie.key)
        self._news.clear()
        return news

    def hidden_values(self) -> list[str]:
        """Give the values of all ``HttpOnly`` cookies it ever had: a host that sends one back shows it by mistake."""
        return list(self._hidden)

    def _keep(self, cookie: Cookie) -> None:
        self._kept.pop(cookie.key, None)
        self._kept[cookie.key] = cookie
        if cookie.is_hidden and cookie.value:
            self._hidden[cookie.value] = None

    def _forget(self, key: CookieKey) -> None:
        """Have it no more; that is news where it was reported."""
        self._kept.pop(key)
        self._news.pop(key, None)
        if key in self._reported:
            name, host, has_subdomains, path = key
            self._news[key] = Cookie(name, None, host, has_subdomains, path)


def _as_browsers_read(answer: httpx.Response) -> httpx.Response:
    """Give what the library reads of an answer: its cookies, written as it knows them."""
    lines = [
        (b"set-cookie", normalise_set_cookie(value.decode("latin-1")).encode("latin-1"))
        for name, value in answer.headers.raw
        if name.lower() == b"set-cookie"
    ]
    return httpx.Response(answer.status_code, headers=lines, request=answer.request)


def merge_cookies(kept: Iterable[Cookie], news: Iterable[Cookie]) -> tuple[Cookie, ...]:
    """Give cookies as they are after some news of them, the oldest first; of more than fit the oldest go."""
    found = {cookie.key: cookie for cookie in kept}
    for cookie in news:
        found.pop(cookie.key, None)
        if cookie.value is not None:
            found[cookie.key] = cookie
    for key in cookies_over_bounds(found):
        del found[key]
    return tuple(found.values())


def cookies_over_bounds(kept: Mapping[CookieKey, Cookie]) -> list[CookieKey]:
    """Tell which cookies do not fit: those that are too large, then the oldest."""
    dropped = [key for key, cookie in kept.items() if cookie.size > MAX_COOKIE]
    rest = {key: cookie for key, cookie in kept.items() if cookie.size <= MAX_COOKIE}
    count, size = len(rest), sum(cookie.size for cookie in rest.values())
    for key, cookie in rest.items():
        if count <= MAX_COOKIES and size <= MAX_BYTES:
            break
        dropped.append(key)
        count, size = count - 1, size - cookie.size
    return dropped


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


async def read_public_suffixes() -> None:
    """Read the list of public suffixes, which takes tenths of a second, beside the event loop; once a process."""
    if not _public_suffixes.cache_info().currsize:
        await asyncio.to_thread(_public_suffixes)


class _Jar(cookiejar.CookieJar):
    """Deletes by an answer's wish no more than its host might set."""

    def __init__(self) -> None:
        super().__init__(_Rules())
        self._answered: Request | None = None

    def extract_cookies(self, response: "cookiejar.HTTPResponse", request: Request) -> None:  # type: ignore[name-defined]
        """Take in the cookies of an answer."""
        self._answered = request
        try:
            super().extract_cookies(response, request)
        finally:
            self._answered = None

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Delete; the library calls this for a cookie that an answer says has expired."""
        if self._answered is not None and domain is not None and path is not None and name is not None:
            gone = _standard(Cookie(name, "", domain.lstrip("."), domain.startswith("."), path))
            if not _Rules().set_ok_domain(gone, self._answered):
                return
            domain = gone.domain
        super().clear(domain, path, name)

    def drop(self, cookie: Cookie) -> None:
        """Delete one of ours."""
        super().clear(_standard(cookie).domain, cookie.path, cookie.name)


class _Rules(cookiejar.DefaultCookiePolicy):
    """Cookie rules: those hosts may set, and the requests they go with."""

    def set_ok(self, cookie: cookiejar.Cookie, request: Request) -> bool:
        """Whether an answer may set it. One for the answering host alone is marked with that host."""
        cookie.set_nonstandard_attr(_HOST, _host(request))
        return _is_sendable(cookie) and _is_honest(cookie, request) and super().set_ok(cookie, request)

    def set_ok_domain(self, cookie: cookiejar.Cookie, request: Request) -> bool:
        """Whether its host is the answering one, or a domain above that other hosts may share."""
        host, domain = _host(request), cookie.domain.lstrip(".")
        if cookie.domain_specified and domain and not _is_within(host, domain):
            return False
        if not cookie.domain_specified or not domain or _is_address(host) or _public_suffixes().is_public(domain):
            if cookie.domain_specified and domain not in ("", host):
                return False
            cookie.domain, cookie.domain_specified = _filed(host), False
        return True

    def return_ok_domain(self, cookie: cookiejar.Cookie, request: Request) -> bool:
        """Whether it belongs to a request's host."""
        host = _host(request)
        if cookie.domain_specified:
            return _is_within(host, cookie.domain.lstrip("."))
        return cookie.get_nonstandard_attr(_HOST) == host


def _is_sendable(cookie: cookiejar.Cookie) -> bool:
    if not cookie.name or cookie.value is None:
        return False
    try:
        check_headers([("cookie", f"{cookie.name}={cookie.value}")])
    except HeaderRefused:
        return False
    return True


def _is_honest(cookie: cookiejar.Cookie, request: Request) -> bool:
    """Whether it came as it says it goes, what is for TLS by TLS, and is what its name promises (RFC 6265bis)."""
    if cookie.secure and request.type != "https":
        return False
    name = cookie.name.lower()
    if name.startswith("__host-"):
        return cookie.secure and not cookie.domain_specified and cookie.path == "/"
    return cookie.secure or not name.startswith("__secure-")


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host(request: Request) -> str:
    return urlsplit(request.full_url).hostname or ""


def _filed(host: str) -> str:
    """Give the domain under which the library keeps what belongs to a host alone."""
    bare = f"[{host}]" if ":" in host else host
    return bare if "." in bare else f"{bare}.local"


def _standard(cookie: Cookie) -> cookiejar.Cookie:
    """Write a cookie as the library has it."""
    return cookiejar.Cookie(
        version=0,
        name=cookie.name,
        value=cookie.value,
        port=None,
        port_specified=False,
        domain=f".{cookie.host}" if cookie.has_subdomains else _filed(cookie.host),
        domain_specified=cookie.has_subdomains,
        domain_initial_dot=cookie.has_subdomains,
        path=cookie.path,
        path_specified=True,
        secure=cookie.is_secure,
        expires=cookie.expires,
        discard=cookie.expires is None,
        comment=None,
        comment_url=None,
        rest={_HOST: cookie.host, **({_HIDDEN: ""} if cookie.is_hidden else {})},
    )


def _cookie(found: cookiejar.Cookie) -> Cookie:
    """Read one of the library's."""
    others = vars(found)["_rest"]
    return Cookie(
        name=found.name,
        value=found.value,
        host=found.domain.lstrip(".") if found.domain_specified else others[_HOST],
        has_subdomains=found.domain_specified,
        path=found.path,
        is_secure=found.secure,
        is_hidden=any(name.lower() == _HIDDEN for name in others),
        expires=found.expires,
    )
