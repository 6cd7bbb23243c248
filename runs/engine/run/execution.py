"""Execution of one run on its host: executes the core's commands, records events, releases the run at its end."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from functools import partial

from kernel.values import ValueTooLarge
from runs.core import Command, Complete, EventType, Fail, Reject, RunFacts, Scope, Skip, Start, State, decide, new_state
from runs.core.state import ActivationKey
from runs.engine.journal.journal import Closing, Journal
from runs.engine.loop_scheduler import INLINE_UNITS, ROUND_UNITS
from runs.engine.plans import ReadyPlan
from runs.engine.run import run_endings
from runs.engine.run.alarm import Alarm
from runs.engine.run.attempts import Attempt, EarlierFacts
from runs.engine.run.completion import complete
from runs.engine.run.in_flight import AttemptsInFlight
from runs.engine.run.outcomes import Outcome, PlatformFault, Succeeded, TooLargeHere
from runs.engine.run.parked import ParkedSteps
from runs.engine.run.pending_commands import command_words
from runs.engine.run.recorder import RunRecorder
from runs.engine.run.recovery import LOST, RecoveryAction, recovery_actions
from runs.engine.run.skips import Skips
from runs.engine.run.spending import Spending
from runs.engine.services import HostServices
from runs.engine.store import journals
from runs.engine.store.claimed import Claimed, ClaimPurpose
from runs.models import RunStatus
from runs.models.wait_kinds import CALL
from runs.resuming.links import resume_url
from runs.step_api.base import Defer, StepFailed, Wait
from segments.catalog import Effect
from segments.expressions import FuelAccount
from segments.plan import OnUnknown

MIN_DEFER_SECONDS = 0.05
"""Least time for which an attempt is put off, however far a worker's clock is behind the database's."""
_DONE = object()


class Execution:
    """Drives one run from its journal to its end, or until it is given up.

    Holds no rule of the workflow: ``decide`` says what to do, ``apply`` what it means. Every external attempt waits
    until its ``step.started`` is committed; pure ones run at once, in between.
    """

    def __init__(self, claimed: Claimed, ready: ReadyPlan, journal: Journal, around: HostServices) -> None:
        facts = RunFacts(str(claimed.run_id), claimed.started_at, claimed.tenant_slug)
        self.state: State = new_state(ready.plan, facts)
        self._claimed = claimed
        self._resume_url = partial(resume_url, claimed.tenant_id, claimed.run_id)
        self._ready = ready
        self._journal = journal
        self._around = around
        self._draining = False
        self._signalled = claimed.signals_pending
        self._offered: list[ActivationKey] = []
        self._spending = Spending(journal, around.pricing, around.reservations)
        self._recorder = RunRecorder(journal, self.state, self._spending)
        self._orders, self._record = self._recorder.orders, self._recorder.record
        self._parked = ParkedSteps(self._recorder, journal, self._attempt, self._settle_in_pieces, around.clock.now)
        self._recovered = False
        self._wake = asyncio.Event()
        self._alarm = Alarm(self._wake.set)
        self._context = around.contexts.get(claimed.tenant_id)
        self._commit = partial(around.writer.commit, journal)
        self._scheduler = around.scheduler
        self._in_flight = AttemptsInFlight(self._wake.set, around.scheduler, claimed.tenant_id)
        self._skips = Skips(self._recorder, self._in_flight, self._parked, around.in_background)
        self._round = FuelAccount(ROUND_UNITS)
        journal.notify = self._wake.set

    def signal(self) -> None:
        """Say that the inbox may hold something."""
        self._signalled = True
        self._wake.set()

    def drain(self) -> None:
        """Start nothing more; give the run up when the attempts in flight have ended."""
        self._draining = True
        self._wake.set()

    def shed(self) -> None:
        """Give the run up as ``drain`` does, and drop the pure work in flight: the next owner does it again."""
        self._in_flight.cancel_pure()
        self.drain()

    def cut_short(self) -> None:
        """Stop the attempts in flight; they are recorded as to be tried again, at no cost.

        What may not simply be tried again is left without an outcome: the next owner does as the step says.
        """
        for attempt in self._in_flight:
            self._in_flight.cancel(attempt)
            if attempt.step.plan_step.on_unknown is OnUnknown.RETRY:
                now = self._around.clock.now()
                self._recorder.try_again(attempt.key, reason="shutdown", at=now, consumed=False, usage=attempt.usage)
        self._wake.set()

    def abort(self) -> None:
        """Drop everything without recording it: the run is not ours any more, or will never go on."""
        for attempt in self._in_flight:
            self._in_flight.cancel(attempt)
        self._alarm.cancel()
        self._spending.close()
        self.state.forget()
        self._parked.let_go()

    async def run(self) -> None:
        """Execute until the run is over or given up.

        Raises:
            LeaseLost: It belongs to somebody else.
            RunRefused: Postgres refuses what it recorded.
        """
        await self._fold()
        self._signalled = self._signalled or self._orders.is_paused or self._recorder.waits.has(CALL)
        if self._signalled and await self._read_inbox():
            return
        while not await self._go_on():
            pass

    async def _go_on(self) -> bool:
        """Do one round; return whether the run was given up."""
        if self._journal.trouble is not None:
            raise self._journal.trouble
        if await self._hear():
            return True
        if self._around.clock.now() >= self._claimed.deadline_at:
            return await self._time_out()
        await self._take_outcomes()
        if not self._recovered and not self._orders.is_pausing:
            self._recovered = True
            if await self._recover():
                return True
        commands = self._decide()
        if commands:
            return await self._carry_out(commands)
        return await (self._launch() if self._in_flight.wait_for_launch else self._rest())

    async def _launch(self) -> bool:
        """Let the attempts begin whose starts were recorded, then rest unless something has come up meanwhile."""
        await self._around.writer.commit(self._journal)
        await self._in_flight.launch()
        return False if self._wake.is_set() else await self._rest()

    async def _hear(self) -> bool:
        """Have what is parked looked at in its time, and read the inbox; return whether the run was given up.

        Of a call and the end of its time the first wins: while the run's row is locked nobody takes a call, and behind
        its time nobody does.
        """
        waits, now = self._recorder.waits, self._around.clock.now()
        due = waits.to_look_at(now)
        if due and any(waits.kind(key) == CALL for key in due):
            now = await self._around.ask(partial(journals.lock_run_and_read_time, run_id=self._claimed.run_id))
            if await self._read_inbox():
                return True
            due = waits.to_look_at(now)
        for key in due:
            if key not in self.state.to_cancel:
                await self._parked.look(key)
            self._signalled = True
        return self._signalled and await self._read_inbox()

    def _decide(self) -> list[Command]:
        """Ask the core; nothing is begun while the run is to be given away or paused."""
        self._offered = self._recorder.waits.due(self._around.clock.now())
        if self._draining:
            return []
        commands = decide(self.state, self._offered)
        if self._orders.is_pausing:
            return [command for command in commands if not isinstance(command, Start | Reject)]
        return commands

    async def _fold(self) -> None:
        """Read what earlier owners recorded; begin the journal where there is none."""
        if not self._claimed.last_seq:
            self._record(EventType.SEGMENT_STARTED, run_endings.begun(self._claimed.input_text))
            return
        self._journal.hold(-self._journal.held)
        async for row in self._around.recorded(self._claimed.run_id, last_seq=self._claimed.last_seq):
            await self._do(self._recorder.fold(row))

    async def _recover(self) -> bool:
        """Settle the attempts an earlier owner left without an outcome; return whether the run was given up."""
        unknown: list[ActivationKey] = []
        for key, action in recovery_actions(self.state, answered_seq=self._orders.answered_seq):
            if self._in_flight.get(key) is not None:
                pass  # it is in flight here, so nothing is lost
            elif action is RecoveryAction.EXECUTE:
                await self._execute_all([self._attempt(key)])
            elif action is RecoveryAction.TRY_AGAIN:
                self._recorder.try_again(key, reason="owner_lost", at=self._around.clock.now(), consumed=False)
            elif action is RecoveryAction.FAIL:
                self._recorder.give_failed(key, StepFailed("OWNER_LOST", LOST))
            else:
                unknown.append(key)
        while unknown:
            if await self._close(run_endings.unknown(self._journal, unknown)) or await self._read_inbox():
                return True
        return False

    async def _carry_out(self, commands: Sequence[Command]) -> bool:
        """Record every command's event, then execute what is pure; return whether the run was given up.

        Of attempts to be launched alone the core has no more to say until one has an outcome: they begin at once.
        """
        pure: list[Attempt] = []
        launches = 0
        self._round.left = ROUND_UNITS
        for command in commands:
            if isinstance(command, Complete | Fail):
                return await self._end(command)
            if isinstance(command, Skip):
                await self._skips.skip(command)
            else:
                launches += self._begin(command, pure)
            if self._scheduler.are_over(time.monotonic()):
                await self._scheduler.wait(self._claimed.tenant_id)
        await self._execute_all(pure)
        if self._journal.is_full:
            await self._around.writer.commit(self._journal)
        return launches == len(commands) and await self._launch()

    def _begin(self, command: Start | Reject, pure: list[Attempt]) -> bool:
        """Record a start, or that a step fails by rule; return whether an attempt is to be launched.

        What is pure is executed with the others of its round, the rest after the next commit. Once the run is to be
        given away nothing begins.
        """
        if self._draining:
            return False
        key = command.step_id, command.activation
        if isinstance(command, Reject):
            self._record(EventType.STEP_FAILED, command.payload, key, command.attempt)
            return False
        self._record(EventType.STEP_STARTED, {"inputs": dict(command.inputs)}, key, command.attempt)
        attempt = self._attempt(key)
        if attempt.step.plan_step.effect is Effect.PURE:
            pure.append(attempt)
            return False
        self._in_flight.add(attempt)
        return True

    async def _execute_all(self, pure: Sequence[Attempt]) -> None:
        """Execute pure attempts; once the run is to be given away, the next owner executes those that are left."""
        for attempt in pure:
            if self._draining:
                return
            if attempt.key not in self.state.to_cancel:
                await self._execute_pure(attempt)
            if self._journal.is_large:
                await self._around.writer.commit(self._journal)

    async def _execute_pure(self, attempt: Attempt) -> None:
        """Execute an attempt here, or where its work is too large for that, beside everything else."""
        began = time.monotonic()
        outcome = await attempt.execute()
        if isinstance(outcome, TooLargeHere):
            self._in_flight.launch_now(attempt)
            await self._do(iter(()), attempt.key[0], began)
        else:
            await self._do(self._settle_in_pieces(attempt, outcome), attempt.key[0], began)
            attempt.forget()

    async def _do(self, pieces: Iterator[None], step_id: str | None = None, began: float | None = None) -> None:
        """Do pieces of work, the first of which has ``began`` before; where a slice is over, wait for the next turn."""
        began = time.monotonic() if began is None else began
        is_done = False
        while not is_done:
            is_done = next(pieces, _DONE) is _DONE
            now = time.monotonic()
            self._around.watchdog.note(self._claimed.tenant_id, self._claimed.run_id, step_id, now - began)
            if self._scheduler.are_over(now):
                await self._scheduler.wait(self._claimed.tenant_id)
                now = time.monotonic()
            began = now

    async def _rest(self) -> bool:
        """Wait for whatever comes next; give the run back when that is far away."""
        now = self._around.clock.now()
        if not self._in_flight:
            if self._draining:
                return await self._close(run_endings.released(now=now))
            if self._orders.is_pausing:
                words = command_words(self._orders.pause) if self._orders.pause else None
                return await self._close(run_endings.paused(self._journal, words, waits=self._recorder.waits))
            if not self._recorder.waits:
                raise RuntimeError("the core has nothing to do and has not ended the run")
            if self._recorder.waits.give_the_host_back(now):
                deadline_at = self._claimed.deadline_at
                return await self._close(run_endings.parked(waits=self._recorder.waits, deadline_at=deadline_at))
        if self._journal.rows:
            self._around.writer.submit(self._journal)
        # A retry that is due already waits for something else than time.
        until = min(self._claimed.deadline_at, self._recorder.waits.next_time(without=self._offered))
        self._alarm.set(self._around.clock.steady(until))
        await self._wake.wait()
        self._wake.clear()
        if self._scheduler.must_wait(self._claimed.tenant_id):
            await self._scheduler.wait(self._claimed.tenant_id)
        return False

    async def _read_inbox(self) -> bool:
        """Apply the commands that wait; return whether the run was given up."""
        self._signalled = False
        orders, run_id = self._orders, self._claimed.run_id
        if self._recorder.waits.has(CALL):
            # Whoever calls before this is committed leaves no sign, as the run may never come to wait for it.
            await self._around.writer.commit(self._journal)
        orders.receive(await self._around.ask(lambda connection: journals.read_inbox(connection, run_id)))
        if orders.cancel is not None:
            await self._skips.skip_all("cancelled")
            reason = command_words(orders.cancel)["reason"]
            return await self._close(run_endings.cancelled(self._journal, reason=reason, signal_ids=orders.held))
        self._parked.hear()
        now = self._around.clock.now()
        if self._claimed.purpose is ClaimPurpose.COMMAND and self._journal.taken and self._recorder.has_work(now):
            # It was claimed past its tenant's cap; to go on it needs a slot like any other.
            return await self._close(run_endings.released(now=now, status=RunStatus.QUEUED))
        return False

    async def _time_out(self) -> bool:
        waiting_for = list(self._recorder.waits.describe())
        await self._skips.skip_all("timed_out")
        error = run_endings.timed_out(self._claimed.timeout_seconds, waiting_for)
        return await self._close(run_endings.failed(self._journal, error, status=RunStatus.TIMED_OUT))

    async def _end(self, command: Complete | Fail) -> bool:
        if isinstance(command, Fail):
            return await self._close(run_endings.failed(self._journal, command.error))
        return await self._close(await complete(self._journal, self._ready, command.output, self.state.edge_errors))

    async def _close(self, closing: Closing) -> bool:
        if closing.row is not None:
            closing.signal_ids = self._orders.held
        closing.leaves = self._parked.unrecorded
        self._signalled = not await self._around.writer.close(self._journal, closing)
        if closing.over and not self._signalled:
            run_endings.trace_end(self._claimed, closing)
        return not self._signalled

    def _attempt(self, key: ActivationKey) -> Attempt:
        activation = self.state.active[key]
        step = self._ready.steps[key[0]]
        seconds_left = self._claimed.deadline_at - self._around.clock.now()
        return Attempt(
            claimed=self._claimed,
            activation=activation,
            step=step,
            scope=Scope(self.state, activation.token, activation, resume_url=self._resume_url),
            deadline=time.monotonic() + min(seconds_left, step.plan_step.timeout_seconds or seconds_left),
            context=self._context,
            publish=self._around.deltas.publish,
            record=self._recorder.record_action,
            reserve=self._spending.reserve,
            known=EarlierFacts(self._recorder.cookies.begin(), self._recorder.made.of(key)),
            commit=self._commit,
            account=FuelAccount(INLINE_UNITS, part_of=self._round),
        )

    async def _take_outcomes(self) -> None:
        for attempt, outcome in self._in_flight.landed():
            await self._do(self._settle_in_pieces(attempt, outcome), attempt.key[0])
            attempt.forget()

    def _settle_in_pieces(self, attempt: Attempt, outcome: Outcome) -> Iterator[None]:
        """Record an attempt's outcome, in pieces."""
        if isinstance(outcome, Succeeded):
            completed = EventType.STEP_COMPLETED
            try:
                yield from self._recorder.record_in_pieces(
                    completed, outcome.payload, attempt.key, attempt.number, attempt.usage
                )
            except ValueTooLarge as too_large:
                outcome = StepFailed(too_large.code, too_large.detail)
            else:
                return
        if isinstance(outcome, Wait):
            self._parked.park(attempt, outcome)
            self._signalled = self._signalled or outcome.kind == CALL
            return
        if isinstance(outcome, PlatformFault):
            self._put_off(attempt, outcome)
            return
        if isinstance(outcome, Defer):
            at = max(outcome.until.timestamp(), self._around.clock.now() + MIN_DEFER_SECONDS)
            self._recorder.wait(attempt.key, outcome, at, attempt.usage)
            return
        self._recorder.fail(attempt.key, outcome, attempt.step.plan_step.retry, attempt.usage)

    def _put_off(self, attempt: Attempt, fault: PlatformFault) -> None:
        """Try an attempt again later; of a call that may have been made and may not come twice, its step says what."""
        if fault.may_have_called and attempt.step.plan_step.on_unknown is not OnUnknown.RETRY:
            self._recovered = False
        else:
            self._recorder.put_off(attempt.key, attempt.usage)
