"""One attempt of a step: its call, its time limit, and its outcome, whatever the handler does."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, cast

from foundation.platform_faults import DATABASE, platform_fault
from kernel.clock import utc_now
from kernel.errors import LlmteamError, sentences
from kernel.json_text import JsonText
from kernel.types import Json
from kernel.values import normalise
from runs.bus.deltas import Delta, TextStream
from runs.core import Scope, emit_ports, route
from runs.core.routing import Routing, within
from runs.core.scope import CONDITIONS, EdgeScope
from runs.core.state import Activation
from runs.engine.compute import compute
from runs.engine.errors import LeaseLost, RunRefused
from runs.engine.plans import ReadyStep
from runs.engine.run.outcomes import Outcome, PlatformFault, Succeeded, TooLargeHere, conditions_of, storable_ports
from runs.engine.store.claimed import Claimed
from runs.models.wait_kinds import PLATFORM
from runs.step_api.answer_checks import checked_failure, normalised_ports
from runs.step_api.base import (
    IN_DOUBT,
    Defer,
    Emit,
    Found,
    Hold,
    RuntimeContext,
    StepCall,
    StepFailed,
    Wait,
    expression_failure,
    with_names,
)
from runs.step_api.cookies import AttemptCookies
from runs.step_api.recorded_calls import RecordedCall
from runs.usage.amounts import record_of
from runs.work.errors import read_error
from runs.work.functions import FUNCTIONS, WHAT
from segments.catalog import Effect
from segments.definition.config import read_config, text_kinds
from segments.expressions import AccountEmpty, ExpressionError, FuelAccount, Names
from segments.plan import PlanEdge

log = logging.getLogger(__name__)

Done = TypeVar("Done")
UNLIMITED: Final = nullcontext()
ANSWER_UNITS: Final = 20_000
"""Fuel for the conditions behind an answer from outside, which is recorded at once."""


class EarlierFacts(NamedTuple):
    """Journal facts that earlier attempts of an activation left."""

    cookies: AttemptCookies
    made: tuple[RecordedCall, ...]


class Attempt:
    """One try of one activation. ``execute`` answers with an outcome and never raises, save when cancelled."""

    __slots__ = (
        "_account",
        "_answer",
        "_calls",
        "_claimed",
        "_commit",
        "_context",
        "_deadline",
        "_is_committing",
        "_known",
        "_record",
        "_reserve",
        "_texts",
        "_usage",
        "_waits_here",
        "call",
        "cancelled",
        "key",
        "number",
        "scope",
        "step",
        "task",
    )

    def __init__(
        self,
        *,
        claimed: Claimed,
        activation: Activation,
        step: ReadyStep,
        scope: Scope,
        deadline: float,
        context: RuntimeContext,
        publish: Callable[[Delta], None],
        record: Callable[["Attempt", str, Mapping[str, Json]], None],
        reserve: Callable[["Attempt", Hold], Awaitable[None]],
        commit: Callable[[], Awaitable[None]],
        known: EarlierFacts,
        account: FuelAccount,
    ) -> None:
        self.key = activation.step_id, activation.activation
        self.number = activation.attempt
        self.step = step
        self.scope = scope
        self.call: StepCall | None = None
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False
        self._claimed = claimed
        self._context = context
        self._record = record
        self._reserve = reserve
        self._commit = commit
        self._known = known
        self._is_committing = False
        self._deadline = deadline
        self._calls = 0
        self._texts = TextStream(publish, (claimed.run_id, *self.key, self.number), begun_seq=activation.started_seq)
        self._account = account
        self._waits_here = step.plan_step.effect is Effect.PURE
        self._answer: Emit | Wait | None = None
        self._usage: list[dict[str, Json]] = []

    async def execute(self) -> Outcome:
        """Call the handler within the step's time, and make its answer ready to be recorded.

        A pure attempt whose work is more than its account allows is put off as ``TooLargeHere``; executed again, it
        does that work in the compute pool, and keeps nobody from the event loop.
        """
        seconds = self.step.plan_step.timeout_seconds
        limit = UNLIMITED if seconds is None else asyncio.timeout(seconds)
        try:
            async with limit:
                if self._answer is None:
                    answered = await self.step.run(await self.prepare())
                    self.step.check_answer(answered)
                    self._answer = answered
                answer = self._answer
                return answer if isinstance(answer, Wait) else await self._completed(answer)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.cancelled or (task is not None and task.cancelling()):
                raise
            return self._crashed()
        except Defer as deferred:
            self._waits_here = False
            return deferred
        except (Exception, SystemExit) as error:
            part = None if isinstance(error, StepFailed) else platform_fault(error)
            is_late = isinstance(limit, asyncio.Timeout) and limit.expired()
            part = DATABASE if is_late and self._is_committing else part
            if part is not None:
                return self._platform_fault(part, error)
            return self._failure(error, is_late=is_late)

    @property
    def usage(self) -> list[dict[str, Json]]:
        """Usage of this attempt's model calls so far, as the journal has it."""
        return self._usage if self.call is None else [record_of(used) for used in self.call.usage]

    def answer(self, ports: Mapping[str, Json]) -> Outcome:
        """Say at once what an answer from outside comes to, as ``execute`` does of the handler's own.

        The conditions of its edges may take no more than fits between others' turns.
        """
        try:
            emitted = emit_ports(self.step.plan_step, normalised_ports(ports))
            return self._succeeded(emitted, self._route_here(emitted, FuelAccount(ANSWER_UNITS)))
        except AccountEmpty:
            return StepFailed("COMPUTE_LIMIT", f"{WHAT['conditions']} too much for an answer from outside.")
        except Exception as error:
            return self._failure(error, is_late=False)

    async def look(self) -> datetime | Emit | None:
        """Let the handler look at an activation that waits.

        Raises:
            Exception: Whatever the handler raises.
        """
        self._waits_here = False
        found = await self.step.handler.look(await self.prepare())
        if isinstance(found, Emit):
            self.step.check_answer(found)
        return found

    def forget(self) -> None:
        """Let go of what was called and answered; what the call took stays known."""
        self._usage = self.usage
        self.call = self._answer = None

    async def abandon(self) -> None:
        """Let the handler clean up after a cancelled attempt; what it raises is logged."""
        if self.call is None:
            return
        try:
            await self.step.handler.abandon(self.call)
        except Exception:
            log.exception("step type %s failed to abandon an attempt", self.step.plan_step.type_id)

    async def prepare(self) -> StepCall:
        """Make the call for the handler: its config filled in, its inputs read.

        Raises:
            ExpressionError: A template has no value.
            ConfigInvalid: The filled-in config does not fit.
            StepFailed: COMPUTE_LIMIT.
            Defer: As for ``execute``.
        """
        step = self.step.plan_step
        scope = self.scope
        scope.works = 0
        step_type = self.step.handler.step_type
        config: Any = step.config
        if self.step.has_templates:
            config = await self._compute(
                "config", {"kinds": text_kinds(step_type.config), "config": config}, scope, None
            )
        self.call = StepCall(
            run_id=self._claimed.run_id,
            step_id=self.key[0],
            type_id=step.type_id,
            activation=self.key[1],
            attempt=self.number,
            config=read_config(step_type, config),
            inputs=scope.inputs,
            names=scope,
            context=self._context,
            next_key=self._next_key,
            record=self._record_action,
            reserve=partial(self._reserve, self),
            stream=self._stream,
            begin_text=self._texts.begin,
            log=logging.LoggerAdapter(log, {"run": scope.run_id, "step": step.step_id}),
            output_ports=self.step.output_ports,
            routes_errors=self.step.routes_errors,
            deadline=self._deadline,
            segment_id=self._claimed.segment_id,
            traceparent=self._claimed.traceparent,
            arrivals=_arrivals(scope.inputs) if step.join is not None else (),
            computing=self._compute,
            commit=self._commit_all,
            cookies=self._known.cookies,
            made=self._known.made,
        )
        return self.call

    async def _commit_all(self) -> None:
        """Wait until all that was recorded is committed; no call is made by an owner that has lost the run."""
        self._is_committing = True
        try:
            await self._commit()
        except (LeaseLost, RunRefused) as error:
            raise Defer(utc_now(), PLATFORM) from error
        self._is_committing = False

    async def _compute(self, function: str, arguments: Mapping[str, Any], names: Names, found: Found | None) -> Json:
        """Do pure work here while the account lasts, then in the compute pool; what names a large text, only there.

        Raises:
            TooLargeHere: Who executes this attempt waits for it in the event loop.
            StepFailed: COMPUTE_LIMIT.
        """
        self._account.draws = draws = self.scope.draws(function)
        if not (found and any(isinstance(value, JsonText) for value in found.values())):
            try:
                return self._do_here(
                    function, lambda: FUNCTIONS[function](arguments, with_names(names, found), self._account)
                )
            except AccountEmpty:
                self._account.left = 0
        if self._waits_here:
            raise TooLargeHere
        return await compute(self._claimed.tenant_id, function, arguments, self.scope, found, draws=draws)

    def _do_here(self, function: str, work: Callable[[], Done]) -> Done:
        """Do pure work in the event loop.

        Raises:
            AccountEmpty: It is too large for that, or was so lately.
        """
        backoff = self.step.inline[function]
        if self._account.left <= 0 or not backoff.is_tried():
            raise AccountEmpty
        try:
            done = work()
        except AccountEmpty:
            if self._account.left < 0:  # else it was the account of the round
                backoff.was_too_large()
            raise
        backoff.fitted()
        return done

    def _next_key(self) -> str:
        """Return the same key for the same ordinal in every attempt of this activation, by whatever host."""
        self._calls += 1
        return hashlib.sha256(f"{self._claimed.run_id}|{self.key[0]}|{self.key[1]}|{self._calls}".encode()).hexdigest()

    def _stream(self, text: str) -> None:
        """Let whoever follows the run live see a piece of text; half a surrogate pair shows as ``?``."""
        if text and not self.cancelled:
            self._texts.add(text.encode(errors="replace").decode())

    def _record_action(self, event_type: str, payload: MutableMapping[str, Json]) -> None:
        if not self.cancelled:
            self._record(self, event_type, payload)

    async def _completed(self, answer: Emit) -> Succeeded:
        step = self.step.plan_step
        ports = emit_ports(step, storable_ports(answer, nests=bool(step.points)))
        routing = await self._routing(ports) if self.step.has_conditions else route(step, ports, self.scope)
        items = answer.items
        if items is not None and not answer.is_normal:
            items = cast("list[Json]", normalise(items, big_integers="text"))
        return self._succeeded(ports, routing, items)

    async def _routing(self, ports: Mapping[str, Json]) -> Routing:
        """Choose the edges, by conditions."""
        try:
            return self._do_here("conditions", lambda: self._route_here(ports, self._account))
        except AccountEmpty:
            return await self._route_elsewhere(ports)

    def _route_here(self, ports: Mapping[str, Json], account: FuelAccount) -> Routing:
        """Choose the edges; raises AccountEmpty where their conditions take more than an account has."""
        if not self.step.has_conditions:
            return route(self.step.plan_step, ports, self.scope)
        account.draws = self.scope.draws(CONDITIONS)
        return route(self.step.plan_step, ports, self.scope, within(account))

    async def _route_elsewhere(self, ports: Mapping[str, Json]) -> Routing:
        self._account.left = 0
        decided: Any = await self._compute(CONDITIONS, conditions_of(self.step.plan_step, ports), self.scope, None)

        def holds(edge: PlanEdge, _names: EdgeScope) -> object:
            found = decided[str(edge.index)]
            if isinstance(found, dict):
                raise read_error(found)
            return found

        return route(self.step.plan_step, ports, self.scope, holds)

    def _succeeded(self, ports: dict[str, Json], routing: Routing, items: list[Json] | None = None) -> Succeeded:
        edges: list[Json] = list(routing.edges)
        payload: dict[str, Json] = {"ports": ports, "edges": edges}
        if len(set(map(id, ports.values()))) == 1:
            payload = {"ports": list(ports), "value": next(iter(ports.values())), "edges": edges}
        if routing.failed is not None:
            payload["edge_error"] = routing.edge_error(self.key[1])
        if items is not None:
            payload["items"] = items
        return Succeeded(payload)

    def _failure(self, error: BaseException, *, is_late: bool) -> StepFailed:
        """Say what an exception means for the step."""
        if isinstance(error, StepFailed):
            return checked_failure(self.step.handler.step_type, error)
        if isinstance(error, ExpressionError):
            return expression_failure(error)
        if isinstance(error, LlmteamError):
            return StepFailed(error.code, error.detail or error.title)
        if isinstance(error, TimeoutError) and is_late:
            return self._timed_out(f"The attempt took longer than {self.step.plan_step.timeout_seconds:g} s.")
        return self._crashed()

    def _timed_out(self, message: str) -> StepFailed:
        is_in_doubt = self.call is not None and self.call.is_in_doubt
        message = sentences(message, IN_DOUBT) if is_in_doubt else message
        return StepFailed("STEP_TIMED_OUT", message, retryable=not is_in_doubt)

    def _platform_fault(self, part: str, error: BaseException) -> PlatformFault:
        """Tell operators; people are told that the platform is waited for."""
        log.error(
            "run %s, step %s is put off, for the platform's %s: %r", self._claimed.run_id, self.key[0], part, error
        )
        return PlatformFault(part, may_have_called=self._calls > 0)

    def _crashed(self) -> StepFailed:
        """Log what was being handled; people are told no internals."""
        type_id = self.step.plan_step.type_id
        log.exception("step type %s raised an unexpected error", type_id)  # noqa: LOG004 - called while handling it
        return StepFailed("STEP_CRASHED", f"The step type {type_id} raised an unexpected error.")


def _arrivals(inputs: Mapping[str, Json]) -> tuple[Json, ...]:
    return tuple(value for gathered in inputs.values() if isinstance(gathered, list) for value in gathered)
