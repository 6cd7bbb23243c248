"""Runtime registries: connections that a deployment registers in code for all tenants. A tenant's own ones win."""

from dataclasses import dataclass, field
from functools import cache
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from runs.step_api.resources import Client, Endpoint, LanguageModel
from runs.traces.spans import are_recorded

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Registered things, by the name segments use."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def register(self, ref: str, entry: Entry) -> None:
        """Add or replace an entry."""
        self._entries[ref] = entry

    def forget(self, ref: str) -> None:
        """Remove an entry, if it is there."""
        self._entries.pop(ref, None)

    def refs(self) -> list[str]:
        """Return every name."""
        return list(self._entries)

    def get(self, ref: str) -> Entry | None:
        """Return an entry, or None."""
        return self._entries.get(ref)


@dataclass
class Runtime:
    """The language models and HTTP clients every tenant of this process may use."""

    llms: Registry[LanguageModel] = field(default_factory=Registry)
    clients: Registry[Client] = field(default_factory=Registry)


runtime = Runtime()


@cache
def current_runtime() -> Runtime:
    """Give the runtime, set up: by HTTP_CLIENTS, then by each callable that RUNTIME_SETUP names.

    Raises:
        ImproperlyConfigured: A callable is not there, or traces are to be sent and the SDK is not installed.
    """
    _send_traces()
    bases: dict[str, str] = settings.HTTP_CLIENTS
    for ref, base_url in bases.items():
        runtime.clients.register(ref, PlainClient(ref, base_url))
    for path in settings.RUNTIME_SETUP:
        try:
            set_up = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"RUNTIME_SETUP names {path}, which cannot be imported.") from error
        set_up(runtime)
    return runtime


def _send_traces() -> None:
    """Set the SDK up, unless it was, as by ``opentelemetry-instrument``."""
    endpoint: str = settings.OTEL_EXPORTER_OTLP_ENDPOINT
    if not endpoint or are_recorded():
        return
    try:
        from runs.traces.sdk import send_to_collector  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry's SDK is not installed: pip install 'llmteam[otel]'."
        ) from error
    send_to_collector(endpoint, service_name=settings.OTEL_SERVICE_NAME)


def registered_refs() -> dict[str, str]:
    """Tell what the installation registered: kind by name."""
    known = current_runtime()
    return {**dict.fromkeys(known.clients.refs(), "http"), **dict.fromkeys(known.llms.refs(), "llm")}


@dataclass(frozen=True)
class PlainClient:
    """A named base address without credentials."""

    ref: str
    base_url: str
    timeout_seconds: float | None = None
    allows_tools: bool = False

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint its calls go to."""
        return Endpoint(host_of(self.base_url), self.ref)

    async def authorise(self, request: httpx.Request) -> None:
        """Add nothing."""

    def renew(self) -> bool:
        """Nothing is stale."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Nothing is secret."""
        return ()


def host_of(url: str) -> str:
    """Return ``host:port`` of a URL."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
