"""The protocol of a step type: what a handler is given, what it may answer. Third parties import from here."""

import asyncio
import logging
import time
from collections import ChainMap
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, Protocol, TypeAlias, cast
from uuid import UUID

from typing_extensions import deprecated

from kernel.clock import utc_now
from kernel.json_text import JsonOrText, JsonText
from kernel.redaction import redact_quotes
from kernel.types import Json
from runs.step_api.cookies import AttemptCookies
from runs.step_api.recorded_calls import RecordedCall
from runs.step_api.resources import Budget, Client, Endpoint, Hold, LanguageModel, Price, Prompt, Usage
from runs.work.functions import FUNCTIONS
from segments.catalog import Effect, ExpressionText, Port, StepConfig, StepType
from segments.expressions import ExpressionError, FuelAccount, Names

MIN_WAIT_SECONDS: Final = 0.05
IN_DOUBT: Final = "The call may have had its effect, so it is not made again: see whether it had."


@dataclass(frozen=True, slots=True)
class Emit:
    """The attempt succeeded: values by card port. ``items`` only from a split: one token per item and branch.

    ``is_normal``: the values are as ``StepCall.compute``, ``kernel.values.parse_json`` or an input gave them, and need
    not be looked through again.
    """

    ports: Mapping[str, Json]
    items: list[Json] | None = None
    is_normal: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """The activation is parked, and holds nothing meanwhile.

    Attributes:
        kind: ``human``: for a person's answer; ``timer``: for a time; ``call``: for a call of its ``resume_url``.
        until: When the handler's ``look`` is called if there is no answer before; None: never.
        ref: Of ``human``: which task is to be answered.
        details: What else the journal has of it, plain JSON: ``url``, ``title``, who is asked.
        seconds: Instead of ``until``: after how long, by the platform's clock.
    """

    kind: Literal["human", "timer", "call"]
    until: datetime | None = None
    ref: str = ""
    details: Mapping[str, Json] = field(default_factory=dict)
    seconds: float | None = None


class StepFailed(Exception):
    """The attempt failed.

    Attributes:
        code: Stable, upper snake case.
        message: One sentence for people; never a secret, never an address.
        retryable: Whether trying again can help.
        retry_after_seconds: What the other side asked for, if it did.
        host_failed: Whether the other side is to blame; circuit breakers count such failures.
        details: Plain JSON for programs.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
        host_failed: bool = False,
        details: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.host_failed = host_failed
        self.details = dict(details or {})

    def hide(self, secrets: Collection[str]) -> None:
        """Cut secrets out of what it says; what others sent may be quoted in it."""
        self.message = str(redact_quotes(self.message, secrets))
        self.details = {name: redact_quotes(detail, secrets) for name, detail in self.details.items()}


def expression_failure(error: ExpressionError) -> StepFailed:
    """Say what the failure of an expression means for its step; it names the field of the config, if that is known."""
    return StepFailed(error.code, error.sentence(), details={"field": error.place or None, "position": error.position})


class Defer(Exception):
    """The attempt is put off until a time; that consumes no attempt.

    Attributes:
        until: When to try again.
        reason: What is waited for: ``rate_limit``, ``circuit``, ``budget`` or ``compute``; a waiting run names it.
        details: What else a run's ``waiting_for`` has of it, plain JSON.
    """

    def __init__(self, until: datetime, reason: str, details: Mapping[str, Json] | None = None) -> None:
        super().__init__(reason)
        self.until = until
        self.reason = reason
        self.details = dict(details or {})


class RuntimeContext(Protocol):
    """Resources of the tenant: everything a handler may use of the outside."""

    tenant_id: UUID

    async def http_client(self) -> Any:
        """The tenant's guarded ``httpx.AsyncClient`` (``kernel.egress``); shared, never closed by a handler."""

    async def client(self, ref: str) -> Client:
        """Give a connection to an HTTP API by its name.

        Raises:
            StepFailed: CONNECTION_UNKNOWN, or a connection of another kind.
        """

    async def language_model(self, ref: str) -> LanguageModel:
        """Give a connection to a language model by its name; raises as ``client``."""

    async def prompt(self, template_id: str) -> Prompt:
        """Give a stored prompt, ``name`` or ``name@version``.

        Raises:
            StepFailed: PROMPT_UNKNOWN.
        """

    async def price(self, provider: str, model: str) -> Price | None:
        """Give what a model's tokens cost the tenant now; None where nobody said. Remembered for up to 60 s."""


