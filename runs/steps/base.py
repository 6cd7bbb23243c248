"""The protocol of a step type: what a handler is given, what it may answer. Third parties import from here."""

import asyncio
import logging
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

from kernel.values import Json
from segments.catalog import Effect, ExpressionText, Port, StepConfig, StepType
from segments.expressions import Names


@dataclass(frozen=True, slots=True)
class Emit:
    """The attempt succeeded: values by card port. ``items`` only from a split: one token per item and branch."""

    ports: Mapping[str, Json]
    items: list[Json] | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The activation waits without holding anything, until ``until`` or until somebody answers ``ref``."""

    kind: str
    until: datetime | None
    ref: str


class StepFailed(Exception):
    """The attempt failed.

    Attributes:
        code: Stable, upper snake case.
        message: One sentence for people; never a secret, never an address.
        retryable: Whether trying again can help.
        retry_after_seconds: What the other side asked for, if it did.
        details: Plain JSON for programs.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
        details: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.details = dict(details or {})


class RuntimeContext(Protocol):
    """What the tenant has: everything a handler may use of the world."""

    tenant_id: UUID

    def http_client(self) -> Any:
        """The tenant's guarded ``httpx.AsyncClient`` (``kernel.egress``); shared, never closed by a handler."""

    def client_base(self, client_ref: str) -> str | None:
        """The base URL of a named client, or None."""


@dataclass(slots=True)
class StepCall:
    """One attempt: all a handler needs, and all it gets.

    ``config`` is the step's config with every template rendered; fields marked as expressions are still text.
    ``inputs`` has the value by input port; for a join ``arrivals`` has the gathered values in (edge, item) order.
    ``names`` is the scope for expressions. ``deadline`` is when the attempt or the run is over, by ``time.monotonic``.
    """

    run_id: UUID
    step_id: str
    activation: int
    attempt: int
    config: StepConfig
    inputs: Mapping[str, Json]
    names: Names
    context: RuntimeContext
    next_key: Callable[[], str]
    record: Callable[[str, MutableMapping[str, Json]], None]
    log: logging.LoggerAdapter[logging.Logger]
    output_ports: tuple[str, ...] = ()
    arrivals: tuple[Json, ...] = ()
    deadline: float | None = None
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def input(self) -> Json:
        """The value of the one connected input port, or the object of all."""
        if len(self.inputs) == 1:
            return next(iter(self.inputs.values()))
        return dict(self.inputs)


class StepHandler:
    """Base of a handler. One instance serves all runs, so it keeps no state of a run."""

    step_type: ClassVar[StepType]

    async def run(self, call: StepCall) -> Emit | Wait:
        """Execute one attempt.

        Args:
            call: The attempt. ``call.next_key()`` gives the idempotency key of the next outside call: the same for
                the same ordinal in every attempt of this activation. ``call.record("action.started", {...})`` adds
                an event of the action kinds to the journal.

        Returns:
            What leaves by which port.

        Raises:
            StepFailed: The attempt failed; anything else raised counts as a failure that is not retryable.
        """
        raise NotImplementedError  # the registry refuses a type that leaves it so

    async def abandon(self, call: StepCall) -> None:
        """Clean up after an attempt that was cancelled. May be called more than once; the default has nothing."""


__all__ = [
    "Effect",
    "Emit",
    "ExpressionText",
    "Port",
    "RuntimeContext",
    "StepCall",
    "StepConfig",
    "StepFailed",
    "StepHandler",
    "StepType",
    "Wait",
]
