"""The context of a tenant's handlers: clients, models, prompts, prices."""

import time
from collections.abc import Set as AbstractSet
from typing import Final
from uuid import UUID

import httpx
from opentelemetry import propagate

from kernel.egress import EgressClient, open_client
from runs.connections.directory import ConnectionDirectory
from runs.connections.facts import TenantFacts
from runs.engine.pricing import AskDatabase, Pricing, TenantFactCache
from runs.engine.store.connections import read_tenant_facts
from runs.engine.store.prompts import read_prompt
from runs.runtime import current_runtime
from runs.step_api.base import Client, LanguageModel, Price, Prompt, StepFailed
from runs.traces import spans
from runs.traces.http_transport import TracedTransport
from segments.definition.prompt_names import read_prompt_name
from tenants.connections.egress_policy import egress_policy_with

IDLE_SECONDS: Final = 60.0
"""Time for which a tenant's connections stay open on a host that has none of its runs."""
FACTS_SECONDS: Final = 4.0
"""Time for which connections are believed: a change holds everywhere within 5 s."""


class TenantContext:
    """One tenant's guarded client and connections; lives as long as the host."""

    def __init__(self, tenant_id: UUID, around: "TenantContexts") -> None:
        self.tenant_id = tenant_id
        self._around = around
        self._policy_hosts: tuple[str, ...] = ()
        self._client: EgressClient | None = None
        self._retired: list[EgressClient] = []
        self._directory = ConnectionDirectory(current_runtime(), self._open)

    async def http_client(self) -> EgressClient:
        """Return the tenant's client; it follows what the operator allows the tenant to call within 5 s."""
        await self._facts()
        return self._open()

    def _open(self) -> EgressClient:
        if self._client is None:
            around = TracedTransport if spans.are_recorded() else None
            self._client = open_client(egress_policy_with(self._policy_hosts), owner=self.tenant_id, around=around)
            if around is None:
                self._client.event_hooks = {"request": [_carry_trace], "response": []}
        return self._client

    async def client(self, ref: str) -> Client:
        """Return the HTTP client of a name: the tenant's own, else one the installation registered.

        Raises:
            StepFailed: CONNECTION_UNKNOWN, CONNECTION_INACTIVE, CONNECTION_KIND_WRONG, CONNECTION_UNUSABLE.
        """
        facts = await self._facts(ref)
        return self._directory.client(ref, facts.connections.get(ref))

    async def language_model(self, ref: str) -> LanguageModel:
        """Return the language model of a name; raises as ``client``."""
        facts = await self._facts(ref)
        return self._directory.language_model(ref, facts.connections.get(ref))

    async def _facts(self, ref: str | None = None) -> TenantFacts:
        """Read what the tenant may call; a connection that is missed may have been made a moment ago."""
        facts = await self._around.facts.get(self.tenant_id)
        if ref is not None and ref not in facts.connections and not self._directory.is_registered(ref):
            facts = await self._around.facts.get_newer(self.tenant_id)
        if facts.allowed_hosts != self._policy_hosts:
            self._policy_hosts = facts.allowed_hosts
            self._directory = ConnectionDirectory(current_runtime(), self._open)
            if self._client is not None:
                self._retired.append(self._client)
                self._client = None
        return facts

    async def prompt(self, template_id: str) -> Prompt:
        """Return a stored prompt: of ``name`` the version that is current now, of ``name@3`` that one.

        Raises:
            StepFailed: PROMPT_UNKNOWN: no such prompt, no such version, or it is archived.
        """
        name = read_prompt_name(template_id)
        if name is None:
            raise StepFailed("PROMPT_UNKNOWN", "The text cannot be a stored prompt's name.")
        found = await self._around.ask(lambda connection: read_prompt(connection, self.tenant_id, name))
        if found is None:
            raise StepFailed("PROMPT_UNKNOWN", f"There is no stored prompt named {name.template_id}.")
        if found.is_archived:
            raise StepFailed("PROMPT_UNKNOWN", f"The stored prompt {name.template_id} is archived.")
        if found.prompt is None:
            raise StepFailed("PROMPT_UNKNOWN", f"The stored prompt {name.template_id} has no version {name.number}.")
        return found.prompt

    async def price(self, provider: str, model: str) -> Price | None:
        """Return what a model's tokens cost the tenant now; None where nobody says."""
        return await self._around.pricing.price(self.tenant_id, provider, model)

    async def close(self) -> None:
        """Close the connections of the client, and of those before it that calls under way may have used."""
        for client in [*self._retired, *filter(None, [self._client])]:
            await client.aclose()


class TenantContexts:
    """The contexts of one host, by tenant."""

    def __init__(self, ask: AskDatabase, pricing: Pricing) -> None:
        self.ask = ask
        self.pricing = pricing
        self.facts = TenantFactCache(ask, read_tenant_facts, seconds=FACTS_SECONDS)
        self._contexts: dict[UUID, TenantContext] = {}
        self._needed: dict[UUID, float] = {}

    def get(self, tenant_id: UUID) -> TenantContext:
        """Return the tenant's context, made at first use."""
        context = self._contexts.get(tenant_id)
        if context is None:
            context = self._contexts[tenant_id] = TenantContext(tenant_id, self)
        return context

    async def keep(self, tenant_ids: AbstractSet[UUID]) -> None:
        """Close the contexts of tenants that have not been among those with runs here for a while."""
        now = time.monotonic()
        self._needed.update(dict.fromkeys(tenant_ids, now))
        idle = [known for known in self._contexts if self._needed.setdefault(known, now) < now - IDLE_SECONDS]
        for tenant_id in idle:
            del self._needed[tenant_id]
            await self._contexts.pop(tenant_id).close()

    async def close(self) -> None:
        """Close every connection."""
        for context in self._contexts.values():
            await context.close()


async def _carry_trace(request: httpx.Request) -> None:
    """Tell the other end which trace the call belongs to."""
    propagate.inject(request.headers)
