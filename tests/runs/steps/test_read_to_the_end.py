"""Where an answer ends: what stands behind it is no other call's, and one that is cut is no answer."""

from typing import Any

import pytest

from tests.support.certificates import Authority, server_context
from tests.support.http_bench import Bench
from tests.support.http_server import Answer, CountingServer

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FORGED = JSON + b'Content-Length: 20\r\n\r\n{"balance": 1000000}'


@pytest.mark.parametrize(
    "behind", [b"", FORGED, b"\r\n", b"}", JSON], ids=["nothing", "an answer", "a line end", "a letter", "a head"]
)
async def test_what_stands_behind_an_answer_is_not_that_of_the_next_call(bench: Bench, url: str, behind: bytes) -> None:
    raw = JSON + b'Content-Length: 8\r\n\r\n{"n": 1}' + behind
    bench.server.route("GET", "/first", Answer(raw=raw, stays_open=True))
    for _ in range(2):
        assert (await bench.run({"method": "GET", "url": f"{url}/first"})).ports["response"] == {"n": 1}
        made = await bench.run({"method": "POST", "url": f"{url}/ok", "body": {}})
        assert made.ports == {"response": {"made": True}, "status": 201}
    assert bench.server.count("/ok", method="POST") == 2
    assert bench.server.connections == (1 if not behind else 3)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_over_tls_an_answer_without_a_length_is_whole_only_if_its_end_was_said(bench: Bench, method: str) -> None:
    authority = Authority("ours")
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\nrow1\n"
    with CountingServer(ssl_context=server_context(authority)) as server:
        server.route(method, "/whole", Answer(raw=raw, ends_tls=True))
        server.route(method, "/cut", Answer(raw=raw))
        bench.connect("erp", {"base_url": server.url, "tls_ca": authority.pem})
        config: dict[str, Any] = {"client_ref": "erp", "method": method}
        assert (await bench.run({**config, "path": "/whole"})).ports["response"] == "row1\n"
        failure = await bench.fail({**config, "path": "/cut"})
        assert (failure.code, failure.retryable) == ("CONNECTION_FAILED", method == "GET")
        assert (failure.details["status"], failure.details["reason"]) == (200, "broken")
        assert server.count("/cut") == 1


@pytest.mark.parametrize(
    ("head", "body", "is_told"),
    [
        (b"200 OK", b"Content-Length: 9\r\n\r\nid;total\n1;5\n", True),
        (b"200 OK", b"Content-Length: 13\r\n\r\nid;total\n1;5\n", False),
        (b"200 OK", b"Content-Length: 13\r\n\r\nid;total\n1;5\n\r\n", False),
        (b"204 No Content", b"\r\n{}", False),
    ],
)
async def test_what_an_answer_has_beyond_its_length_is_told(
    bench: Bench, url: str, head: bytes, body: bytes, is_told: bool
) -> None:
    raw = b"HTTP/1.1 " + head + b"\r\nContent-Type: text/csv\r\n" + body
    bench.server.route("GET", "/rows", Answer(raw=raw))
    emitted = await bench.run({"method": "GET", "url": f"{url}/rows"})
    assert emitted.ports["response"] in {"id;total\n", "id;total\n1;5\n", None}
    kind, told = bench.journal[-1]
    assert (kind, "Content-Length" in told.get("remark", "")) == ("action.completed", is_told)
