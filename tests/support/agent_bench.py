"""One tenant for llm_agent: models and tools are servers on loopback, the providers real; no engine around it."""

import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from examples.model_server import Asked, Call, ModelServer, Problem, Reply
from kernel.egress import EgressClient
from kernel.ids import new_id
from kernel.types import Json
from runs.providers.registry import build_provider
from runs.runtime import PlainClient, host_of
from runs.step_api.base import (
    Client,
    Defer,
    Endpoint,
    Gate,
    Hold,
    LanguageModel,
    Price,
    Prompt,
    StepCall,
    StepFailed,
)
from runs.step_api.recorded_calls import RecordedCall
from runs.steps.llm_agent import LlmAgent
from segments.definition.config import resolve_config
from tests.support.http_server import CountingServer

PRICE = Price(Decimal(1000), Decimal(2000))


@dataclass
class AgentContext:
    """What a tenant has."""

    egress: EgressClient
    models: dict[str, LanguageModel] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    prompts: dict[str, Prompt] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    tenant_id: UUID = field(default_factory=new_id)

    async def http_client(self) -> EgressClient:
        return self.egress

    async def client(self, ref: str) -> Client:
        return _known(self.clients, ref, "CONNECTION_UNKNOWN")

    async def language_model(self, ref: str) -> LanguageModel:
        return _known(self.models, ref, "CONNECTION_UNKNOWN")

    async def prompt(self, template_id: str) -> Prompt:
        return _known(self.prompts, template_id, "PROMPT_UNKNOWN")

    async def price(self, provider: str, model: str) -> Price | None:
        return self.prices.get(model)


@dataclass
class AgentBench:
    """Runs attempts and keeps what they did."""

    server: ModelServer
    tools: CountingServer
    context: AgentContext
    journal: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=lambda: [[]])
    gates: list[Gate] = field(default_factory=list)
    routed: tuple[str, ...] = ("output",)
    room: int | None = None
    seconds: float | None = None
    run_id: UUID = field(default_factory=new_id)
    call: StepCall | None = None
    made: tuple[RecordedCall, ...] = ()

    def model(
        self,
        ref: str,
        provider: str = "openai",
        *,
        model: str = "m-1",
        timeout_seconds: float | None = None,
        base_url: str = "",
        **options: Any,
    ) -> None:
        """Give the tenant a connection to a model: the bench's server, unless it is elsewhere."""
        base_url = base_url or self.server.url + ("/v1" if provider == "openai" else "")
        given = {"http_client": self.context.egress, "base_url": base_url, "secret": "key"} | options
        made = build_provider(provider, **given)
        endpoint = Endpoint(host_of(base_url), ref)
        self.context.models[ref] = LanguageModel(ref, made, provider, model, endpoint, timeout_seconds)

    def tool_connection(self, ref: str, *, allows_tools: bool = True) -> None:
        """Give the tenant a connection to the bench's server of tools."""
        self.context.clients[ref] = PlainClient(ref, f"{self.tools.url}/api", allows_tools=allows_tools)

    def says(self, *replies: Reply | Problem | str) -> None:
        """Say what the models answer, one after the other; the last one from then on."""
        answers = itertools.chain(replies, itertools.repeat(replies[-1]))
        self.server.script = lambda _asked: _reply(next(answers))

    def by_model(self, **replies: Reply | Problem | str) -> None:
        """Say what each model answers; hyphens are written as underscores."""
        self.server.script = lambda asked: _reply(replies[asked.model.replace("-", "_")])

    async def ask(self, value: Json = "What now?", *, attempt: int = 1, **config: Any) -> Json:
        """Run one attempt and give its answer; by port where it leaves by another than ``output``."""
        inputs = {"input": value}
        names = {**(value if isinstance(value, dict) else {}), "input": value, "inputs": inputs}
        numbers = itertools.count(1)
        self.call = StepCall(
            run_id=self.run_id,
            step_id="ask",
            activation=1,
            attempt=attempt,
            config=resolve_config(LlmAgent.step_type, {"llm_ref": "main", **config}, names),
            inputs=inputs,
            names=names,
            context=self.context,
            next_key=lambda: f"key-{next(numbers)}",
            record=lambda kind, payload: self.journal.append((kind, dict(payload))),
            log=logging.LoggerAdapter(logging.getLogger("test")),
            reserve=self._reserve,
            stream=self._hear,
            begin_text=lambda: self.texts.append([]),
            gates=self.gates,
            output_ports=self.routed,
            deadline=None if self.seconds is None else time.monotonic() + self.seconds,
            made=self.made,
        )
        ports = (await LlmAgent().run(self.call)).ports
        return ports["output"] if "output" in ports else dict(ports)

    async def fail(self, value: Json = "What now?", **config: Any) -> StepFailed:
        """Run one attempt and give its failure."""
        with pytest.raises(StepFailed) as raised:
            await self.ask(value, **config)
        return raised.value

    async def put_off(self, **config: Any) -> Defer:
        """Run one attempt and give what it waits for."""
        with pytest.raises(Defer) as raised:
            await self.ask(**config)
        return raised.value

    def _hear(self, piece: str) -> None:
        self.texts[-1].append(piece)

    @property
    def heard(self) -> list[str]:
        """The pieces of text that were streamed, of all answers."""
        return [piece for text in self.texts for piece in text]

    @property
    def asked(self) -> list[Asked]:
        """The questions models were asked."""
        return self.server.asked

    @property
    def tool_journal(self) -> list[tuple[str, dict[str, Any]]]:
        """The journal's events of calls of tools."""
        found, is_model = [], False
        for kind, payload in self.journal:
            is_model = "messages" in payload if kind == "action.started" else is_model
            if not is_model:
                found.append((kind, payload))
        return found

    @property
    def usage(self) -> Sequence[Any]:
        """The usage of the last attempt."""
        assert self.call is not None
        return self.call.usage

    async def _reserve(self, hold: Hold) -> None:
        self.holds.append(hold)
        if self.room is not None and hold.cost is not None and hold.cost > self.room:
            raise StepFailed("BUDGET_EXCEEDED", "There is no room.")


def closed(*refs: str, seconds: Mapping[str, float] | None = None) -> Gate:
    """A gate that puts off calls to some connections."""

    class Closed:
        def __init__(self, call: StepCall, endpoint: Endpoint) -> None:
            self._ref = endpoint.connection or ""

        async def __aenter__(self) -> None:
            if self._ref in refs:
                wait = timedelta(seconds=(seconds or {}).get(self._ref, 60.0))
                raise Defer(datetime(2030, 1, 1, tzinfo=UTC) + wait, "circuit")

        async def __aexit__(self, *_error: object) -> None:
            return None

    return Closed


def wants(name: str, call_id: str = "call_1", **arguments: Any) -> Reply:
    """The model asks for a tool."""
    return Reply(calls=(Call(name, arguments, call_id),), finish="tool_calls")


def _reply(given: Reply | Problem | str) -> Reply | Problem:
    return Reply(given) if isinstance(given, str) else given


def _known(things: Mapping[str, Any], name: str, code: str) -> Any:
    if name not in things:
        raise StepFailed(code, f"There is nothing named {name}.")
    return things[name]
