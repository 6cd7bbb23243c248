"""Every case of the egress collection, decided without a socket."""

import json
from pathlib import Path
from typing import Any

import pytest

from kernel.egress import EgressBlocked, build_policy, open_client
from tests.support.fake_network import FakeNetwork, StubResolver, http_answer

CASES = json.loads((Path(__file__).parents[1] / "cases" / "egress.json").read_text())["urls"]
PUBLIC = "93.184.215.14"


async def drive(case: dict[str, Any]) -> tuple[FakeNetwork, StubResolver]:
    """Send the case's request over a fake network; the policy must decide as the case expects."""
    hops = [http_answer(302, location=location) for location in case.get("stub_redirects", [])]
    network = FakeNetwork([*hops, http_answer(200)])
    resolver = StubResolver(case.get("stub_dns", {}))
    policy = build_policy(**case.get("test_setup", {}))
    async with open_client(policy, resolver=resolver, network=network) as client:
        if case["expect"] == "block":
            with pytest.raises(EgressBlocked, match=r"^blocked by egress policy") as error:
                await client.get(case["url"], headers={"Authorization": "Bearer secret"})
            assert not any(address in str(error.value) for address in addresses_of(case))
        else:
            response = await client.get(case["url"], headers={"Authorization": "Bearer secret"})
            assert response.status_code == 200
    return network, resolver


def addresses_of(case: dict[str, Any]) -> list[str]:
    return [address for answers in case.get("stub_dns", {}).values() for addresses in answers for address in addresses]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_the_case_is_decided_as_it_says(case: dict[str, Any]) -> None:
    network, resolver = await drive(case)
    answers = [answers[0] for answers in case.get("stub_dns", {}).values()]
    first = [addresses[0] for addresses in answers if addresses]
    if case["expect"] == "block":
        assert network.opened == [(first[0], 443)] if case.get("decide_at") == "on_redirect" else not network.opened
    assert len(resolver.lookups) == len(set(resolver.lookups)), "a name was looked up twice"
    assert {address for address, _ in network.opened} <= {*first, "172.32.0.1", "11.0.0.1"}


def test_the_collection_is_complete() -> None:
    print(f"egress: {len(CASES)} cases")
    assert len(CASES) >= 54
    assert len({case["id"] for case in CASES}) == len(CASES)


async def test_a_rebinding_name_reaches_the_first_address_only() -> None:
    case = next(case for case in CASES if case["expect"] == "allow_first_address_only")
    network, resolver = await drive(case)
    assert network.opened == [(PUBLIC, 443)]
    assert resolver.lookups == ["rebind.attacker.test"]


async def test_the_name_stays_in_host_and_tls_while_the_socket_goes_to_the_address() -> None:
    network = FakeNetwork()
    resolver = StubResolver({"api.example.com": [[PUBLIC]]})
    async with open_client(build_policy(), resolver=resolver, network=network) as client:
        await client.get("https://API.example.com./v1?x=1#part")
    assert network.opened == [(PUBLIC, 443)]
    assert network.server_names == ["api.example.com"]
    assert network.requests[0].startswith(b"GET /v1?x=1 HTTP/1.1\r\n")
    assert b"\r\nhost: api.example.com\r\n" in network.requests[0].lower()


async def test_one_bad_answer_among_good_ones_blocks_and_opens_nothing() -> None:
    network = FakeNetwork()
    good = StubResolver({"a.example.com": [[PUBLIC, "2606:4700::1111"]]})
    bad = StubResolver({"a.example.com": [[PUBLIC, "10.0.0.1"]]})
    async with open_client(build_policy(), resolver=good, network=network) as client:
        assert (await client.get("https://a.example.com/")).status_code == 200
    opened = len(network.opened)
    async with open_client(build_policy(), resolver=bad, network=network) as client:
        with pytest.raises(EgressBlocked):
            await client.get("https://a.example.com/")
    assert len(network.opened) == opened


async def test_the_next_judged_address_is_tried_when_one_does_not_answer() -> None:
    network = FakeNetwork(unreachable=["2606:4700::1111"])
    resolver = StubResolver({"a.example.com": [["2606:4700::1111", PUBLIC]]})
    async with open_client(build_policy(), resolver=resolver, network=network) as client:
        assert (await client.get("https://a.example.com/")).status_code == 200
    assert network.opened == [("2606:4700::1111", 443), (PUBLIC, 443)]
    assert resolver.lookups == ["a.example.com"]


def sent_headers(request: bytearray) -> dict[str, str]:
    lines = request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize(
    ("location", "keeps"),
    [
        ("/other", True),
        ("https://api.example.com/other", True),
        ("https://www.example.com/other", False),
        ("https://api.example.com:8443/other", False),
    ],
)
async def test_credentials_follow_only_to_the_same_host(location: str, keeps: bool) -> None:
    network = FakeNetwork([http_answer(307, location=location), http_answer(200)])
    resolver = StubResolver({"api.example.com": [[PUBLIC]], "www.example.com": [[PUBLIC]]})
    headers = {"Authorization": "Bearer s", "X-API-Key": "s", "Cookie": "s=1", "Idempotency-Key": "k"}
    async with open_client(build_policy(), resolver=resolver, network=network) as client:
        await client.post("https://api.example.com/", headers=headers, content=b"body")
    first, second = (sent_headers(request) for request in network.requests)
    assert first["authorization"] == "Bearer s"
    for name in ("authorization", "x-api-key", "cookie"):
        assert (name in second) == keeps
    assert second["idempotency-key"] == "k"
    assert network.requests[1].endswith(b"\r\n\r\nbody")


async def test_basic_auth_given_to_the_client_call_does_not_follow_to_another_host() -> None:
    network = FakeNetwork([http_answer(302, location="https://www.example.com/"), http_answer(200)])
    resolver = StubResolver({"api.example.com": [[PUBLIC]], "www.example.com": [[PUBLIC]]})
    async with open_client(build_policy(), resolver=resolver, network=network) as client:
        await client.get("https://api.example.com/", auth=("user", "secret"))
    first, second = (sent_headers(request) for request in network.requests)
    assert first["authorization"].startswith("Basic ")
    assert "authorization" not in second


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/plain",
        "http://127.0.0.1/",
        "//10.0.0.1/",
        "https://localhost/",
        "https://example.com:22/",
        "https://user@example.com/",
        "https://example.com\\@10.0.0.1/",
        "https://exa\tmple.com/",
        "/a\tb",
        "https:///10.0.0.1",
        "https://[::1]/",
        "https://[::1/",
        "gopher://example.com/",
        "data:text/plain,x",
        "https://0x7f000001/",
        "https://" + "a" * 9000,
    ],
)
async def test_a_redirect_is_judged_like_the_first_url(location: str) -> None:
    resolver = StubResolver({"example.com": [[PUBLIC]]})
    good = FakeNetwork([http_answer(302, location="https://example.com/next"), http_answer(200)])
    async with open_client(build_policy(), resolver=resolver, network=good) as client:
        assert (await client.get("https://example.com/")).status_code == 200
    network = FakeNetwork([http_answer(302, location=location), http_answer(200)])
    async with open_client(build_policy(), resolver=resolver, network=network) as client:
        with pytest.raises(EgressBlocked):
            await client.get("https://example.com/")
    assert network.opened == [(PUBLIC, 443)]
