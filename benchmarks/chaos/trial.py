"""One experiment: a load, faults at random moments, then the proof."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from benchmarks.chaos import documents
from benchmarks.chaos.load import Accepted, Client
from benchmarks.chaos.proof import prove
from benchmarks.chaos.stack import Stack
from benchmarks.chaos.upstream import Upstream

RUNS = 100
MOMENTS = 5
SIDE_BY_SIDE = 8
LOOK_SECONDS = 0.25
END_SECONDS = 60.0
UNDER_WAY_SECONDS = 10.0
UNTOUCHED_SECONDS = 20.0
# While the database is away nobody can touch anything.
UNTOUCHED: LiteralString = """
select coalesce(max(extract(epoch from clock_timestamp() - greatest(wake_at, pg_postmaster_start_time()))), 0)::float8
from runs_run where owner is null and wake_at is not null
"""
UNDER_WAY: LiteralString = "select count(*) from runs_run where owner is not null"
GOING_ON: LiteralString = "select count(*) from runs_run where created_at >= %s and ended_at is null and id = any(%s)"
OUTCOMES: LiteralString = "select id, status, output::text from runs_run where id = any(%s)"

Answer = TypeVar("Answer")


class World:
    """The upstream and the clients, in an event loop of their own; the stack is the main thread's."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="world", daemon=True).start()
        self.upstream = Upstream()
        self.call(self.upstream.start())

    def begin(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        """Let something run in the background."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run something and wait for it."""
        return self.begin(work).result(60)

    def save_segments(self, client: Client) -> None:
        """Save every segment that is used."""
        url = self.upstream.url
        drawn = [*(draw(url) for draw, _, _ in documents.LOAD), documents.held(url), documents.blocking()]
        for document in drawn:
            self.call(client.save(document))


class Trial:
    """One experiment: its actions on the stack, and its findings."""

    def __init__(self, stack: Stack, world: World, client: Client, *, name: str, seed: str) -> None:
        self.stack = stack
        self.upstream = world.upstream
        self.client = client
        self.rng = random.Random(f"{seed}-{name}")  # noqa: S311 - seeded on purpose
        self.violations: list[str] = []
        self.figures: dict[str, Any] = {}
        self.others: dict[UUID, None] = {}
        self.ended_by_themselves = 0
        self.revives = True
        self._world = world
        self._name = f"{name}-{seed}"
        self._since = stack.now()
        self._first_call = len(self.upstream.calls)
        self._untouched = 0.0
        self._load_runs = 0
        self._load_stopped = threading.Event()
        self._load: Future[Accepted] | None = None
        self._under_way: list[int] = []
        self._own = Accepted()

    def expect(self, fact: bool, sentence: str) -> None:
        """Note a violation unless the fact holds."""
        if not fact:
            self.violations.append(sentence)

    def moments(self, shortest: float, longest: float) -> list[float]:
        """Draw the pauses before five faults."""
        return [self.rng.uniform(shortest, longest) for _ in range(MOMENTS)]

    def start_load(self, seconds: float, *, runs: int = RUNS) -> None:
        """Start a hundred runs, or as many as asked for, spread over a time, in the background."""
        self._load_runs = runs
        start = self.client.start_many(runs, seconds=seconds, prefix=self._name, stopped=self._load_stopped)
        self._load = self._world.begin(start)

    def stop_load(self) -> None:
        """Start nothing more of the load; what was started is to come to its end."""
        self._load_stopped.set()

    def start_run(self, segment_id: str, n: int = 0) -> UUID:
        """Start a run of the experiment's own.

        Raises:
            RuntimeError: It is not accepted.
        """
        return self.start_runs(segment_id, 1, n)[0]

    def start_runs(self, segment_id: str, count: int, n: int = 0) -> list[UUID]:
        """Start as many runs of the experiment's own, side by side; raises as ``start_run``."""
        first = len(self.others)
        turn = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(number: int) -> UUID | None:
            async with turn:
                key = f"{self._name}-own-{number}"
                return await self.client.start(segment_id, n, key=key, accepted=self._own)

        async def every() -> list[UUID | None]:
            return await asyncio.gather(*(one(number) for number in range(first, first + count)))

        started = [run_id for run_id in self._world.call(every()) if run_id is not None]
        self.others |= dict.fromkeys(started)
        if len(started) < count:
            raise RuntimeError(self._own.refused[-1])
        return started

    def cancel_all(self, run_ids: list[UUID]) -> None:
        """Ask for the end of many runs, side by side."""
        turn = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(run_id: UUID) -> bool:
            async with turn:
                return await self.client.cancel(run_id, accepted=self._own)

        async def every() -> list[bool]:
            return await asyncio.gather(*(one(run_id) for run_id in run_ids))

        self._world.call(every())

    def cancel(self, run_id: UUID) -> bool:
        """Ask for a run's end; return False when it is over already."""
        return self._world.call(self.client.cancel(run_id, accepted=self._own))

    def begin(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        """Let something of the experiment's own run in the background."""
        return self._world.begin(work)

    def outcomes(self, run_ids: list[UUID]) -> dict[UUID, tuple[str, Any]]:
        """Return the status and output of runs, once they are over."""
        self.wait_for(lambda: self.stack.ask(GOING_ON, [self._since, run_ids])[0][0] == 0, seconds=END_SECONDS)
        found = self.stack.ask(OUTCOMES, [run_ids])
        return {run_id: (status, json.loads(output or "null")) for run_id, status, output in found}

    def pause(self, seconds: float) -> None:
        """Let time pass, and keep an eye on what is alive and what is due."""
        self.wait_for(lambda: False, seconds=seconds)

    def pause_before_fault(self, seconds: float) -> None:
        """Let time pass, until something is under way at least, and note how much is."""
        self.pause(seconds)
        self.wait_for(lambda: self.stack.ask(UNDER_WAY)[0][0] > 0, seconds=UNDER_WAY_SECONDS)
        self._under_way.append(self.stack.ask(UNDER_WAY)[0][0])

    def wait_for(self, fact: Callable[[], object], *, seconds: float) -> bool:
        """Wait until a fact holds; return whether it did in time."""
        deadline = time.monotonic() + seconds
        while not fact():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, LOOK_SECONDS))
            self._look()
        return True

    def finish(self) -> None:
        """Wait until the load is over, and prove that nothing is lost."""
        if self._load is None:
            raise RuntimeError("an experiment has a load")
        load = self._load
        self.expect(self.wait_for(load.done, seconds=END_SECONDS), "the starts were not accepted in time")
        accepted = load.result(0) if load.done() else Accepted()
        run_ids = list(accepted.outputs)
        if self._load_stopped.is_set():
            self._load_runs = len(run_ids)
        self.wait_for(lambda: self.stack.ask(GOING_ON, [self._since, run_ids])[0][0] == 0, seconds=END_SECONDS)
        found = prove(
            self.stack,
            since=self._since,
            outputs=accepted.outputs,
            others=self.others,
            calls=self.upstream.calls[self._first_call :],
        )
        self.violations += [*found.violations, *accepted.refused]
        self.expect(not accepted.doubled, f"one key started two runs: {accepted.doubled}")
        self.expect(found.completed == self._load_runs, f"{found.completed} of {self._load_runs} runs completed")
        self.expect(self._untouched < UNTOUCHED_SECONDS, f"a run was due and untouched for {self._untouched:.1f} s")
        if self._under_way:
            self.expect(min(self._under_way) > 0, f"nothing was under way at a fault: {self._under_way}")
        self.figures |= {
            "runs": found.completed,
            "under_way_at_faults": self._under_way,
            "calls": len(self.upstream.calls) - self._first_call,
            "repeated_calls": found.repeats,
            "owner_changes": found.changes,
            "client_retries": accepted.failures,
            "longest_untouched_seconds": round(self._untouched, 1),
        }

    def _look(self) -> None:
        if self.revives:
            self.ended_by_themselves += self.stack.revive()
        if self.stack.postgres.alive():
            self._untouched = max(self._untouched, self.stack.ask(UNTOUCHED)[0][0])
