"""A provider reaches what the policy allows, with what the connection says, and with nothing of the environment."""

import re
from typing import Any

import httpx
import pytest

from kernel.egress import build_policy, open_client
from runs.step_api.base import StepFailed
from tests.support.model_server import KEY, ModelBench, asking


def _nothing(_text: str) -> None:
    """Follow without interest."""


@pytest.mark.parametrize("on_delta", [None, _nothing])
@pytest.mark.parametrize("policy", [build_policy(), build_policy(allow_hosts=["127.0.0.1:*"], ports=[80])])
async def test_a_forbidden_address_is_blocked_and_no_connection_made(
    bench: ModelBench, policy: Any, on_delta: Any
) -> None:
    assert (await bench.ask(on_delta=on_delta)).text
    connections = bench.server.connections
    async with open_client(policy) as client:
        with pytest.raises(StepFailed) as raised:
            await bench.provider(http_client=client).complete(asking(), on_delta=on_delta)

    failure = raised.value
    assert (failure.code, failure.retryable, failure.host_failed) == ("EGRESS_BLOCKED", False, False)
    assert re.fullmatch(
        r"blocked by egress policy(: the port is not open)?\. The operator allows it by adding "
        rf"(`127\.0\.0\.1:{bench.server.port}` to EGRESS_ALLOW_HOSTS or to the tenant's own hosts, and )?"
        r"`127\.0\.0\.1/32` to EGRESS_ALLOW_CIDRS\.",
        failure.message,
    )
    assert not failure.details
    assert bench.server.connections == connections


async def test_a_name_that_leads_inside_is_blocked_and_no_connection_made(bench: ModelBench) -> None:
    async with open_client(build_policy(ports=[bench.server.port]), resolver=lambda *_: ["127.0.0.1"]) as client:
        provider = bench.provider(http_client=client, base_url=f"http://models.example:{bench.server.port}")
        with pytest.raises(StepFailed, match="blocked by egress policy") as raised:
            await provider.complete(asking())

    assert raised.value.code == "EGRESS_BLOCKED"
    assert "127.0.0.1" not in f"{raised.value.message} {raised.value.details}"
    assert bench.server.connections == 0


async def test_an_answer_over_the_bound_is_refused(bench: ModelBench) -> None:
    policy = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])
    for bound, code in ((10_000, None), (200, "RESPONSE_TOO_LARGE")):
        async with open_client(policy, max_body_bytes=bound) as client:
            try:
                await bench.provider(http_client=client).complete(asking("x" * 300))
                found = None
            except StepFailed as failure:
                found = failure.code
        assert found == code


async def test_a_header_that_may_not_be_sent_is_refused(bench: ModelBench) -> None:
    assert await bench.provider(headers={"x-mine": "1"}).complete(asking())

    with pytest.raises(StepFailed) as raised:
        await bench.provider(headers={"transfer-encoding": "chunked"}).complete(asking())

    assert raised.value.code == "HEADER_REFUSED"


async def test_nothing_of_the_environment_is_sent_or_followed(
    bench: ModelBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for sdk in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{sdk}_API_KEY", "canary-key-of-the-operator")
        monkeypatch.setenv(f"{sdk}_AUTH_TOKEN", "canary-token")
        monkeypatch.setenv(f"{sdk}_ADMIN_KEY", "canary-admin")
        monkeypatch.setenv(f"{sdk}_BASE_URL", "http://127.0.0.1:9/canary")
        monkeypatch.setenv(f"{sdk}_CUSTOM_HEADERS", "x-of-the-operator: canary")
        monkeypatch.setenv(f"{sdk}_LOG", "debug")
    monkeypatch.setenv("OPENAI_ORG_ID", "canary-org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "canary-project")
    bench.server.key = None

    for secret in (KEY, None):
        await bench.provider(secret=secret).complete(asking())

    with_key, without = (asked.headers for asked in bench.server.asked)
    assert KEY in str(with_key)
    assert "authorization" not in without
    assert "x-api-key" not in without
    assert "canary" not in f"{with_key} {without}"


async def test_nothing_of_our_machine_is_told(bench: ModelBench) -> None:
    await bench.ask()

    headers = bench.server.asked[0].headers
    assert headers["user-agent"] == "llmteam"
    assert not {"x-stainless-os", "x-stainless-arch", "x-stainless-runtime-version"} & headers.keys()


async def test_headers_and_query_of_the_connection_go_along(bench: ModelBench) -> None:
    bench.server.key = None
    provider = bench.provider(
        secret=None, headers={"api-key": "k-1", "x-team": "7"}, query={"api-version": "2024-10-21"}
    )

    await provider.complete(asking())
    await provider.complete(asking(), on_delta=_nothing)

    for asked in bench.server.asked:
        assert (asked.headers["api-key"], asked.headers["x-team"]) == ("k-1", "7")
        assert asked.target.endswith("?api-version=2024-10-21")
        assert "authorization" not in asked.headers


async def test_a_query_in_the_base_address_goes_along(openai: ModelBench) -> None:
    openai.server.key = "azure-key"
    address = f"{openai.server.url}/openai/deployments/letters?api-version=2024-10-21"

    await openai.provider(base_url=address, secret=None, headers={"api-key": "azure-key"}).complete(asking())

    (asked,) = openai.server.asked
    assert asked.target == "/openai/deployments/letters/chat/completions?api-version=2024-10-21"


async def test_a_connection_may_authorise_each_request_its_own_way(bench: ModelBench) -> None:
    counted = iter(range(10))

    async def authorise(request: httpx.Request) -> None:
        request.headers["authorization"] = f"Bearer token-{next(counted)}"

    bench.server.key = "token-0"
    provider = bench.provider(secret=None, authorise=authorise)
    await provider.complete(asking())
    bench.server.key = "token-1"
    await provider.complete(asking(), on_delta=_nothing)

    assert len(bench.server.asked) == 2


async def test_what_authorising_raises_comes_out_as_it_is(bench: ModelBench) -> None:
    async def fail(_request: httpx.Request) -> None:
        raise StepFailed("OAUTH2_AWAY", "The token server is away.", retryable=True)

    with pytest.raises(StepFailed) as raised:
        await bench.provider(authorise=fail).complete(asking())

    assert raised.value.code == "OAUTH2_AWAY"


async def test_two_connections_use_their_own_keys(bench: ModelBench) -> None:
    bench.server.key = None
    acme, globex = bench.provider(secret="key-of-acme"), bench.provider(secret="key-of-globex")

    await acme.complete(asking())
    await globex.complete(asking())
    await acme.complete(asking())

    sent = [str(asked.headers) for asked in bench.server.asked]
    assert ["key-of-acme" in headers for headers in sent] == [True, False, True]
    assert ["key-of-globex" in headers for headers in sent] == [False, True, False]
