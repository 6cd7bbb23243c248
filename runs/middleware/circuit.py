"""Circuit breaker middleware: keeps calls away from hosts that are down, by tenant and host. See docs/adr/0003."""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final
from uuid import UUID

import redis.asyncio
from django.conf import settings

from kernel.clock import utc_now
from kernel.egress import OF_TRUST, ConnectionFailed, DeadlineExceeded
from kernel.ids import new_id
from kernel.types import Json
from kernel.values import dump_json
from runs.bus.shared_state import SharedState
from runs.circuits.circuit import Circuit, CircuitBusy, CircuitOpen
from runs.circuits.protocol import BreakerRules, CallOutcome
from runs.circuits.shared import SharedStates
from runs.circuits.store import BreakerStore
from runs.circuits.wording import open_sentence
from runs.metrics import CIRCUITS_OPENED
from runs.step_api.base import Defer, Emit, Endpoint, Next, StepCall, StepFailed, StepType, Wait
from runs.step_api.resources import MODEL_CHARACTERS
from segments.catalog import Effect

log = logging.getLogger(__name__)

KEPT_CIRCUITS: Final = 1_000
PATIENCE_SECONDS: Final = 5.0
"""Longest time a call waits while others find out whether its host is well; then it is deferred."""
BUSY_SECONDS: Final = 1.0
CIRCUIT_OPEN: Final = "CIRCUIT_OPEN"


class CircuitBreaker:
    """The breakers of one host of runs, whose state all hosts share."""

    def __init__(self, rules: BreakerRules | None = None) -> None:
        self._rules = rules or BreakerRules(cooldown_seconds=settings.CIRCUIT_COOLDOWN_SECONDS)
        self._name = new_id().hex
        self._redis_state = SharedState("circuit")
        self._states = SharedStates(self._rules, redis.asyncio.Redis(connection_pool=self._redis_state.pool))
        self._circuits: OrderedDict[str, Circuit] = OrderedDict()

    def wants(self, step_type: StepType) -> bool:
        """Pure steps call nobody."""
        return step_type.effect is not Effect.PURE

    def __call__(self, call: StepCall, run: Next) -> Awaitable[Emit | Wait]:
        """Have every call to the outside pass the breaker of its host."""
        call.gates.append(self.gate)
        return run(call)

    async def aclose(self) -> None:
        """Tell how the last calls ended."""
        await asyncio.gather(*(circuit.close() for circuit in self._circuits.values()))
        await self._redis_state.close()

    @asynccontextmanager
    async def gate(self, call: StepCall, endpoint: Endpoint) -> AsyncIterator[None]:
        """Let one call through, and count how it ended.

        Raises:
            Defer: The host is down, or it is just being found out whether it is.
            StepFailed: CIRCUIT_OPEN: the host is down, and the step does not wait for it.
        """
        circuit = self._circuit(call.context.tenant_id, endpoint)
        try:
            permit = await circuit.enter(patience_seconds=_patience(call), answers_slowly=endpoint.answers_slowly)
        except CircuitOpen as is_open:
            raise _turned_away(call, endpoint, is_open) from None
        except CircuitBusy:
            raise Defer(_in(BUSY_SECONDS), "circuit", _named(endpoint)) from None
        outcome, why = CallOutcome.NONE, ""
        try:
            yield
            outcome = CallOutcome.SUCCEEDED
        except (Defer, asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            outcome = CallOutcome.FAILED if _host_failed(error) else CallOutcome.SUCCEEDED
            why = _why(error) if outcome is CallOutcome.FAILED else ""
            raise
        finally:
            circuit.leave(permit, outcome, why)

    def _circuit(self, tenant_id: UUID, endpoint: Endpoint) -> Circuit:
        key = f"{tenant_id}:{endpoint.circuit}"
        circuit = self._circuits.get(key)
        if circuit is None:
            self._forget_idle()
            circuit = self._circuits[key] = Circuit(
                self._rules,
                BreakerStore(key, self._rules, self._states, self._redis_state, about=dump_json(_named(endpoint))).ask,
                name=self._name,
                opened=partial(_opened, key),
            )
        self._circuits.move_to_end(key)
        return circuit

    def _forget_idle(self) -> None:
        for key in list(islice(self._circuits, max(0, len(self._circuits) - KEPT_CIRCUITS + 1))):
            if self._circuits[key].is_idle:
                del self._circuits[key]


def _patience(call: StepCall) -> float:
    """Wait no longer than half of the attempt's time, so that the call has the other half."""
    if call.deadline is None:
        return PATIENCE_SECONDS
    return min(PATIENCE_SECONDS, max(0.0, call.deadline - time.monotonic()) / 2)


def _turned_away(call: StepCall, endpoint: Endpoint, is_open: CircuitOpen) -> Defer | StepFailed:
    """Put a call off, or fail it where the step says so: by its config, else by an edge that takes its errors."""
    next_probe = (utc_now() + timedelta(seconds=is_open.seconds)).isoformat(timespec="seconds")
    details: dict[str, Json] = {**_named(endpoint), "last_failure": is_open.why or None, "next_probe": next_probe}
    chosen = getattr(call.config, "on_circuit_open", None)
    if chosen != "fail" and (chosen == "wait" or not call.routes_errors):
        return Defer(_in(is_open.seconds), "circuit", details)
    return StepFailed(CIRCUIT_OPEN, open_sentence(details), details=details)


def _named(endpoint: Endpoint) -> dict[str, Json]:
    named: dict[str, Json] = {"connection": endpoint.connection, "host": endpoint.host}
    return named if endpoint.model is None else named | {"model": endpoint.model[:MODEL_CHARACTERS]}


def _why(error: BaseException) -> str:
    """Write a failure in a few words: its code, and the status where there was one."""
    code = str(getattr(error, "code", type(error).__name__))
    status = error.details.get("status") if isinstance(error, StepFailed) else None
    return code if status is None else f"{code} {status}"


def _in(seconds: float) -> datetime:
    """Give a time to come; those who wait for the same come back a little apart."""
    spread = random.random() * min(1.0, seconds / 10)  # noqa: S311 - spreads load
    return utc_now() + timedelta(seconds=seconds + spread)


def _host_failed(error: BaseException) -> bool:
    if isinstance(error, StepFailed):
        return error.host_failed
    if isinstance(error, ConnectionFailed):
        return error.reason not in OF_TRUST
    return isinstance(error, DeadlineExceeded)


def _opened(key: str) -> None:
    CIRCUITS_OPENED.inc()
    tenant_id, _, host = key.partition(":")
    log.warning("the circuit breaker of tenant %s for %s opened", tenant_id, host)
