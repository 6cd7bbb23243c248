"""Calls through a circuit breaker, without an engine around it."""

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from kernel.ids import new_id
from runs.middleware.circuit import CircuitBreaker
from runs.step_api.base import Endpoint, StepConfig, StepFailed

HOST_FAILED = StepFailed("HTTP_STATUS", "It failed.", host_failed=True)


def make_call(**more: Any) -> Any:
    config = StepConfig.model_validate({name: more.pop(name) for name in ("on_circuit_open",) if name in more})
    told = {"deadline": None, "config": config, "routes_errors": False, **more}
    return SimpleNamespace(**{"context": SimpleNamespace(tenant_id=new_id()), **told})


async def go(
    breaker: CircuitBreaker,
    call: Any,
    error: BaseException | None,
    *,
    times: int,
    endpoint: Endpoint = Endpoint("host.test:443"),  # noqa: B008 - frozen
) -> None:
    for _ in range(times):
        with suppress(BaseException):
            async with breaker.gate(call, endpoint):
                if error is not None:
                    raise error
