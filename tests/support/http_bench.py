"""One tenant and one server for http_action, without an engine around it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from kernel.egress import EgressClient
from kernel.ids import new_id
from kernel.types import Json
from runs.connection_trials import facts_of
from runs.connections.directory import ConnectionDirectory
from runs.http.config import HttpActionConfig
from runs.runtime import PlainClient, Runtime
from runs.step_api.base import Client, Emit, Gate, StepCall, StepConfig, StepFailed
from runs.steps.http_action import HttpAction
from segments.definition.config import resolve_config
from segments.expressions import ExpressionError
from tenants.models import Connection
from tenants.sealing import seal_into
from tests.support.http_server import CountingServer


@dataclass
class Context:
    """What a tenant has: a client, and bases by name."""

    egress: EgressClient
    bases: dict[str, str]
    tenant_id: UUID = field(default_factory=new_id)
    connected: dict[str, Callable[[], Client]] = field(default_factory=dict)

    async def http_client(self) -> EgressClient:
        return self.egress

    async def client(self, ref: str) -> Client:
        if ref in self.connected:
            return self.connected[ref]()
        if ref not in self.bases:
            raise StepFailed("CONNECTION_UNKNOWN", f"There is no connection named {ref}.")
        return PlainClient(ref, self.bases[ref])


@dataclass
class Bench:
    """One tenant, one server, and the journal entries of the calls made."""

    server: CountingServer
    context: Context
    journal: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)

    def connect(self, ref: str, spec: dict[str, Any]) -> None:
        """Give the tenant a connection of its own, as its row would say; secrets are sealed into it."""
        sealed = {name: spec.pop(name, "") for name in ("secret", "tls_key")}
        row = Connection(ref=ref, kind="http", tenant_id=self.context.tenant_id, **spec)
        for name, text in sealed.items():
            seal_into(row, name, text)
        directory = ConnectionDirectory(Runtime(), lambda: self.context.egress)
        self.context.connected[ref] = partial(directory.client, ref, facts_of(row))

    async def run(
        self,
        config: dict[str, Any],
        *,
        value: Json = None,
        attempt: int = 1,
        key: str = "key-1",
        key_of: Callable[[], str] | None = None,
        is_filled: bool = True,
        **more: Any,
    ) -> Emit:
        """Execute one attempt; `is_filled`: the config has no templates."""
        inputs = {"body": value}
        names = {"input": value, **inputs}
        try:
            read = HttpActionConfig.model_validate if is_filled else partial(_filled, names)
            read_config = read(config)
        except ExpressionError as error:
            raise StepFailed(error.code, str(error)) from error
        call = StepCall(
            run_id=new_id(),
            step_id="call",
            activation=1,
            attempt=attempt,
            config=read_config,
            inputs=inputs,
            names=names,
            context=self.context,
            next_key=key_of or (lambda: key),
            record=lambda kind, payload: self.journal.append((kind, dict(payload))),
            log=logging.LoggerAdapter(logging.getLogger("test")),
            gates=self.gates,
            **more,
        )
        return await HttpAction().run(call)

    async def fail(self, config: dict[str, Any], **options: Any) -> StepFailed:
        with pytest.raises(StepFailed) as error:
            await self.run(config, **options)
        return error.value


def _filled(names: dict[str, Any], config: dict[str, Any]) -> StepConfig:
    return resolve_config(HttpAction.step_type, config, names)
