"""Connections over TLS with authorities and client certificates of their own; every server is on loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from kernel.egress import build_policy, open_client
from runs.connection_trials import facts_of
from runs.connections.trust import ConnectionTrust
from tenants.models import Connection
from tests.conftest import Customer
from tests.support.certificates import Authority, Identity, server_context
from tests.support.http_bench import Bench, Context
from tests.support.http_server import Answer, CountingServer

HOUSE, OTHERS = Authority("House CA"), Authority("Other CA")
ANN, BOB = HOUSE.issue("ann"), HOUSE.issue("bob")


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def strict() -> Iterator[CountingServer]:
    """A server that talks to those only whom the house's authority has certified."""
    with CountingServer(ssl_context=server_context(HOUSE, clients=HOUSE)) as server:
        server.route("GET", "/*", Answer(body={"n": 1}))
        yield server


@pytest.fixture
async def secure() -> Any:
    """A bench for http_action, its client like a tenant's."""
    policy = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])
    async with open_client(policy) as client:
        yield Bench(server=None, context=Context(client, {}))  # type: ignore[arg-type]  # it has several


def tls(identity: Identity | None = None, *, ca: Authority | None = HOUSE) -> dict[str, str]:
    shown = {} if identity is None else {"tls_certificate": identity.certificate, "tls_key": identity.key}
    return shown if ca is None else {"tls_ca": ca.pem, **shown}


def get(ref: str, path: str = "/x") -> dict[str, Any]:
    return {"client_ref": ref, "method": "GET", "path": path}


async def test_each_connection_shows_its_own_certificate_and_shares_no_socket(
    secure: Bench, strict: CountingServer
) -> None:
    for ref, identity in (("ann", ANN), ("bob", BOB)):
        secure.connect(ref, {"base_url": strict.url, **tls(identity)})
    for ref in ("ann", "bob", "ann", "bob"):
        assert (await secure.run(get(ref))).ports["response"] == {"n": 1}
    assert [call.client for call in strict.calls] == ["ann", "bob", "ann", "bob"]
    assert strict.connections == 2, "each is kept for its own connection"
    secure.connect("none", {"base_url": strict.url, **tls()})
    failure = await secure.fail(get("none"))
    assert (failure.code, failure.details["reason"], failure.retryable) == (
        "CONNECTION_FAILED",
        "client_certificate",
        False,
    )
    assert len(strict.calls) == 4


async def test_a_post_that_was_refused_for_its_certificate_was_not_sent(secure: Bench, strict: CountingServer) -> None:
    secure.connect("stranger", {"base_url": strict.url, **tls(OTHERS.issue("eve"))})
    failure = await secure.fail({"client_ref": "stranger", "path": "/x"}, value={"n": 1})
    assert (failure.details, strict.calls) == ({"reason": "client_certificate", "sent": False}, [])
    assert "client certificate" in failure.message
    assert "may have had its effect" not in failure.message


async def test_an_unknown_authority_is_named_as_the_reason(secure: Bench, strict: CountingServer) -> None:
    for ref, authority in (("public", None), ("others", OTHERS)):
        secure.connect(ref, {"base_url": strict.url, **tls(ANN, ca=authority)})
        failure = await secure.fail(get(ref))
        assert failure.details["reason"] == "certificate"
        assert "authority (CA) is not known" in failure.message
    assert strict.calls == []


async def test_another_host_that_is_redirected_to_is_shown_no_certificate(
    secure: Bench, strict: CountingServer
) -> None:
    with CountingServer(ssl_context=server_context(HOUSE, clients=HOUSE)) as other:
        other.route("GET", "/*", Answer(body={"n": 2}))
        strict.route("GET", "/here", Answer(302, headers={"Location": f"{strict.url}/x"}))
        strict.route("GET", "/away", Answer(302, headers={"Location": f"{other.url}/x"}))
        secure.connect("ann", {"base_url": strict.url, **tls(ANN)})
        assert (await secure.run(get("ann", "/here"))).ports["response"] == {"n": 1}
        assert (await secure.fail(get("ann", "/away"))).details["reason"] == "certificate"
        assert other.calls == []


