"""A tenant's connections, ready to be used: made once of what the database says, and again when that has changed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import httpx

from kernel.egress import EgressClient
from kernel.redaction import hidden_texts
from runs.connections.credentials import Credentials, build_credentials
from runs.connections.facts import ConnectionFacts
from runs.connections.trust import ConnectionTrust
from runs.providers.registry import ProviderUnknown, build_provider, default_base_url
from runs.runtime import Runtime, host_of
from runs.step_api.base import Client, Endpoint, LanguageModel, StepFailed
from tenants.connections.options import HttpOptions, ModelOptions, read_options

Found = TypeVar("Found")
PutOn = Callable[[httpx.Request], Awaitable[None]]
KINDS: Final = {"llm": "a language model", "http": "an HTTP API"}


@dataclass(frozen=True)
class ConnectedClient:
    """A tenant's connection to an HTTP API."""

    ref: str
    base_url: str
    endpoint: Endpoint
    timeout_seconds: float | None
    allows_tools: bool
    headers: Mapping[str, str]
    options: HttpOptions
    credentials: Credentials = field(repr=False)
    trust: ConnectionTrust | None = None

    async def authorise(self, request: httpx.Request) -> None:
        """Put the connection's headers and credentials on a request, unless it has those headers already."""
        if self.trust is not None:
            await self.trust.put_on(request)
        for name, value in self.headers.items():
            request.headers.setdefault(name, value)
        await self.credentials.put_on(request)

    @property
    def http_auth(self) -> httpx.Auth | None:
        """The credentials' answer to the host's challenges; None where they have none."""
        return getattr(self.credentials, "http_auth", None)

    def renew(self) -> bool:
        """Forget credentials that may be stale; return whether another try may be let in."""
        return self.credentials.renew()

    def secrets(self) -> tuple[str, ...]:
        """Give what must not come back in an answer."""
        return self.credentials.secrets()


class ConnectionDirectory:
    """Finds a tenant's connections by name, then those the installation registered in code.

    What was made is kept while its row stays as it is, so that SDK clients and tokens last.
    """

    def __init__(self, runtime: Runtime, http_client: Callable[[], EgressClient]) -> None:
        self._runtime = runtime
        self._http_client = http_client
        self._made: dict[str, tuple[ConnectionFacts, Client | LanguageModel]] = {}

    def is_registered(self, ref: str) -> bool:
        """Whether the installation has registered something under a name."""
        return self._runtime.clients.get(ref) is not None or self._runtime.llms.get(ref) is not None

    def client(self, ref: str, facts: ConnectionFacts | None) -> Client:
        """Give an HTTP client.

        Args:
            ref: The connection's name.
            facts: The tenant's own connection of that name, if there is one.

        Raises:
            StepFailed: CONNECTION_UNKNOWN, CONNECTION_INACTIVE, CONNECTION_KIND_WRONG, CONNECTION_UNUSABLE.
            SealBroken: This process has not the key of its secret.
        """
        if facts is None:
            return _registered(self._runtime.clients.get(ref), self._runtime.llms.get(ref), ref, "http")
        made = self._use(facts, "http", self._make_client)
        if isinstance(made, LanguageModel):
            raise _wrong_kind(ref, "http")
        return made

    def language_model(self, ref: str, facts: ConnectionFacts | None) -> LanguageModel:
        """Give a language model; arguments and errors as for ``client``."""
        if facts is None:
            return _registered(self._runtime.llms.get(ref), self._runtime.clients.get(ref), ref, "llm")
        made = self._use(facts, "llm", self._make_model)
        if not isinstance(made, LanguageModel):
            raise _wrong_kind(ref, "llm")
        return made

    def _use(
        self, facts: ConnectionFacts, kind: str, make: Callable[[ConnectionFacts], Client | LanguageModel]
    ) -> Client | LanguageModel:
        if facts.kind != kind:
            raise _wrong_kind(facts.ref, kind)
        if not facts.is_active:
            raise StepFailed("CONNECTION_INACTIVE", f"The connection {facts.ref} is switched off.")
        known = self._made.get(facts.ref)
        if known is not None and known[0] == facts:
            return known[1]
        made = make(facts)
        self._made[facts.ref] = facts, made
        return made

    def _make_client(self, facts: ConnectionFacts) -> Client:
        trust = ConnectionTrust.of(facts)
        return ConnectedClient(
            ref=facts.ref,
            base_url=facts.base_url,
            endpoint=_endpoint(facts, facts.base_url),
            timeout_seconds=facts.timeout_seconds,
            allows_tools=facts.allows_tools,
            headers=facts.headers,
            options=read_options(HttpOptions, facts.options),
            credentials=self._credentials(facts, trust),
            trust=trust,
        )

    def _make_model(self, facts: ConnectionFacts) -> LanguageModel:
        is_own_way = facts.auth == "provider"
        trust = ConnectionTrust.of(facts)
        credentials = None if is_own_way else self._credentials(facts, trust)
        hidden = hidden_texts(facts.open_secret()) if is_own_way else ()
        options = read_options(ModelOptions, facts.options)
        try:
            address = facts.base_url or default_base_url(facts.provider)
            provider = build_provider(
                facts.provider,
                http_client=self._http_client(),
                base_url=facts.base_url or None,
                secret=facts.open_secret() or None if is_own_way else None,
                headers=facts.headers,
                authorise=_all_of([part.put_on for part in (trust, credentials) if part is not None]),
                renew=None if credentials is None else credentials.renew,
                stream=options.stream,
                schema_mode=options.schema_mode,
            )
        except ProviderUnknown:
            message = f"The provider {facts.provider} of the connection {facts.ref} is not installed on this worker."
            raise StepFailed("CONNECTION_UNUSABLE", message) from None
        if address is None:
            raise StepFailed("CONNECTION_UNUSABLE", f"The connection {facts.ref} names no base_url, and has to.")
        return LanguageModel(
            ref=facts.ref,
            provider=provider,
            provider_name=facts.provider,
            model=facts.model,
            endpoint=_endpoint(facts, address),
            timeout_seconds=facts.timeout_seconds,
            secrets=(lambda: hidden) if credentials is None else credentials.secrets,
        )

    def _credentials(self, facts: ConnectionFacts, trust: ConnectionTrust | None) -> Credentials:
        return build_credentials(facts, secret=facts.open_secret(), http_client=self._http_client, trust=trust)


def _all_of(parts: Sequence[PutOn]) -> PutOn | None:
    """Put several things on a request; None where there are none."""

    async def put_on(request: httpx.Request) -> None:
        for part in parts:
            await part(request)

    return put_on if parts else None


def unknown(ref: str) -> StepFailed:
    """Say that the tenant has no such connection."""
    return StepFailed("CONNECTION_UNKNOWN", f"There is no connection named {ref[:64]}.")


def _registered(found: Found | None, other: object, ref: str, kind: str) -> Found:
    if found is None:
        raise _wrong_kind(ref, kind) if other is not None else unknown(ref)
    return found


def _wrong_kind(ref: str, wanted: str) -> StepFailed:
    return StepFailed("CONNECTION_KIND_WRONG", f"The connection {ref} is not one to {KINDS[wanted]}.")


def _endpoint(facts: ConnectionFacts, address: str) -> Endpoint:
    return Endpoint(
        host_of(address),
        facts.ref,
        facts.requests_per_minute,
        facts.max_concurrency,
        answers_slowly=facts.kind == "llm",
    )
