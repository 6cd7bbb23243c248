"""A host: one event loop that claims runs, executes them and releases them."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.conf import settings

from kernel.log_fields import note
from kernel.tasks import end_tasks
from kernel.turns.turn_order import TurnOrder
from runs.bus.doorbell import ring_now
from runs.engine.errors import HostLost
from runs.engine.host.inbox import listen_for_signals
from runs.engine.host.lease import Lease, LeaseWatch, Renewal
from runs.engine.host.missing_step_types import MissingStepTypes
from runs.engine.host.sweeper import SECOND_LOOK_SECONDS, Sweeper
from runs.engine.memory.budget import MIB, MemoryBudget
from runs.engine.memory.returning import return_memory_forever
from runs.engine.run.runner import Runner
from runs.engine.services import AWAY, HostServices
from runs.engine.store.claimed import Claimed
from runs.engine.store.claims import Claim, claim_runs, disown_unknown
from runs.engine.store.shares import ClaimingHost, MemoryRoom
from runs.engine.store.threads import DatabaseThreads
from runs.metrics import CLAIMS_HELD_BACK, RUNS_OWNED
from runs.steps.registry import installed_registry

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
AFTER_GRACE_SECONDS = 5.0
DOUBT_SECONDS = 30.0
"""Time after a claim without an answer in which it may still take effect; the database's timeouts are shorter."""
REFUSED_SECONDS = 0.02
"""Longest pause before a claim that was refused, as another host claimed just then, is tried again."""
MOST_RUNS = 256
"""Runs claimed at once: other hosts wait while a claim lasts, and the event loop while they begin."""
FEW_RUNS, FEW_PART = 16, 8
REST = 2.0
MOST_REST_SECONDS = 0.1
"""After a claim that brought few runs, fewer than 16 or an eighth of what the host executes at most, the next one comes
no sooner than after so many times as long, or this time: the more tenants have work, the more it costs."""
SUSPECT_PATIENCE_SECONDS = 5.0
"""Time a run that may kill its host waits for one that is idle, before a host gives everything else up for it."""


