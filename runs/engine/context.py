"""What a tenant's handlers may use of the world."""

from uuid import UUID

from django.conf import settings

from kernel.egress import EgressClient, Policy, build_policy, open_client
from runs.engine.tariffs import Tariffs
from runs.runtime import PlainClient, runtime
from runs.steps.base import Client, LanguageModel, Price, Prompt, StepFailed


class TenantContext:
    """One tenant's guarded client and connections; lives as long as the host."""

    def __init__(self, tenant_id: UUID, policy: Policy, tariffs: Tariffs) -> None:
        self.tenant_id = tenant_id
        self._policy = policy
        self._tariffs = tariffs
        self._client: EgressClient | None = None

    def http_client(self) -> EgressClient:
        """Return the tenant's client, opened at first use."""
        if self._client is None:
            self._client = open_client(self._policy)
        return self._client

    async def client(self, ref: str) -> Client:
        """Return the HTTP client of a name.

        Raises:
            StepFailed: CONNECTION_UNKNOWN.
        """
        found = runtime.clients.get(ref)
        if found is not None:
            return found
        bases: dict[str, str] = settings.HTTP_CLIENTS
        if ref in bases:
            return PlainClient(ref, bases[ref])
        raise StepFailed("CONNECTION_UNKNOWN", f"There is no connection named {ref}.")

    async def language_model(self, ref: str) -> LanguageModel:
        """Return the language model of a name; raises as ``client``."""
        found = runtime.llms.get(ref)
        if found is None:
            raise StepFailed("CONNECTION_UNKNOWN", f"There is no connection named {ref}.")
        return found

    async def prompt(self, template_id: str) -> Prompt:
        """Return a stored prompt.

        Raises:
            StepFailed: PROMPT_UNKNOWN.
        """
        raise StepFailed("PROMPT_UNKNOWN", f"There is no stored prompt named {template_id}.")

    async def price(self, provider: str, model: str) -> Price | None:
        """Return what a model's tokens cost the tenant now; None where nobody says."""
        return await self._tariffs.price(self.tenant_id, provider, model)

    async def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            await self._client.aclose()


class TenantContexts:
    """The contexts of one host, by tenant."""

    def __init__(self, tariffs: Tariffs) -> None:
        self._tariffs = tariffs
        self._policy = build_policy(allow_hosts=settings.EGRESS_ALLOW_HOSTS, allow_cidrs=settings.EGRESS_ALLOW_CIDRS)
        self._contexts: dict[UUID, TenantContext] = {}

    def get(self, tenant_id: UUID) -> TenantContext:
        """Return the tenant's context, made at first use."""
        context = self._contexts.get(tenant_id)
        if context is None:
            context = self._contexts[tenant_id] = TenantContext(tenant_id, self._policy, self._tariffs)
        return context

    async def close(self) -> None:
        """Close every connection."""
        for context in self._contexts.values():
            await context.close()
