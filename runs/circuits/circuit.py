"""Circuit breaker of one host: the queue in which the calls of this process wait to be let through."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from runs.circuits.protocol import BreakerReply, BreakerRequest, BreakerRules, BreakerVerdict, CallOutcome

FREE_SECONDS: Final = 0.1
"""Time for which a host all calls may go to is not asked about again, and for which successes are kept to be told."""
POLL_SECONDS: Final = 0.1
"""Pause between two looks of those who wait whether another worker has learned something."""
SILENCE_SECONDS: Final = 0.4
"""Time calls to a host that answers slowly wait for others; without a failure by then they go."""
MAX_NAMED: Final = 64
PROBED_SECONDS: Final = 1.0
"""Time after which those come back whose patience ends while a probe is under way."""

Ask = Callable[[BreakerRequest], Awaitable[BreakerReply]]


class CircuitOpen(Exception):
    """The breaker lets nothing through before ``seconds`` are over; ``why`` says how the last call failed."""

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(f"open for {seconds:.1f} s")
        self.seconds = seconds
        self.why = why


class CircuitBusy(Exception):
    """Others find out now whether a host nobody knows is well, and that takes longer than the caller would wait."""


@dataclass(slots=True)
class Permit:
    """A call that was let through; ``call_id`` is None where nobody counts it."""

    call_id: str | None = None


@dataclass(slots=True)
class _WaitingCall:
    """A call that waits; ``goes_at`` is when it goes if nothing has failed until then, by the loop's clock."""

    permit: asyncio.Future[Permit]
    goes_at: float


@dataclass(slots=True)
class _Ended:
    """Calls that ended since the last request."""

    succeeded: int = 0
    failed: int = 0
    settled: list[tuple[str, CallOutcome]] = field(default_factory=list)
    why: str = ""

    def __bool__(self) -> bool:
        return bool(self.succeeded or self.failed or self.settled)


