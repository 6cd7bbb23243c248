"""The provider of the how-to works as it stands there."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from kernel.egress import EgressClient, build_policy, open_client
from runs.providers import registry
from runs.providers.errors import FACTS
from runs.step_api.base import StepFailed
from tests.support.http_server import Answer, CountingServer
from tests.support.model_server import asking

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "howto" / "providers.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the page's package: its module, and what it declares."""
    declared = tomllib.loads(_block("toml"))["project"]["entry-points"]
    module = ModuleType("house_provider")
    exec(_block("python"), module.__dict__)  # noqa: S102 - our own page
    monkeypatch.setitem(sys.modules, "house_provider", module)
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda group: [EntryPoint(name, value, group) for name, value in declared.get(group, {}).items()],
    )
    registry.provider_factories.cache_clear()
    yield
    registry.provider_factories.cache_clear()


@pytest.mark.usefixtures("installed")
async def test_the_page_s_provider_answers(http_client: EgressClient) -> None:
    with CountingServer() as house:
        house.route("POST", "/answer", Answer(body={"text": "Welcome", "read": 3, "written": 1}))
        provider = registry.build_provider("house", http_client=http_client, base_url=house.url, secret="k-1")
        pieces: list[str] = []

        reply = await provider.complete(asking("Hello"), on_delta=pieces.append)

        assert (reply.text, reply.tokens.input_tokens, pieces) == ("Welcome", 3, ["Welcome"])
        assert house.calls[0].headers["x-house-key"] == "k-1"
        assert house.calls[0].json() == {"model": "m-1", "prompt": "Hello", "length": 1000}


@pytest.mark.usefixtures("installed")
async def test_the_page_s_provider_fails_with_our_codes(http_client: EgressClient) -> None:
    with CountingServer() as house:
        for answer, code in (
            (Answer(401), "LLM_AUTH_FAILED"),
            (Answer(500), "LLM_SERVER_ERROR"),
            (Answer(body={"tex": 1}), "LLM_REPLY_UNREADABLE"),
            (Answer(body="no JSON"), "LLM_REPLY_UNREADABLE"),
            (Answer(body=[1]), "LLM_REPLY_UNREADABLE"),
        ):
            house.route("POST", "/answer", answer)
            provider = registry.build_provider("house", http_client=http_client, base_url=house.url)
            with pytest.raises(StepFailed) as raised:
                await provider.complete(asking())
            assert raised.value.code == code
        async with open_client(build_policy()) as guarded:
            provider = registry.build_provider("house", http_client=guarded, base_url=house.url)
            with pytest.raises(StepFailed) as raised:
                await provider.complete(asking())
        assert raised.value.code == "EGRESS_BLOCKED"


def test_the_page_names_every_code_and_whether_it_is_tried_again() -> None:
    told = dict(re.findall(r"\| `(LLM_\w+)` \|.*\| (yes|no) \|", PAGE))

    assert told == {code: "yes" if fact.retryable else "no" for code, fact in FACTS.items()}


def test_the_page_names_every_provider_of_ours() -> None:
    for name in registry.BUILTIN:
        assert f"| `{name}` |" in PAGE
        assert f"| `{registry.default_base_url(name)}` |" in PAGE