async def _reserve_nothing(hold: Hold) -> None:
    """Stand in where there is no budget."""


def _stream_nowhere(text: str) -> None:
    """Stand in where nobody follows."""


def _begin_nowhere() -> None:
    """Stand in where nobody follows."""


async def _commit_nothing() -> None:
    """Stand in where there is no journal."""


Found: TypeAlias = Mapping[str, JsonOrText]
"""More names for a piece of work."""
Compute: TypeAlias = "Callable[[str, Mapping[str, Any], Names, Found | None], Awaitable[Json]]"
"""Function for pure work: a name of ``runs.work.functions.FUNCTIONS``, arguments, names, and names that win."""


async def compute_here(function: str, arguments: Mapping[str, Any], names: Names, found: Found | None) -> Json:
    """Stand in where nobody else waits for this thread."""
    made = {
        name: value.read(limit=len(value.text)) if isinstance(value, JsonText) else value
        for name, value in (found or {}).items()
    }
    return FUNCTIONS[function](arguments, with_names(names, made), FuelAccount())


def with_names(names: Names, found: Found | None) -> Names:
    """Give names with some more, which win; no large text is among them."""
    return ChainMap(cast("dict[str, Json]", found), cast("dict[str, Json]", names)) if found else names


@dataclass(slots=True)
class StepCall:
    """One attempt: all a handler needs, and all it gets.

    ``config`` is the step's config with every template rendered; fields marked as expressions are still text.
    ``inputs`` has the value by input port; for a join ``arrivals`` has the gathered values in (edge, item) order.
    ``names`` is the scope for expressions. ``deadline`` is when the attempt or the run is over, by ``time.monotonic``.
    ``reserve`` asks the budgets for room before each call of a model, for what that call may take at most; it raises
    StepFailed BUDGET_EXCEEDED or PRICE_UNKNOWN. What the call took goes into ``usage`` before the next is asked for.
    ``stream`` sends text to whoever follows the run live, best effort; ``begin_text`` says that what follows is another
    text, such as a second answer, and no continuation. ``gates`` is what every call to the outside
    passes; middleware adds to it. ``usage`` is what model calls took so far; it is journalled with the attempt's
    outcome, whatever that is. ``commit`` returns when all that was recorded is committed. ``is_in_doubt``: a call that
    may not be made twice was sent, and its answer has not come; an attempt that ends so is not made again.
    ``routes_errors``: an edge leaves by the step's error port. ``cookies`` are those the run has of connections that
    keep them. ``made``: calls of earlier attempts that are not made twice.
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
    routes_errors: bool = False
    segment_id: str = ""
    type_id: str = ""
    traceparent: str = ""
    arrivals: tuple[Json, ...] = ()
    deadline: float | None = None
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)
    reserve: Callable[[Hold], Awaitable[None]] = field(default=_reserve_nothing)
    stream: Callable[[str], None] = field(default=_stream_nowhere)
    begin_text: Callable[[], None] = field(default=_begin_nowhere)
    gates: "list[Gate]" = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    computing: Compute = field(default=compute_here)
    commit: Callable[[], Awaitable[None]] = field(default=_commit_nothing)
    is_in_doubt: bool = False
    cookies: AttemptCookies = field(default_factory=AttemptCookies)
    made: tuple[RecordedCall, ...] = ()

    async def announce(self, sent: Mapping[str, Json]) -> None:
        """Have the journal hold what is about to be sent, before it is: ``action.started``, committed.

        Args:
            sent: What, redacted and bounded (``runs.step_api.shown_requests``).
        """
        self.record("action.started", dict(sent))
        await self.commit()

    async def evaluate(self, source: str, place: str = "", /, **found: JsonOrText) -> Json:
        """Evaluate an expression; where that takes long, others go on meanwhile.

        Args:
            source: The expression.
            place: The field of the config it stands in, such as ``pagination.next``, for errors.
            found: More names for it, which win over the step's.

        Raises:
            ExpressionError: It has no value.
            StepFailed: COMPUTE_LIMIT.
        """
        return await self.compute("value", {"source": source, "place": place}, found)

    async def compute(self, function: str, arguments: Mapping[str, Any], found: Found | None = None) -> Json:
        """Do a piece of pure work, one of ``runs.work.functions``; raises as ``evaluate``."""
        return await self.computing(function, arguments, self.names, found)

    @property
    def input(self) -> Json:
        """The value of the one connected input port, or the object of all."""
        if len(self.inputs) == 1:
            return next(iter(self.inputs.values()))
        return dict(self.inputs)

    @asynccontextmanager
    async def through_gates(self, endpoint: Endpoint, *, patient: bool = False) -> AsyncIterator[None]:
        """Go through every gate before a call to the outside, and back through them behind it.

        Whatever the call raises passes through the gates, so that they can count it.

        Args:
            endpoint: Where the call goes.
            patient: Wait here while a gate is closed, as long as the attempt has time. For every call but an
                attempt's first: what was done before would be done again by an attempt that was put off, and again,
                for as long as a limit lets the first calls pass and not the last.

        Raises:
            Defer: A gate is closed for now.
        """
        while True:
            is_open = False
            try:
                async with AsyncExitStack() as stack:
                    for gate in self.gates:
                        await stack.enter_async_context(gate(self, endpoint))
                    is_open = True
                    yield
            except Defer as closed:
                if is_open or not patient:
                    raise
                await self._wait_for(closed)
            else:
                return

    @deprecated("Call `through_gates`.")
    def outside(self, endpoint: Endpoint, *, patient: bool = False) -> AbstractAsyncContextManager[None]:
        """Do as `through_gates`, by its name of before, which packages may still use."""
        return self.through_gates(endpoint, patient=patient)

    async def _wait_for(self, closed: Defer) -> None:
        seconds = max(MIN_WAIT_SECONDS, (closed.until - utc_now()).total_seconds())
        if self.deadline is not None and time.monotonic() + seconds >= self.deadline:
            raise closed
        await asyncio.sleep(seconds)


Gate: TypeAlias = Callable[[StepCall, Endpoint], AbstractAsyncContextManager[None]]
"""Context that every call to the outside passes: a limit, a circuit breaker."""

Next: TypeAlias = "Callable[[StepCall], Awaitable[Emit | Wait]]"
Middleware: TypeAlias = "Callable[[StepCall, Next], Awaitable[Emit | Wait]]"
"""Wraps each attempt; docs/howto/middleware.md has the order.

It may have ``wants(step_type) -> bool``, asked once for each step of a segment: where that is False, the link is left
out. It may have ``async aclose()``, called when the host has ended.
"""


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
        """Clean up after an attempt that was cancelled, also one that waits. May be called more than once."""

    async def look(self, call: StepCall) -> datetime | Emit | None:
        """Look at an activation that waits, because its time has come.

        May be called more than once for one time.

        Returns:
            When to look again, None: not before there is an answer; or what leaves by which port now.

        Raises:
            StepFailed: The step has failed; anything else raised has it looked at again.
        """
        return None


__all__ = [
    "Budget",
    "Client",
    "Defer",
    "Effect",
    "Emit",
    "Endpoint",
    "ExpressionText",
    "Gate",
    "Hold",
    "LanguageModel",
    "Middleware",
    "Next",
    "Port",
    "Price",
    "Prompt",
    "RuntimeContext",
    "StepCall",
    "StepConfig",
    "StepFailed",
    "StepHandler",
    "StepType",
    "Usage",
    "Wait",
]
