"""Test runner of steps without an engine, for packages that add step types and providers."""

import itertools
import logging
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from kernel.egress import EgressClient, build_policy, open_client
from kernel.errors import LlmteamError
from kernel.ids import new_id
from kernel.types import Json
from kernel.values import check_size, normalise
from runs.runtime import PlainClient
from runs.step_api.answer_checks import check_answer, check_record, checked_failure, normalised_ports
from runs.step_api.base import (
    Client,
    Emit,
    LanguageModel,
    Price,
    Prompt,
    StepCall,
    StepFailed,
    StepHandler,
    Wait,
    expression_failure,
)
from segments.definition.config import ConfigInvalid, resolve_config
from segments.expressions import ExpressionError

LOOPBACK: Final = ("127.0.0.1:*", "localhost:*")


class StepRunner:
    """Runs one attempt of a step at a time, as an engine would: templates filled in, values by port.

    Use it as an async context manager. Requests reach this machine only. There is no database, no journal and no retry.

    Attributes:
        recorded: What was recorded for the journal, type and payload, in order.
        http_client: The client that steps and providers are given.
    """

    def __init__(
        self, *, clients: Mapping[str, str] | None = None, models: Mapping[str, LanguageModel] | None = None
    ) -> None:
        """Say which connections there are.

        Args:
            clients: HTTP APIs: base address by name.
            models: Language models by name.
        """
        self.recorded: list[tuple[str, dict[str, Json]]] = []
        policy = build_policy(allow_hosts=LOOPBACK, allow_cidrs=("127.0.0.1/32", "::1/128"))
        self.http_client: EgressClient = open_client(policy)
        self._context = _Context(self.http_client, clients or {}, models or {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http_client.aclose()

    async def run(
        self, handler: StepHandler, config: Mapping[str, Json], given: Json = None, *, attempt: int = 1
    ) -> Emit | Wait:
        """Run one attempt.

        Args:
            handler: The step type's handler.
            config: The config as a segment has it, with templates.
            given: The value at the first input port of the card; its keys are names in templates, too.
            attempt: Which attempt of the activation it is.

        Returns:
            What the handler answered.

        Raises:
            StepFailed: The attempt failed; CONFIG_INVALID or an EXPRESSION code where the handler was never called.
        """
        step_type = handler.step_type
        inputs = {step_type.input_ports[0].name: given} if step_type.input_ports else {}
        names = {**(given if isinstance(given, dict) else {}), **inputs, "input": given, "inputs": inputs}
        try:
            filled = resolve_config(step_type, config, names)
        except ExpressionError as error:
            raise expression_failure(error) from error
        except ConfigInvalid as error:
            raise StepFailed("CONFIG_INVALID", str(error)) from error
        numbers = itertools.count(1)
        answer = await self._answered(
            handler,
            StepCall(
                run_id=new_id(),
                step_id=step_type.type_id,
                activation=1,
                attempt=attempt,
                config=filled,
                inputs=inputs,
                names=names,
                context=self._context,
                next_key=lambda: f"key-{next(numbers)}",
                record=self._record,
                log=logging.LoggerAdapter(logging.getLogger(__name__)),
                output_ports=tuple(port.name for port in step_type.output_ports),
                type_id=step_type.type_id,
            ),
        )
        return answer if isinstance(answer, Wait) else _stored(answer)

    async def _answered(self, handler: StepHandler, call: StepCall) -> Emit | Wait:
        """Have a handler answer, and judge it as a run does."""
        try:
            answer = await handler.run(call)
        except StepFailed as failure:
            raise checked_failure(handler.step_type, failure) from failure
        check_answer(handler, answer, ports=handler.step_type.config_ports(call.config.model_dump()))
        return answer

    def _record(self, event_type: str, payload: Mapping[str, Json]) -> None:
        check_record(event_type)
        plain = normalise(dict(payload), big_integers="text")
        if isinstance(plain, dict):
            self.recorded.append((event_type, plain))


def _stored(answer: Emit) -> Emit:
    """Give what is emitted as the journal would have it."""
    try:
        ports = normalised_ports(answer.ports)
        for value in ports.values():
            check_size(value)
    except LlmteamError as error:
        raise StepFailed(error.code, error.detail or error.title) from error
    return replace(answer, ports=ports)


class _Context:
    """Resources of the tenant of a test."""

    def __init__(
        self, http_client: EgressClient, clients: Mapping[str, str], models: Mapping[str, LanguageModel]
    ) -> None:
        self.tenant_id: UUID = new_id()
        self._http_client = http_client
        self._clients = clients
        self._models = models

    async def http_client(self) -> EgressClient:
        return self._http_client

    async def client(self, ref: str) -> Client:
        if ref not in self._clients:
            raise StepFailed("CONNECTION_UNKNOWN", f"There is no connection named {ref}.")
        return PlainClient(ref, self._clients[ref])

    async def language_model(self, ref: str) -> LanguageModel:
        if ref not in self._models:
            raise StepFailed("CONNECTION_UNKNOWN", f"There is no connection named {ref}.")
        return self._models[ref]

    async def prompt(self, template_id: str) -> Prompt:
        raise StepFailed("PROMPT_UNKNOWN", f"There is no stored prompt {template_id}.")

    async def price(self, provider: str, model: str) -> Price | None:
        return None
