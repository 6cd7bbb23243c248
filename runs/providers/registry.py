"""Registry of language model providers: ours, and those of installed packages."""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import cast
from urllib.parse import parse_qsl

import httpx
from django.core.exceptions import ImproperlyConfigured

from kernel.egress import EgressClient
from runs.step_api.language_models import Provider, ProviderFactory, ProviderOptions, SchemaMode, StreamMode

ENTRY_POINT_GROUP = "llmteam.providers"

_OFFER = "provider:"
BUILTIN = {
    "openai": "runs.providers.openai.OpenAIProvider",
    "anthropic": "runs.providers.anthropic.AnthropicProvider",
}


class ProviderUnknown(LookupError):
    """No provider of this name is installed."""


def provider_names() -> tuple[str, ...]:
    """Give the names of all providers, sorted."""
    return tuple(sorted(provider_factories()))


def provider_offers() -> tuple[str, ...]:
    """Name the providers as workers and runs do, beside step types. None is loaded for it."""
    installed = {*BUILTIN, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))}
    return tuple(provider_offer(name) for name in sorted(installed))


def provider_offer(name: str) -> str:
    """Name a provider as workers and runs do."""
    return f"{_OFFER}{name}"


def is_provider_offer(name: str) -> bool:
    """Whether a name is a provider's, as workers and runs have it."""
    return name.startswith(_OFFER)


def provider_addresses() -> dict[str, str | None]:
    """Give where the calls of each provider go when a connection names no address, by name; None where it has to."""
    return {name: factory.default_base_url for name, factory in sorted(provider_factories().items())}


def default_base_url(name: str) -> str | None:
    """Tell where a provider's calls go when a connection names no address; None where it has to.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    return _factory(name).default_base_url


def build_provider(
    name: str,
    *,
    http_client: EgressClient,
    base_url: str | None = None,
    secret: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    authorise: Callable[[httpx.Request], Awaitable[None]] | None = None,
    renew: Callable[[], bool] | None = None,
    stream: StreamMode = "auto",
    schema_mode: SchemaMode = "auto",
) -> Provider:
    """Make the provider of one connection. Opens nothing; keep it and share it, for each has a client of its SDK.

    Args:
        name: ``openai``, ``anthropic``, or as registered.
        http_client: The tenant's guarded client; the provider never closes it.
        base_url: Where the API is; None for the provider's own. A query in it goes along with every call.
        secret: Sent in the way of the provider; None sends no credentials of the provider's kind.
        headers: Sent with every call.
        query: Added to the address of every call.
        authorise: Puts credentials on each request just before it is sent; for other ways than the provider's.
        renew: Forgets credentials that the service did not take; see `ProviderOptions`.
        stream: Whether answers are asked for in pieces; see `ProviderOptions`.
        schema_mode: How an answer by schema is asked for; see `ProviderOptions`.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    address, _, own_query = (base_url or "").partition("?")
    options = ProviderOptions(
        http_client=http_client,
        base_url=address or None,
        secret=secret,
        headers=dict(headers or {}),
        query=dict(parse_qsl(own_query)) | dict(query or {}),
        authorise=authorise,
        renew=renew,
        stream=stream,
        schema_mode=schema_mode,
    )
    return _factory(name)(options)


@cache
def provider_factories() -> Mapping[str, ProviderFactory]:
    """Give the providers of this process by name, found at first use.

    Raises:
        ImproperlyConfigured: A provider cannot be loaded, is none, or repeats a name.
    """
    listed = [(name, f"'{path}'", _import(path)) for name, path in BUILTIN.items()]
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            listed.append((entry.name, f"{ENTRY_POINT_GROUP}: {entry.value}", entry.load()))
        except (ImportError, AttributeError) as error:
            raise ImproperlyConfigured(f"The provider '{entry.name}' ({entry.value}) cannot be loaded.") from error
    return collect_providers(listed)


def collect_providers(listed: list[tuple[str, str, object]]) -> dict[str, ProviderFactory]:
    """Check providers and put them together.

    Args:
        listed: Of each its name, where it is listed (errors name it), and the class.

    Raises:
        ImproperlyConfigured: One is not a provider, or repeats a name.
    """
    found: dict[str, ProviderFactory] = {}
    for name, place, factory in listed:
        if name in found:
            raise ImproperlyConfigured(f"{place} repeats the provider '{name}'.")
        if not callable(factory) or not callable(getattr(factory, "complete", None)):
            raise ImproperlyConfigured(f"{place} is not a provider: a class with a method 'complete' is expected.")
        if not hasattr(factory, "default_base_url"):
            raise ImproperlyConfigured(f"{place} has no attribute 'default_base_url'.")
        found[name] = cast("ProviderFactory", factory)
    return found


def _factory(name: str) -> ProviderFactory:
    try:
        return provider_factories()[name]
    except KeyError:
        raise ProviderUnknown(name) from None


def _import(path: str) -> object:
    module, _, name = path.rpartition(".")
    found: object = getattr(importlib.import_module(module), name)
    return found