async def test_the_installations_authorities_are_trusted_beside_the_public_ones(
    strict: CountingServer, tmp_path: Path, settings: Any
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(HOUSE.pem)
    settings.EGRESS_CA_FILE = str(file)
    allowed: dict[str, Any] = {"allow_hosts": ["127.0.0.1:*"], "allow_cidrs": ["127.0.0.1/32"]}
    with CountingServer(ssl_context=server_context(HOUSE)) as lenient:
        lenient.route("GET", "/x", Answer(body={"n": 3}))
        async with open_client(build_policy(**allowed, ca_file=str(file))) as client:
            bench = Bench(lenient, Context(client, {"plain": lenient.url}))
            assert (await bench.run(get("plain"))).ports["response"] == {"n": 3}
            bench.connect("ann", {"base_url": strict.url, **tls(ANN, ca=None)})
            assert (await bench.run(get("ann"))).ports["response"] == {"n": 1}


async def test_a_token_is_fetched_with_the_connections_certificate(secure: Bench, strict: CountingServer) -> None:
    strict.route("POST", "/token", Answer(body={"access_token": "token-1", "expires_in": 60}))
    oauth = {"auth": "oauth2", "token_url": f"{strict.url}/token", "client_id": "us", "secret": "long-secret"}
    secure.connect("ann", {"base_url": strict.url, **oauth, **tls(ANN)})
    await secure.run(get("ann"))
    assert [(call.path, call.client) for call in strict.calls] == [("/token", "ann"), ("/x", "ann")]
    assert strict.calls[1].headers["authorization"] == "Bearer token-1"


def saved(api: Any, customer: Customer, server: CountingServer, **more: Any) -> APIClient:
    client: APIClient = api(customer)
    answer = client.put("/api/v1/connections/one", {"kind": "http", "base_url": server.url, **more})
    assert answer.status_code in {200, 201}, answer.content
    return client


def tried(client: APIClient) -> dict[str, Any]:
    found: dict[str, Any] = client.post("/api/v1/connections/one/test").json()
    return found


def test_a_trial_does_what_steps_do_and_says_what_is_wrong(acme: Customer, api: Any, strict: CountingServer) -> None:
    strict.route("GET", "/", Answer(body={}))
    shown = {"ca": HOUSE.pem, "certificate": ANN.certificate, "key": ANN.key}
    found = tried(saved(api, acme, strict, tls=shown))
    assert (found["ok"], found["detail"]) == (True, "The host answered with status 200.")
    assert [call.client for call in strict.calls] == ["ann"]
    unknown = tried(saved(api, acme, strict, tls={**shown, "ca": OTHERS.pem}))
    assert (unknown["code"], "authority (CA) is not known" in unknown["detail"]) == ("CONNECTION_FAILED", True)
    nothing = tried(saved(api, acme, strict, tls={"ca": HOUSE.pem}))
    assert (nothing["code"], "requires a client certificate" in nothing["detail"]) == ("CONNECTION_FAILED", True)


def test_a_trial_says_when_a_certificate_expires_soon(acme: Customer, api: Any, strict: CountingServer) -> None:
    soon = HOUSE.issue("ann", days=(-1, 20))
    shown = {"ca": HOUSE.pem, "certificate": soon.certificate, "key": soon.key}
    client = saved(api, acme, strict, tls=shown)
    ends = client.get("/api/v1/connections/one").json()["tls"]["expires_at"][:10]
    assert tried(client)["detail"].endswith(f" Its client certificate expires on {ends}.")


async def test_the_context_is_made_once(secure: Bench) -> None:
    secure.connect("ann", {"base_url": "https://127.0.0.1:1", **tls(ANN)})
    assert ConnectionTrust.of(facts_of(Connection(ref="plain"))) is None
    client: Any = await secure.context.client("ann")
    first, second = await client.trust.extensions(), await client.trust.extensions()
    assert first == second
    assert ANN.key not in repr(client)
