"""Providers are ours and those of installed packages; none hides another."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured

from kernel.egress import EgressClient
from runs.providers import registry
from runs.providers.registry import (
    ProviderUnknown,
    build_provider,
    collect_providers,
    default_base_url,
    provider_names,
)
from runs.step_api.language_models import CompletionReply, CompletionRequest, ProviderOptions, TokenCount
from tests.support.model_server import asking


class Parrot:
    """A provider as a package would bring one."""

    default_base_url: ClassVar[str | None] = None

    def __init__(self, options: ProviderOptions) -> None:
        self.options = options

    async def complete(self, request: CompletionRequest, *, on_delta: Any = None) -> CompletionReply:
        return CompletionReply(request.messages[-1].text, request.model, TokenCount(1, 1))


class Silent:
    """Lacks what a provider has to have."""

    default_base_url: ClassVar[str | None] = None


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stand in for what installed packages declare."""

    def declare(**declared: str) -> None:
        entries = [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in declared.items()]
        monkeypatch.setattr(
            registry, "entry_points", lambda group: entries if group == registry.ENTRY_POINT_GROUP else []
        )
        registry.provider_factories.cache_clear()

    yield declare
    registry.provider_factories.cache_clear()


def test_ours_are_known_with_their_addresses() -> None:
    assert {"anthropic", "openai"} <= set(provider_names())
    assert default_base_url("openai") == "https://api.openai.com/v1"
    assert default_base_url("anthropic") == "https://api.anthropic.com"


async def test_a_package_brings_its_own(entry_points: Any, http_client: EgressClient) -> None:
    with pytest.raises(ProviderUnknown):
        build_provider("parrot", http_client=http_client)
    entry_points(parrot=f"{__name__}:Parrot")
    if __name__ not in sys.modules:
        sys.modules[__name__] = sys.modules[Parrot.__module__]

    provider = build_provider("parrot", http_client=http_client, secret="s", headers={"a": "b"}, query={"c": "d"})

    assert (await provider.complete(asking("Polly"))).text == "Polly"
    assert "parrot" in provider_names()
    assert default_base_url("parrot") is None


def test_a_repeated_name_is_refused(entry_points: Any) -> None:
    entry_points(openai="runs.providers.anthropic:AnthropicProvider")

    with pytest.raises(ImproperlyConfigured, match="repeats the provider 'openai'"):
        provider_names()


def test_what_cannot_be_loaded_is_named(entry_points: Any) -> None:
    entry_points(lost="no.such.module:Provider")

    with pytest.raises(ImproperlyConfigured, match=r"'lost' .* cannot be loaded"):
        provider_names()


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (object(), "is not a provider"),
        (Silent, "is not a provider"),
        (type("Homeless", (), {"complete": Parrot.complete}), "default_base_url"),
    ],
)
def test_what_is_no_provider_is_refused(listed: object, why: str) -> None:
    assert collect_providers([("parrot", "here", Parrot)])

    with pytest.raises(ImproperlyConfigured, match=why):
        collect_providers([("odd", "here", listed)])


def test_secrets_are_not_in_the_options_text(http_client: EgressClient) -> None:
    options = ProviderOptions(http_client, secret="canary-1", headers={"k": "canary-2"}, query={"k": "canary-3"})

    assert "canary" not in repr(options)


def test_a_process_that_asks_no_model_imports_no_sdk() -> None:
    program = (
        "import sys; from runs.providers.registry import provider_factories; provider_factories();"
        "sys.exit(bool({'openai', 'anthropic'} & sys.modules.keys()))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ".:platform"}, check=False).returncode == 0
    )
