"""Step types for tests of the engine; as an app, so that worker processes have them too (EXTRA_APPS)."""

import asyncio
import errno
import gc
import os
import time
from collections.abc import Callable
from typing import Any

import psycopg
import redis
from django.apps import AppConfig
from psycopg_pool import PoolTimeout
from pydantic import Field

from kernel.crypto import SealBroken
from runs.step_api.base import Emit, StepCall, StepConfig, StepFailed, StepHandler
from segments.catalog import Effect, Port, StepType

APP = "tests.support.step_types.StepTypesConfig"


def _crash(_call: StepCall) -> Any:
    raise RuntimeError("a secret of the handler")


RESULTS: dict[str, Callable[[StepCall], Any]] = {
    "large": lambda _call: "x" * (1024 * 1024 + 1),
    "nul": lambda _call: "\0",
    "nan": lambda _call: float("nan"),
    "big": lambda _call: {"big": 2**53 + 1},
    "crash": _crash,
    "calls_in_memory": lambda _call: sum(type(one) is StepCall for one in gc.get_objects()),
    "process": lambda _call: os.getpid(),
    "seconds_left": lambda call: (call.deadline or 0) - time.monotonic(),
}


FAULTS: dict[str, BaseException] = {
    "too many connections": psycopg.errors.TooManyConnections("no more connections allowed"),
    "prepared statement gone": psycopg.errors.InvalidSqlStatementName("prepared statement does not exist"),
    "pool exhausted": PoolTimeout("couldn't get a connection"),
    "redis away": redis.ConnectionError("refused"),
    "wrong keys": SealBroken("the key '1' is not on the ring"),
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "no memory": MemoryError(),
}
ANOTHER_TEXT = "another_text"
SPOKEN = {"half_a_pair": "\ud83d"}
"""What a config, which is JSON, cannot say."""


class ProbeConfig(StepConfig):
    """What the step does."""

    seconds: float = 0.0
    fail: str | None = None
    retryable: bool = False
    retry_after: float | None = None
    result: Any = None
    result_of: str | None = None
    fault: str | None = None
    faults: int = 2
    blocking_seconds: float = 0.0
    says: list[str] = Field(default_factory=list)
    repeats: int = 1
    pause_seconds: float = 0.0


def _probe_type(type_id: str, effect: Effect) -> StepType:
    return StepType(
        type_id=type_id,
        display_name=type_id,
        description="For tests",
        category="utility",
        icon="x",
        color="#000000",
        config=ProbeConfig,
        input_ports=(Port("input"),),
        output_ports=(Port("output"), Port("error", required=False)),
        effect=effect,
    )


class Probe(StepHandler):
    """Does nothing, slowly or wrongly if told to; declared external, so that each attempt is committed first."""

    step_type = _probe_type("probe", Effect.EXTERNAL)

    async def run(self, call: StepCall) -> Emit:
        """Wait, fail or answer as the config says."""
        config = call.config
        assert isinstance(config, ProbeConfig)
        if config.fault is not None and call.attempt <= config.faults:
            raise FAULTS[config.fault]
        if config.seconds:
            await asyncio.sleep(config.seconds)
        if config.blocking_seconds:
            time.sleep(config.blocking_seconds)  # noqa: ASYNC251 - blocks the loop on purpose
        for piece in config.says * config.repeats:
            if piece == ANOTHER_TEXT:
                call.begin_text()
            else:
                call.stream(SPOKEN.get(piece, piece))
            await asyncio.sleep(config.pause_seconds)
        if config.fail is not None:
            raise StepFailed(
                config.fail, "As told.", retryable=config.retryable, retry_after_seconds=config.retry_after
            )
        if config.result_of is not None:
            return Emit({"output": RESULTS[config.result_of](call)})
        return Emit({"output": call.input if config.result is None else config.result})


class PureProbe(Probe):
    """The same, declared pure."""

    step_type = _probe_type("pure_probe", Effect.PURE)


class StepTypesConfig(AppConfig):
    """Brings the step types along."""

    name = "tests.support.step_types"
    label = "test_step_types"
    step_types = (
        "tests.support.step_types.Probe",
        "tests.support.step_types.PureProbe",
        "tests.support.spender.Spender",
        "tests.support.outsider.Outsider",
        "tests.support.odd_steps.Odd",
    )
