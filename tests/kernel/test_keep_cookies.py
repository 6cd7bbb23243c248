"""Cookies of one session: which are taken of answers, to which requests they go, and how many are kept."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from kernel.egress import COOKIES, Cookie, CookieStore, EgressClient, build_policy, merge_cookies, open_client
from kernel.egress.cookies import MAX_BYTES, MAX_COOKIE, MAX_COOKIES
from tests.support.http_server import Answer, CountingServer

HOSTS = (
    "shop.example.com",
    "login.example.com",
    "example.com",
    "evilexample.com",
    "a.co.uk",
    "b.co.uk",
    "erp",
    "erp.local",
)


@pytest.fixture
async def client() -> AsyncIterator[EgressClient]:
    """Every name is this machine."""
    policy = build_policy(allow_hosts=[f"{host}:*" for host in (*HOSTS, "127.0.0.1")], allow_cidrs=["127.0.0.1/32"])
    async with open_client(policy, resolver=lambda *_: ["127.0.0.1"]) as opened:
        yield opened


class Session:
    """A browser without a window."""

    def __init__(self, client: EgressClient, server: CountingServer, store: CookieStore | None = None) -> None:
        self.store = CookieStore() if store is None else store
        self._client = client
        self._server = server

    async def get(self, host: str = "shop.example.com", path: str = "/", **options: Any) -> str | None:
        """Give the cookies that the last hop was sent."""
        url = f"http://{host}:{self._server.port}{path}"
        await self._client.get(url, extensions={COOKIES: self.store}, **options)
        return self._server.calls[-1].headers.get("cookie")

    async def take(self, *set_cookie: str, host: str = "shop.example.com", path: str = "/set") -> None:
        self._server.route("GET", path, Answer(headers={"Set-Cookie": list(set_cookie)}))
        await self.get(host, path)


@pytest.fixture
def session(client: EgressClient, server: CountingServer) -> Session:
    return Session(client, server)


async def test_what_an_answer_sets_goes_with_the_next_request_of_its_session_alone(
    session: Session, client: EgressClient, server: CountingServer
) -> None:
    await session.take("sid=1; HttpOnly", "lang=de; Path=/")
    assert sorted((await session.get() or "").split("; ")) == ["lang=de", "sid=1"]
    assert await Session(client, server).get() is None
    await client.get(f"http://shop.example.com:{server.port}/")
    assert "cookie" not in server.calls[-1].headers


@pytest.mark.parametrize(
    ("set_cookie", "by", "goes_to", "stays_from"),
    [
        ("c=1", "shop.example.com", {"shop.example.com"}, {"login.example.com", "example.com"}),
        ("c=1", "example.com", {"example.com"}, {"shop.example.com", "evilexample.com"}),
        (
            "c=1; Domain=example.com",
            "login.example.com",
            {"shop.example.com", "login.example.com", "example.com"},
            {"evilexample.com", "a.co.uk"},
        ),
        ("c=1; Domain=.Example.COM", "login.example.com", {"shop.example.com"}, {"evilexample.com"}),
        ("c=1; Domain=shop.example.com", "login.example.com", set(), {"shop.example.com", "login.example.com"}),
        ("c=1; Domain=com", "shop.example.com", set(), {"shop.example.com", "example.com", "evilexample.com"}),
        ("c=1; Domain=co.uk", "a.co.uk", set(), {"a.co.uk", "b.co.uk"}),
        ("c=1; Domain=a.co.uk", "a.co.uk", {"a.co.uk"}, {"b.co.uk"}),
        ("c=1; Domain=example.com", "evilexample.com", set(), {"example.com", "evilexample.com"}),
        ("c=1; Domain=0.0.1", "127.0.0.1", set(), {"127.0.0.1"}),
        ("c=1; Domain=127.0.0.1", "127.0.0.1", {"127.0.0.1"}, {"shop.example.com"}),
        ("c=1; Domain=", "shop.example.com", {"shop.example.com"}, {"login.example.com"}),
        ("c=1", "erp", {"erp"}, {"erp.local"}),
        ("c=1; Domain=local", "erp.local", set(), {"erp.local", "erp"}),
    ],
)
async def test_it_goes_to_the_hosts_it_belongs_to(
    session: Session, set_cookie: str, by: str, goes_to: set[str], stays_from: set[str]
) -> None:
    await session.take(set_cookie, host=by)
    got = {host for host in goes_to | stays_from if await session.get(host) == "c=1"}
    assert got == goes_to


async def test_it_goes_to_its_path_and_those_below(session: Session) -> None:
    await session.take("here=1", "api=1; Path=/api", path="/admin/login")
    sent = {path: await session.get(path=path) for path in ("/", "/admin", "/admin/x", "/api", "/api/x", "/apix")}
    assert sent == {
        "/": None,
        "/admin": "here=1",
        "/admin/x": "here=1",
        "/api": "api=1",
        "/api/x": "api=1",
        "/apix": None,
    }


async def test_what_is_for_tls_is_neither_taken_nor_sent_without(
    client: EgressClient, server: CountingServer, session: Session
) -> None:
    await session.take("open=1", "s=1; Secure", "__Secure-a=1", "__Host-b=1; Path=/")
    assert (await session.get(), len(session.store)) == ("open=1", 1)
    kept = [Cookie("s", "1", "shop.example.com", is_secure=True), Cookie("open", "1", "shop.example.com")]
    store = CookieStore(kept)
    assert await Session(client, server, store).get() == "open=1"
    assert store.names_for("https://shop.example.com/") == ["s", "open"]


@pytest.mark.parametrize(
    "spec", ["Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Max-Age=-1; Expires=Fri, 01 Jan 2100 00:00:00 GMT"]
)
async def test_an_answer_deletes_what_its_host_may_set_and_nothing_else(session: Session, spec: str) -> None:
    await session.take("sid=1; Domain=example.com", "own=1")
    await session.take(f"sid=; Domain=example.com; {spec}", f"own=; {spec}", host="evilexample.com")
    assert await session.get() == "sid=1; own=1"
    await session.take(f"sid=; Domain=example.com; {spec}", f"own=; {spec}")
    assert await session.get() is None
    assert [cookie.value for cookie in session.store.news()] == []


async def test_what_has_expired_goes_nowhere(client: EgressClient, server: CountingServer) -> None:
    kept = [
        Cookie("old", "1", "shop.example.com", expires=1_000),
        Cookie("new", "1", "shop.example.com", expires=1 << 33),
    ]
    assert await Session(client, server, CookieStore(kept)).get() == "new=1"


async def test_every_hop_fills_the_store_and_is_sent_its_own(session: Session, server: CountingServer) -> None:
    there = f"http://login.example.com:{server.port}/there"
    server.route("GET", "/go", Answer(302, headers={"Set-Cookie": "a=1", "Location": there}))
    server.route("GET", "/there", Answer(302, headers={"Set-Cookie": "b=1; Path=/", "Location": "/done"}))
    server.route("GET", "/done", Answer(headers={"Set-Cookie": "c=1"}))
    assert await session.get(path="/go") == "b=1"
    assert [call.headers.get("cookie") for call in server.calls] == [None, None, "b=1"]
    assert await session.get() == "a=1"
    server.route("GET", "/again", Answer(302, headers={"Set-Cookie": "a=2; Path=/", "Location": "/"}))
    assert await session.get(path="/again") == "a=2"
    assert server.calls[-2].headers["cookie"] == "a=1"
    assert sorted((await session.get("login.example.com") or "").split("; ")) == ["b=1", "c=1"]


async def test_a_host_that_asks_who_we_are_is_heard_too(session: Session, server: CountingServer) -> None:
    challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"', "Set-Cookie": "sid=1"}
    server.route("GET", "/", [Answer(401, headers=challenge), Answer()])
    await session.get(auth=httpx.DigestAuth("us", "secret"))
    assert await session.get() == "sid=1"


async def test_a_request_s_own_cookies_win(session: Session) -> None:
    await session.take("sid=1")
    assert await session.get(headers={"Cookie": "sid=mine"}) == "sid=mine"
    assert await session.get() == "sid=1"


@pytest.mark.parametrize("odd", ["sid=\u00e4", "sid=a\x7fb", "nameless", "=1", "; Path=/", "sid=1; Version=x"])
async def test_what_cannot_be_sent_is_not_kept(session: Session, odd: str) -> None:
    await session.take("fine=1", odd)
    assert await session.get() == "fine=1"


async def test_of_more_than_fit_the_oldest_go_and_are_counted(session: Session) -> None:
    await session.take(*(f"c{number}=1" for number in range(MAX_COOKIES)))
    assert (len(session.store), session.store.dropped) == (MAX_COOKIES, 0)
    await session.take("c0=again", "one_more=1")
    sent = await session.get() or ""
    assert ("c0=again" in sent, "one_more=1" in sent, sent.count("=")) == (True, True, MAX_COOKIES)
    assert session.store.dropped == 1
    await session.take("large=" + "x" * MAX_COOKIE)
    assert (len(session.store), session.store.dropped) == (MAX_COOKIES, 2)
    await session.take(*(f"l{number}=" + "x" * 3_000 for number in range(6)))
    assert sum(cookie.size for cookie in merge_cookies([], session.store.news())) <= MAX_BYTES
    assert len(await session.get() or "") < MAX_BYTES + 2 * MAX_COOKIES


async def test_news_tell_what_has_changed_since(session: Session, server: CountingServer) -> None:
    def told() -> list[tuple[str, str | None]]:
        return [(cookie.name, cookie.value) for cookie in session.store.news()]

    await session.take("sid=1", "gone_at_once=1")
    await session.take("gone_at_once=; Max-Age=0")
    assert told() == [("sid", "1")]
    await session.take("sid=1")
    assert told() == []
    await session.take("sid=2")
    await session.take("sid=; Max-Age=0")
    assert told() == [("sid", None)]


def test_of_two_that_set_one_cookie_the_later_told_counts() -> None:
    old, first, second = (Cookie("sid", value, "shop.example.com") for value in ("0", "1", "2"))
    other = Cookie("sid", "3", "shop.example.com", path="/api")
    assert merge_cookies(merge_cookies([old, other], [first]), [second]) == (other, second)
    assert merge_cookies([old, other], [Cookie("sid", None, "shop.example.com")]) == (other,)


def test_a_value_is_in_no_text_of_ours() -> None:
    assert "canary" not in repr(Cookie("sid", "canary", "shop.example.com"))


@pytest.mark.parametrize(
    ("attributes", "is_kept"),
    [
        ("", True),
        ("Path=foo", True),
        ("Path=/nope; Path=/", True),
        ("Path=/; Path=/nope", False),
        ("Max-Age=abc", True),
        ("Max-Age=60", True),
        ("Max-Age=0", False),
        ("Max-Age=-1", False),
        ("Max-Age=" + "9" * 500, True),
        ("Max-Age=60; Max-Age=0", False),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        ("Expires=Thu, 01-Jan-70 00:00:01 GMT", False),
        ("Expires=Sat, 31-Dec-99 23:59:59 GMT", False),
        ("Expires=Thu Jan  1 00:00:00 1970", False),
        ("Expires=Fri, 31-Dec-9999 23:59:59 GMT", True),
        ("Expires=Fri, 01-Jan-69 00:00:00 GMT", True),
        ("Expires=soon", True),
        ("Expires=0", True),
    ],
)
async def test_attributes_are_read_as_browsers_read_them(session: Session, attributes: str, is_kept: bool) -> None:
    await session.take("sid=before; Path=/")
    assert await session.get() == "sid=before"
    await session.take(f"sid=after; {attributes}")
    assert await session.get() == {True: "sid=after", False: None}[is_kept] or "/nope" in attributes
    if "/nope" in attributes:
        assert (await session.get() == "sid=after") is is_kept


@pytest.mark.parametrize("prefix", ["__Host-", "__hOsT-", "__Secure-", "__SECURE-"])
async def test_what_a_name_promises_holds_in_any_case(session: Session, prefix: str) -> None:
    await session.take("plain=1", f"{prefix}sid=1; Path=/")
    assert await session.get() == "plain=1"