class Host:
    """Owns runs while its lease lasts.

    Claims when poked, when room frees and at each sweep. Losing every poke costs time, never a run. ``serve`` runs in
    the event loop; ``poke`` and ``stop`` may be called from any thread.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker_id: UUID | None = None
        self.runners: dict[UUID, Runner] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_to_stop = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper = Sweeper(lease_seconds=settings.WORKER_LEASE_SECONDS, sweep_seconds=settings.SWEEP_SECONDS)
        self._absences = MissingStepTypes(patience_seconds=settings.STEP_TYPE_PATIENCE_SECONDS)
        self._around = HostServices()
        self.watchdog = self._around.watchdog
        # Of its own: claims never stand behind what runs ask.
        self._database = DatabaseThreads("claims")
        self._memory = MemoryBudget(settings.WORKER_MEMORY_MIB * MIB, self.runners.values)
        self._turns = TurnOrder()
        self._is_refused = False
        self._rest_until = 0.0
        self._last_tick = time.monotonic()
        self._is_sure = False
        self._in_doubt_until = 0.0

    def poke(self) -> None:
        """Say that there may be work."""
        self._call(self._bell.set)

    def stop(self) -> None:
        """Begin to stop: claim nothing more, release everything within the grace. May come before ``serve``."""
        self._is_to_stop = True
        self._call(self._begin_to_stop)

    async def serve(self) -> None:
        """Be a host until ``stop``; returns when everything is released."""
        self._loop = asyncio.get_running_loop()
        if self._is_to_stop:
            self._begin_to_stop()
        self._database.start()
        await self._around.open()
        self._around.in_background(return_memory_forever(self._memory))
        self._tick()
        lease = self._lease()
        lease.start()
        listener = asyncio.create_task(listen_for_signals(self._signal))
        try:
            await self._claim_forever()
        finally:
            await self._give_everything_up()
            await end_tasks([listener])
            await self._around.close()
            await self._database.stop()
            await asyncio.to_thread(lease.stop, released=not self.runners)

    def _lease(self) -> Lease:
        return Lease(
            self.name,
            watch=LeaseWatch(
                last_tick=lambda: self._last_tick,
                registered=lambda worker_id, beat: self._call(self._registered, worker_id, beat),
                beaten=lambda beat: self._call(self._beaten, beat),
                doubted=lambda: self._call(self._doubted),
                lost=lambda: self._call(self._lost),
            ),
            lease_seconds=settings.WORKER_LEASE_SECONDS,
            beat_seconds=settings.WORKER_HEARTBEAT_SECONDS,
            step_types=installed_registry().offers,
        )

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _tick(self) -> None:
        self._last_tick = time.monotonic()
        self._memory.tick()
        asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _begin_to_stop(self) -> None:
        self._stopping.set()
        self._bell.set()

    def _registered(self, worker_id: UUID, beat: Renewal) -> None:
        log.info("worker %s is ready, as host %s", self.name, worker_id)
        self.worker_id = self._around.reservations.worker_id = worker_id
        self._beaten(beat)
        self._bell.set()

    def _beaten(self, beat: Renewal) -> None:
        self._is_sure = True
        self._around.clock.set(beat.heartbeat.database_time, asked_at=beat.asked_at, answered_at=beat.answered_at)
        for run_id in beat.heartbeat.signalled:
            self._signal(run_id)
        for run_id in beat.heartbeat.suspended:
            self._suspend(run_id)
        served = {runner.claimed.tenant_id for runner in self.runners.values()}
        self._around.in_background(self._around.contexts.keep(served))

    def _doubted(self) -> None:
        """Claim nothing until the next heartbeat: others may take this host for dead."""
        self._is_sure = False

    def _lost(self) -> None:
        """Drop every run: others own them, or will."""
        self.worker_id = self._around.reservations.worker_id = None
        for task in self._tasks:
            task.cancel()

    def _signal(self, run_id: UUID) -> None:
        runner = self.runners.get(run_id)
        if runner is not None:
            runner.signal()

    def _suspend(self, run_id: UUID) -> None:
        """Give a run of an inactive tenant back once its calls in flight have ended."""
        runner = self.runners.get(run_id)
        if runner is not None:
            runner.drain()

    async def _claim_forever(self) -> None:
        next_sweep = 0.0
        while not self._stopping.is_set():
            self._bell.clear()
            is_sweep = time.monotonic() >= next_sweep
            claimed = 0
            try:
                if is_sweep:
                    next_sweep = time.monotonic() + settings.SWEEP_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
                    await self._sweep()
                    if self._sweeper.looks_again:
                        next_sweep = min(next_sweep, time.monotonic() + SECOND_LOOK_SECONDS)
                self._is_refused = False
                claimed = await self._claim(also_when_full=is_sweep)
            except HostLost:
                log.warning("the lease is over; nothing is claimed until it is renewed")
            except AWAY as error:
                # Whatever is wrong, a missing migration as well: the next sweep may find it mended.
                log.warning("nothing can be claimed now: %s", error)
                self._in_doubt_until = time.monotonic() + DOUBT_SECONDS
                self._sweeper.failed()
            if not claimed:
                pause = next_sweep - time.monotonic()
                if self._is_refused:
                    pause = min(pause, REFUSED_SECONDS * random.random())  # noqa: S311 - spreads the hosts
                await self._wait_for_bell(pause)
            # Last: nothing may be waited for between the look whether to stop and the bell that says so.
            await asyncio.sleep(max(0.0, self._rest_until - time.monotonic()))

    async def _wait_for_bell(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._bell.wait()
        except TimeoutError:
            pass

    async def _sweep(self) -> None:
        """Free the runs of dead hosts and those nobody knows of; take those that no host can execute."""
        worker_id = self.worker_id
        await self._database.ask(partial(self._sweeper.sweep, sweeper_id=worker_id))
        if worker_id is None:
            return
        if time.monotonic() < self._in_doubt_until:
            # What a claim took whose answer was lost; nobody would ever execute it.
            freed = await self._database.ask(partial(disown_unknown, worker_id=worker_id, known=list(self.runners)))
            if freed:
                log.warning("freed %d runs that were claimed without an answer", freed)
        for stuck in await self._database.ask(partial(self._absences.claim, worker_id=worker_id)):
            self._start(stuck)

    async def _claim(self, *, also_when_full: bool) -> int:
        is_alone = self._is_alone()
        memory = self._memory.room()
        most = MOST_RUNS if memory.size is not None else memory.sure
        room = 0 if is_alone else min(most, int(settings.WORKER_CAPACITY) - len(self.runners))
        if self.worker_id is None or not self._is_sure or (room <= 0 and not also_when_full):
            return 0
        CLAIMS_HELD_BACK.inc(bool(memory.without))
        if not memory.sure:
            return 0
        bytes_left = None if memory.size is None else MemoryRoom(memory.sure, memory.size)
        host = ClaimingHost(self.worker_id, most_of_one=most_of_one(), memory=bytes_left, order=self._turns)
        ask = partial(claim_runs, host=host, without=memory.without)
        claim, began = Claim([], is_refused=False), time.monotonic()
        if also_when_full and not is_alone:
            patience = SUSPECT_PATIENCE_SECONDS if self.runners else 0.0
            claim = await self._database.ask(partial(ask, room=1, suspects=True, overdue_seconds=patience))
        if not claim.runs:
            claim = await self._database.ask(partial(ask, room=max(0, room)))
        self._is_refused = claim.is_refused
        if len(claim.runs) < max(FEW_RUNS, settings.WORKER_CAPACITY // FEW_PART):
            now = time.monotonic()
            self._rest_until = now + min(REST * (now - began), MOST_REST_SECONDS)
        for one in claim.runs:
            self._start(one)
        return len(claim.runs)

    def _is_alone(self) -> bool:
        """Whether a run that may kill its host is executed here: then nothing else is."""
        return any(runner.is_suspect for runner in self.runners.values())

    def _start(self, claimed: Claimed) -> None:
        runner = self.runners[claimed.run_id] = Runner(claimed, self._around, self._memory)
        RUNS_OWNED.set(len(self.runners))
        self._around.scheduler.run_came(claimed.tenant_id)
        task = asyncio.create_task(self._run(runner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._around.scheduler.run_went(claimed.tenant_id))

    async def _run(self, runner: Runner) -> None:
        note(run=str(runner.claimed.run_id), tenant=str(runner.claimed.tenant_id))
        try:
            if runner.is_suspect:
                await self._be_alone()
            if self._around.scheduler.must_wait(runner.claimed.tenant_id):
                await self._around.scheduler.wait(runner.claimed.tenant_id)
            await runner.run()
        finally:
            if self.runners.get(runner.claimed.run_id) is runner:
                del self.runners[runner.claimed.run_id]
                RUNS_OWNED.set(len(self.runners))
            self._bell.set()

    async def _be_alone(self) -> None:
        """Release all other runs once their attempts in flight have ended; other hosts go on with them.

        An attempt that outlasts the grace stays: it would come again if it were cut short, and also if it got lost.
        """
        ends = time.monotonic() + settings.WORKER_GRACE_SECONDS
        while time.monotonic() < ends and (others := [one for one in self.runners.values() if not one.is_suspect]):
            for runner in others:
                runner.drain()
            await asyncio.sleep(TICK_SECONDS)
        await asyncio.to_thread(ring_now)

    async def _give_everything_up(self) -> None:
        """Let attempts in flight end within the grace, then stop them; what the database does not take stays ours."""
        for runner in list(self.runners.values()):
            runner.drain()
        await self._wait_for_runs(settings.WORKER_GRACE_SECONDS)
        for runner in list(self.runners.values()):
            runner.cut_short()
        await self._wait_for_runs(AFTER_GRACE_SECONDS)
        left = len(self._tasks)
        if left:
            log.error("%d runs could not be released; they go on when the lease is over", left)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.to_thread(ring_now)

    async def _wait_for_runs(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=seconds)


def most_of_one() -> int:
    """Tell how many runs of one tenant a host executes at most while others exist: so a newcomer finds room at once."""
    return max(1, int(round(settings.WORKER_CAPACITY * settings.HOST_SHARE_MAX, 6)))
