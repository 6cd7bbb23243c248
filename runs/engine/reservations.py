"""Reservations in the tenants' daily budgets: the requests of all runs of a host are decided in batches."""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import TypeAlias
from uuid import UUID

import psycopg

from kernel.tasks import end_tasks
from runs.engine.errors import HostLost
from runs.engine.pricing import AskDatabase
from runs.engine.store import budgets
from runs.engine.store.budgets import AttemptKey, HoldRequest
from runs.step_api.base import StepFailed

log = logging.getLogger(__name__)

BATCH = 1_000
LOST_PAUSE_SECONDS = 0.5

_Waiting: TypeAlias = "tuple[HoldRequest, asyncio.Future[None]]"


class Reservations:
    """Holds room for the attempts of one host.

    What piles up during one transaction is the next. A request whose attempt was cancelled meanwhile holds nothing,
    sooner or later. While the database is away, requests wait; their steps' time limits go on.
    """

    def __init__(self, ask: AskDatabase) -> None:
        self.worker_id: UUID | None = None
        self.batches = 0
        self._ask = ask
        self._waiting: dict[AttemptKey, _Waiting] = {}
        self._to_release: set[AttemptKey] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    async def reserve(self, request: HoldRequest) -> None:
        """Return when the room is held. An attempt asks once at a time.

        Raises:
            StepFailed: There is no room, or no price.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[request.key] = request, done
        self._go_on()
        await done

    def release(self, keys: Iterable[AttemptKey]) -> None:
        """Let go of what attempts hold whose outcome will not be recorded here."""
        self._to_release.update(keys)
        self._go_on()

    async def stop(self) -> None:
        """End; what is still held goes with the host's row."""
        self._stopped = True
        if self._task is not None:
            await end_tasks([self._task])

    def _go_on(self) -> None:
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._serve(), name="reservations")

    async def _serve(self) -> None:
        while self._waiting or self._to_release:
            if self._to_release:
                await self._let_go()
            batch = self._take()
            if batch:
                await self._decide(batch)

    async def _let_go(self) -> None:
        keys, self._to_release = list(self._to_release), set()
        try:
            await self._ask(partial(budgets.release, keys=keys))
        except psycopg.Error:
            log.exception("%d holds stay until this host ends", len(keys))

    def _take(self) -> list[_Waiting]:
        keys = list(self._waiting)[:BATCH]
        taken = [self._waiting.pop(key) for key in keys]
        return [(request, done) for request, done in taken if not done.done()]

    async def _decide(self, batch: list[_Waiting]) -> None:
        try:
            answers = await self._answers([request for request, _ in batch])
        except HostLost:
            # The runs are being dropped; should one not be, it asks again.
            for request, done in batch:
                self._waiting.setdefault(request.key, (request, done))
            await asyncio.sleep(LOST_PAUSE_SECONDS)
        except psycopg.Error as error:
            log.exception("budgets cannot be asked")
            for _, done in batch:
                _fail(done, error)
        else:
            self.batches += 1
            for (request, done), refusal in zip(batch, answers, strict=True):
                self._resolve(request, done, refusal)

    async def _answers(self, requests: list[HoldRequest]) -> list[StepFailed | None]:
        worker_id = self.worker_id
        if worker_id is None:
            raise HostLost
        return await self._ask(partial(budgets.reserve, worker_id=worker_id, requests=requests))

    def _resolve(self, request: HoldRequest, done: "asyncio.Future[None]", refusal: StepFailed | None) -> None:
        if refusal is not None:
            _fail(done, refusal)
        elif done.done():
            self._to_release.add(request.key)
        else:
            done.set_result(None)


def _fail(done: "asyncio.Future[None]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
