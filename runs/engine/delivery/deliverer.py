"""Deliverer of callbacks: a loop in every host that needs nothing but Postgres."""

import asyncio
import logging
import random
from collections import Counter
from functools import partial
from typing import Final
from uuid import UUID

import orjson
import psycopg
from django.conf import settings

from kernel.tasks import end_tasks
from runs.callbacks.payload import DeliveredFact, write_body
from runs.callbacks.schedule import MAX_TRIES, DeliveryVerdict, verdict_of
from runs.engine.delivery.sending import DeliverySender, SentDelivery
from runs.engine.store import deliveries, delivery_claims
from runs.engine.store.connection import Database, transaction
from runs.engine.store.deliveries import ClaimedDelivery, SettledDelivery
from runs.engine.store.delivery_claims import DeliveryClaim
from runs.engine.store.threads import DatabaseThreads
from runs.models import DeliveryStatus

log = logging.getLogger(__name__)

AT_ONCE: Final = 50
"""Most deliveries that one host sends at a time."""
PER_TARGET: Final = 10
"""Most of them to one target of one tenant, each to another URL."""
LEASE_TIMEOUTS: Final = 2
"""A host that has not settled a delivery for so many timeouts counts as lost, and the delivery is tried again."""
AWAY_SECONDS: Final = 1.0
MIN_PAUSE_SECONDS: Final = 0.005
STOP_SECONDS: Final = 5.0


class Deliverer:
    """Sends what is due: at least once, each try with the same id and the same bytes.

    Looks at each sweep, when something comes due, and when rung because a commit had deliveries. What has been sent
    while it looks is settled together at the next look.
    """

    def __init__(self) -> None:
        self._timeout = float(settings.CALLBACK_TIMEOUT_SECONDS)
        self._sender = DeliverySender(self._timeout)
        self._bell = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._sending: dict[asyncio.Task[None], tuple[UUID, str]] = {}
        self._settled: list[SettledDelivery] = []
        self._database = DatabaseThreads("deliverer")

    def start(self) -> None:
        """Begin to deliver, in the running event loop."""
        self._database.start()
        self._task = asyncio.create_task(self._deliver_forever(), name="deliverer")

    def ring(self) -> None:
        """Say that something is due."""
        self._bell.set()

    async def stop(self) -> None:
        """Begin nothing more; what is under way may end within a few seconds, or is tried again by another host."""
        self._stopping = True
        if self._sending:
            await asyncio.wait(list(self._sending), timeout=STOP_SECONDS)
        self._bell.set()
        await end_tasks(self._sending)
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_SECONDS)
            await end_tasks([self._task])
        await self._sender.close()
        await self._database.stop()

    async def _deliver_forever(self) -> None:
        while True:
            self._bell.clear()
            try:
                pause = await self._look()
            except (psycopg.Error, OSError) as error:
                log.warning("callbacks cannot be delivered now: %s", error)
                pause = AWAY_SECONDS
            if self._stopping and not self._sending and not self._settled:
                return
            try:
                async with asyncio.timeout(pause):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _look(self) -> float:
        """Settle what was sent, begin what is due, and return the seconds until the next look."""
        await self._settle()
        pause = settings.SWEEP_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the hosts
        room = AT_ONCE - len(self._sending)
        if not self._stopping and room > 0:
            next_due = await self._claim(room)
            pause = pause if next_due is None else min(pause, next_due)
        return max(MIN_PAUSE_SECONDS, 0 if self._settled else pause)

    async def _settle(self) -> None:
        settled, self._settled = self._settled, []
        if not settled:
            return
        try:
            left = await self._database.ask(partial(deliveries.settle, settled=settled))
        except (psycopg.Error, OSError):
            self._settled = settled + self._settled
            raise
        self._settled = left + self._settled

    async def _claim(self, room: int) -> float | None:
        """Take what is due and begin to send it, once what is to be sent is kept."""
        busy, lease_seconds = Counter(self._sending.values()), LEASE_TIMEOUTS * self._timeout
        claim, begun = await self._database.ask(lambda connection: _take(connection, busy, room, lease_seconds))
        if claim.lost:
            log.warning("%d deliveries were under way on hosts that are gone; they are sent again", len(claim.lost))
        for one, body in begun:
            self._begin(one, body)
        return 0 if claim.has_queued else claim.next_due_seconds

    def _begin(self, delivery: ClaimedDelivery, body: str) -> None:
        task = asyncio.create_task(self._deliver(delivery, body))
        self._sending[task] = delivery.tenant_id, delivery.host
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a delivery could not be tried; it is when its lease is over", exc_info=error)
        self._bell.set()

    async def _deliver(self, delivery: ClaimedDelivery, body: str) -> None:
        if delivery.tries > MAX_TRIES:  # its last try never came back
            self._settled.append(_given_up(delivery))
            return
        tried = await self._sender.send(delivery, body)
        jitter = random.random()  # noqa: S311 - spreads retries
        verdict = verdict_of(tried.answer, tries=delivery.tries, jitter=jitter)
        self._settled.append(_settled(delivery, tried, verdict))


def _take(
    connection: Database, busy: Counter[tuple[UUID, str]], room: int, lease_seconds: float
) -> tuple[DeliveryClaim, list[tuple[ClaimedDelivery, str]]]:
    """Claim what is due, and keep the body of what is sent for the first time."""
    with transaction(connection):
        claim = delivery_claims.claim(
            connection, busy=busy, room=room, per_target=PER_TARGET, lease_seconds=lease_seconds
        )
        taken = deliveries.read(connection, claim.taken) if claim.taken else []
        begun = [(one, one.body or _body_of(one)) for one in taken]
        deliveries.write_bodies(connection, [(one.delivery_id, body) for one, body in begun if not one.body])
    return claim, begun


def _body_of(delivery: ClaimedDelivery) -> str:
    if delivery.run_id is None:
        raise TypeError("what is told of no run is inserted with its body")
    return write_body(
        DeliveredFact(
            run_id=delivery.run_id,
            segment_id=delivery.segment_id,
            client_reference=delivery.client_reference,
            metadata=orjson.loads(delivery.metadata),
            event_type=delivery.type,
            at=delivery.at,
            step_id=delivery.step_id,
            activation=delivery.activation,
            payload=None if delivery.payload is None else orjson.loads(delivery.payload),
            runs_url=delivery.runs_url,
        )
    )


def _settled(delivery: ClaimedDelivery, tried: SentDelivery, verdict: DeliveryVerdict) -> SettledDelivery:
    return SettledDelivery(
        delivery_id=delivery.delivery_id,
        number=delivery.number,
        status=verdict.status,
        delay_seconds=verdict.delay_seconds,
        at=tried.at.timestamp(),
        duration_ms=tried.duration_ms,
        status_code=tried.answer.status_code,
        error_code=tried.answer.error_code,
        response=tried.response,
    )


def _given_up(delivery: ClaimedDelivery) -> SettledDelivery:
    return SettledDelivery(
        delivery_id=delivery.delivery_id,
        number=delivery.number,
        status=DeliveryStatus.EXHAUSTED,
        delay_seconds=None,
        at=delivery.at.timestamp(),
        duration_ms=0,
        status_code=None,
        error_code="HOST_LOST",
        response="",
    )
