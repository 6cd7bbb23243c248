"""A connection with digest: which challenges are answered, and what is said of those that are not."""

import json
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


def connect(bench: Bench, url: str, *challenges: bytes, username: str = "us") -> dict[str, Any]:
    bench.server.route("GET", "/base/x", asking(*challenges))
    bench.connect("crm", {"base_url": f"{url}/base", "auth": "digest", "username": username, "secret": "s3cr3t"})
    return {"client_ref": "crm", "method": "GET", "path": "/x"}


def answer_of(bench: Bench) -> dict[str, str]:
    """Read the members of the last answer as RFC 7616 has them, each as it is spelled."""
    scheme, _, members = bench.server.calls[-1].headers["authorization"].partition(" ")
    assert scheme == "Digest"
    found = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))(?:, |\Z)', members)
    return {name: quoted or bare for name, quoted, bare in found}


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


@pytest.mark.parametrize(
    ("spelled", "realm"),
    [
        ("r", "r"),
        (r"the \"inner\" ring", 'the "inner" ring'),
        (r"C:\\staff", r"C:\staff"),
        (r"CORP\users", r"CORP\users"),
        (r"a, b=\"c\"", 'a, b="c"'),
    ],
)
@pytest.mark.parametrize("username", ["us", r"CORP\ann", 'an "n"'])
async def test_names_with_quotes_and_backslashes_are_spelled_as_quoted_and_hashed_as_they_are(
    bench: Bench, url: str, spelled: str, realm: str, username: str
) -> None:
    challenge = f'Digest realm="{spelled}", nonce="n\\"1", opaque="o\\\\1", qop="auth"'
    await bench.run(connect(bench, url, challenge.encode(), username=username))
    members = answer_of(bench)
    named = {name: members[name] for name in ("username", "realm", "nonce", "opaque", "uri")}
    there = {"realm": spelled, "nonce": r"n\"1", "opaque": r"o\\1"}
    assert named == {"username": json.dumps(username)[1:-1], "uri": "/base/x", **there}
    of_user = md5(f"{username}:{realm}:s3cr3t".encode()).hexdigest()
    between = f'n"1:{members["nc"]}:{members["cnonce"]}:auth'
    of_call = md5(b"GET:/base/x").hexdigest()
    assert members["response"] == md5(f"{of_user}:{between}:{of_call}".encode()).hexdigest()


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [("MD5", "md5"), ("SHA-256", "sha256"), ("sha-512-256", "sha512_256"), ("SHA-512", "sha512"), ("SHA", "sha1")],
)
@pytest.mark.parametrize("session", ["", "-sess"])
async def test_every_algorithm_is_answered_by_itself(
    bench: Bench, url: str, algorithm: str, name: str, session: str
) -> None:
    hashed = partial(new_hash, name)
    challenge = f'Digest realm="r", nonce="n", qop="auth", algorithm={algorithm}{session}'
    await bench.run(connect(bench, url, challenge.encode()))
    members = answer_of(bench)
    of_user = hashed(b"us:r:s3cr3t").hexdigest()
    if session:
        of_user = hashed(f"{of_user}:n:{members['cnonce']}".encode()).hexdigest()
    of_call = hashed(b"GET:/base/x").hexdigest()
    between = f"n:{members['nc']}:{members['cnonce']}:auth"
    assert members["response"] == hashed(f"{of_user}:{between}:{of_call}".encode()).hexdigest()
    assert members["algorithm"] == algorithm + session


async def test_the_last_challenge_is_answered_beforehand_and_counted(bench: Bench, url: str) -> None:
    config = connect(bench, url, PLAIN)
    counts = []
    for _ in range(3):
        await bench.run(config)
        counts.append(answer_of(bench)["nc"])
    assert counts == ["00000001", "00000002", "00000003"]
    assert bench.server.count() == 4


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 2\r\n\r\nno",
        b"Content-Length: 50\r\n\r\nno",
        b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno",
    ],
    ids=["whole", "cut", "bad gzip"],
)
async def test_a_challenge_is_answered_whatever_becomes_of_its_body(bench: Bench, url: str, body: bytes) -> None:
    config = connect(bench, url, PLAIN)
    refusal = Answer(raw=b"HTTP/1.1 401 No\r\nWWW-Authenticate: " + PLAIN + b"\r\nConnection: close\r\n" + body)
    bench.server.route("GET", "/base/x", lambda call: Answer(body=1) if "authorization" in call.headers else refusal)
    assert (await bench.run(config)).ports["status"] == 200
    assert bench.server.count() == 2
