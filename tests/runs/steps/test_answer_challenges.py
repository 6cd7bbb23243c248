"""A connection with digest: which challenges are answered, and what is said of those that are not."""

import re
from collections.abc import Callable
from functools import partial
from hashlib import new as new_hash
from typing import Any

import pytest

from runs.step_api.base import Emit
from tests.support.http_bench import Bench
from tests.support.http_server import Answer, RecordedRequest

md5 = partial(new_hash, "md5")
PLAIN = b'Digest realm="r", nonce="n", qop="auth"'


def asking(*challenges: bytes) -> Callable[[RecordedRequest], Answer]:
    """Answer with challenges, byte by byte as given, until a request brings an answer."""
    lines = b"".join(b"WWW-Authenticate: " + challenge + b"\r\n" for challenge in challenges)
    refusal = b"HTTP/1.1 401 No\r\n" + lines + b"Content-Length: 2\r\nConnection: close\r\n\r\nno"
    return lambda request: Answer(body={"n": 1}) if "authorization" in request.headers else Answer(raw=refusal)


def connect(bench: Bench, url: str, *challenges: bytes) -> dict[str, Any]:
    bench.server.route("GET", "/base/x", asking(*challenges))
    bench.connect("crm", {"base_url": f"{url}/base", "auth": "digest", "username": "us", "secret": "s3cr3t"})
    return {"client_ref": "crm", "method": "GET", "path": "/x"}


@pytest.mark.parametrize(
    ("challenges", "realm"),
    [
        ([PLAIN], b"r"),
        ([b'Digest realm="r", nonce="n", qop="auth-int, auth"'], b"r"),
        ([b'Digest realm="r", nonce="n", qop=""'], b"r"),
        ([b'Negotiate, Digest realm="r", nonce="n", Basic realm="b"'], b"r"),
        ([b"Negotiate", b'Digest realm="r, or s", nonce="n"'], b"r, or s"),
        ([b'Digest realm="r", nonce="m", algorithm=FOO', PLAIN], b"r"),
        ([b'Digest nonce="n"'], b""),
        ([b'digest REALM=r,NONCE="n",stale=FALSE'], b"r"),
        (['Digest realm="Größe", nonce="n"'.encode()], "Größe".encode()),
        (['Digest realm="Größe", nonce="n"'.encode("latin-1")], "Größe".encode()),
    ],
)
async def test_a_challenge_that_can_be_answered_is(
    bench: Bench, url: str, challenges: list[bytes], realm: bytes
) -> None:
    assert await bench.run(connect(bench, url, *challenges)) == Emit({"response": {"n": 1}, "status": 200})
    answered = bench.server.calls[-1].headers["authorization"].encode("latin-1")
    members = dict(re.findall(rb'(\w+)="?([^",]*)', answered.replace(b"r, or s", b"r; or s")))
    of_user = md5(b":".join((b"us", realm, b"s3cr3t"))).hexdigest()
    of_call = md5(b"GET:/base/x").hexdigest()
    between = f"n:{members[b'nc'].decode()}:{members[b'cnonce'].decode()}:auth" if b"qop" in members else "n"
    assert members[b"response"].decode() == md5(f"{of_user}:{between}:{of_call}".encode()).hexdigest()


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        (b'Digest realm="r", nonce="n", qop="auth-int"', "qop"),
        (b'Digest realm="r", nonce="n", algorithm=FOO', "algorithm"),
        (b'Digest realm="r", qop="auth"', "nonce"),
        (b"Digest", "nonce"),
        (b'Digest realm="r', "nonce"),
        (b'Basic realm="r"', "not ask for digest"),
        (b"Digest " + b'"' * 9_000, "nonce"),
    ],
)
async def test_a_challenge_that_cannot_be_answered_is_a_refusal_that_says_why(
    bench: Bench, url: str, challenge: bytes, words: str
) -> None:
    assert (await bench.run(connect(bench, url, PLAIN))).ports["status"] == 200
    failure = await bench.fail(connect(bench, url, challenge))
    assert (failure.code, failure.retryable, failure.host_failed) == ("HTTP_STATUS", False, False)
    assert failure.details == {"status": 401, "response": "no"}
    assert words in failure.message
