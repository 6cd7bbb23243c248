"""One tenant and one server for http_action, without an engine around it."""

import logging
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from kernel.egress import EgressClient
from kernel.ids import new_id
from kernel.values import Json
from runs.runtime import PlainClient
from runs.steps.base import Emit, Gate, StepCall, StepFailed
from runs.steps.http.config import HttpActionConfig
from runs.steps.http_action import HttpAction
from tests.support.http_server import CountingServer


@dataclass
class Context:
    """What a tenant has: a client, and bases by name."""

    egress: EgressClient
    bases: dict[str, str]
    tenant_id: UUID = field(default_factory=new_id)

    async def http_client(self) -> EgressClient:
        return self.egress

    async def client(self, ref: str) -> PlainClient:
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

    async def run(self, config: dict[str, Any], *, value: Json = None, attempt: int = 1, key: str = "key-1") -> Emit:
        inputs = {"body": value}
        call = StepCall(
            run_id=new_id(),
            step_id="call",
            activation=1,
            attempt=attempt,
            config=HttpActionConfig.model_validate(config),
            inputs=inputs,
            names={"input": value, **inputs},
            context=self.context,
            next_key=lambda: key,
            record=lambda kind, payload: self.journal.append((kind, dict(payload))),
            log=logging.LoggerAdapter(logging.getLogger("test")),
            gates=self.gates,
        )
        return await HttpAction().run(call)

    async def fail(self, config: dict[str, Any], **options: Any) -> StepFailed:
        with pytest.raises(StepFailed) as error:
            await self.run(config, **options)
        return error.value