class Circuit:
    """One tenant's breaker for one host.

    Takes turns with whoever keeps the state: one at a time, each telling what ended and asking for all who wait, so
    that many calls at once cost few turns. While calls it counts are in flight it says so, before their lease is over.

    Args:
        rules: The breaker's.
        ask: Sends a request to where the state is kept now.
        name: Unique among all processes.
        opened: Called each time this process opened the breaker.
    """

    def __init__(self, rules: BreakerRules, ask: Ask, *, name: str, opened: Callable[[], None]) -> None:
        self._rules = rules
        self._ask = ask
        self._name = name
        self._opened = opened
        self._numbers = count()
        self._waiting: deque[_WaitingCall] = deque()
        self._alive: set[str] = set()
        self._ended = _Ended()
        self._free_until = 0.0
        self._probed: CircuitOpen | None = None
        self._sending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when this object is."""
        is_quiet = self._sending is None or self._sending.done()
        return is_quiet and not (self._waiting or self._alive or self._ended)

    async def enter(self, *, patience_seconds: float, answers_slowly: bool = False) -> Permit:
        """Wait until a call may begin. Every passage is given to ``leave`` exactly once.

        Args:
            patience_seconds: How long to wait at most.
            answers_slowly: Whether the host's silence says nothing about it.

        Raises:
            CircuitOpen: The breaker is open, or has been and others still find out whether it may close.
            CircuitBusy: Patience is over.
        """
        if time.monotonic() < self._free_until:
            return Permit()
        loop = asyncio.get_running_loop()
        permit: asyncio.Future[Permit] = loop.create_future()
        self._waiting.append(_WaitingCall(permit, loop.time() + SILENCE_SECONDS if answers_slowly else float("inf")))
        self._go_on()
        try:
            async with asyncio.timeout(patience_seconds):
                return await permit
        except BaseException as error:
            if permit.done() and not permit.cancelled() and permit.exception() is None:
                self.leave(permit.result(), CallOutcome.NONE)
            if isinstance(error, TimeoutError):
                raise self._probed or CircuitBusy from None
            raise

    def leave(self, permit: Permit, outcome: CallOutcome, why: str = "") -> None:
        """Tell how a call ended, and why it failed."""
        self._ended.why = why or self._ended.why
        if permit.call_id is not None:
            self._alive.discard(permit.call_id)
            self._ended.settled.append((permit.call_id, outcome))
        elif outcome is CallOutcome.FAILED:
            self._ended.failed += 1
            self._free_until = 0.0
        elif outcome is CallOutcome.SUCCEEDED:
            self._ended.succeeded += 1
            if not self._waiting:
                self._wake_in(FREE_SECONDS)
                return
        else:
            return
        self._go_on()

    async def close(self) -> None:
        """Tell what is left to tell."""
        if self._ended:
            self._go_on()
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)
        self._stop_timer()

    def _go_on(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_requests(), name="circuit")

    async def _send_requests(self) -> None:
        """Take turns until there is nothing more to tell or to ask for."""
        is_first, asked = True, 0
        while is_first or self._ended or len(self._waiting) > asked:
            is_first = False
            while self._waiting and self._waiting[0].permit.done():
                self._waiting.popleft()
            request = self._next_request()
            answer = await self._ask(request)
            if answer.opened:
                self._opened()
            self._hand_out(request, answer)
            asked = len(self._waiting)
        self._stop_timer()
        if self._waiting:
            self._wake_in(POLL_SECONDS)
        elif self._alive:
            self._wake_in(self._rules.lease_seconds / 3)

    def _next_request(self) -> BreakerRequest:
        ended, self._ended = self._ended, _Ended()
        wanted = len(self._waiting)
        ids = tuple(f"{self._name}-{next(self._numbers)}" for _ in range(min(wanted, MAX_NAMED)))
        return BreakerRequest(
            ended.succeeded, ended.failed, tuple(ended.settled), tuple(self._alive), wanted, ids, ended.why
        )

    def _hand_out(self, request: BreakerRequest, answer: BreakerReply) -> None:
        is_probed = answer.verdict in (BreakerVerdict.PROBE, BreakerVerdict.PROBED)
        self._probed = CircuitOpen(PROBED_SECONDS, answer.why) if is_probed else None
        if answer.verdict is BreakerVerdict.FREE:
            self._free_until = time.monotonic() + FREE_SECONDS
            while self._waiting:
                self._let_through(Permit())
        elif answer.verdict is BreakerVerdict.OPEN:
            self._turn_away(answer.wait_ms / 1000, answer.why)
        elif answer.verdict is not BreakerVerdict.PROBED:
            for call_id in request.ids[: answer.granted]:
                if not self._let_through(Permit(call_id)):
                    self._ended.settled.append((call_id, CallOutcome.NONE))
        if answer.verdict is BreakerVerdict.COUNTED and not answer.failed:
            self._let_the_patient_through()

    def _turn_away(self, seconds: float, why: str) -> None:
        while self._waiting:
            permit = self._waiting.popleft().permit
            if not permit.done():
                permit.set_exception(CircuitOpen(seconds, why))

    def _let_the_patient_through(self) -> None:
        """Let those go who have waited for the first to be answered, where that takes time when all is well."""
        now = asyncio.get_running_loop().time()
        for waiting in self._waiting:
            if waiting.goes_at <= now and not waiting.permit.done():
                waiting.permit.set_result(Permit())
        self._waiting = deque(waiting for waiting in self._waiting if not waiting.permit.done())

    def _let_through(self, permit: Permit) -> bool:
        """Let the first of those who still wait through."""
        while self._waiting:
            waiting = self._waiting.popleft().permit
            if not waiting.done():
                if permit.call_id is not None:
                    self._alive.add(permit.call_id)
                waiting.set_result(permit)
                return True
        return False

    def _wake_in(self, seconds: float) -> None:
        """Send a request after a while, or sooner if that was planned already."""
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timer.when() > loop.time() + seconds:
            self._stop_timer()
            self._timer = loop.call_later(seconds, self._go_on)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
