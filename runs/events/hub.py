"""Hub of a web process: one listener that wakes all waiters of its event loop when runs advance.

Redis only wakes; what has happened is read from the journal. One subscription and one short read every two seconds
serve all watchers, so with Redis gone everything goes on, a little later.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError

from kernel.admission import house_context
from runs.bus.advances import CHANNEL, Advance, read_advance
from runs.bus.deltas import CHANNEL as DELTAS
from runs.bus.deltas import Delta, read_deltas
from runs.events.cursor import Key
from runs.selectors import newest_transactions, run_heads
from tenants.members.selectors import scopes_of_active_members
from tenants.selectors import scopes_of_live_keys
from tenants.types import SCOPES, Caller, KeySecret

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
POLL_SECONDS_WITHOUT_REDIS: Final = 1.0
KEYS_SECONDS: Final = 8.0
LINGER_SECONDS: Final = 10.0
"""Time the look-out stays when nobody watches: the next watcher finds the subscription ready."""
REDIS_SECONDS: Final = 2.0


@dataclass(eq=False)
class HubWatch:
    """One who waits. ``changed`` is set by every sign of life; whoever is woken reads for themselves."""

    key: Key
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    status: str | None = None
    hear_delta: Callable[[Delta], None] | None = None
    mark: int = -1
    """The last ``seq`` of a run, or the newest transaction of a tenant, as last heard."""

    def hear(self, mark: int, status: str | None) -> None:
        """Take news in; news that are none wake nobody."""
        if mark > self.mark or (status is not None and status != self.status):
            self.mark = max(mark, self.mark)
            self.status = status or self.status
            self.changed.set()


@dataclass(eq=False)
class AccessPass:
    """A caller's right to go on: as long as their key lives, and their member is one, and they have the scope, if any.

    ``ended`` is set, if there is one, once it is not valid any more.
    """

    key_secret: KeySecret | None
    member_id: UUID | None
    scope: str | None
    ended: asyncio.Event | None = None
    is_valid: bool = True

    def check(self, of_keys: Mapping[KeySecret, Collection[str]], of_members: Mapping[UUID, Collection[str]]) -> None:
        """Hold it against the scopes of those keys and members that are live."""
        rights = [
            of_keys.get(self.key_secret) if self.key_secret is not None else SCOPES,
            of_members.get(self.member_id) if self.member_id is not None else SCOPES,
        ]
        self.is_valid = all(has is not None and (self.scope is None or self.scope in has) for has in rights)
        if not self.is_valid and self.ended is not None:
            self.ended.set()


class Hub:
    """Watches runs and tenants for all who ask in one event loop. Its two tasks live while somebody watches."""

    def __init__(self) -> None:
        self._watches: dict[Key, set[HubWatch]] = {}
        self._passes: set[AccessPass] = set()
        self._fresh: set[Key] = set()
        self._ask = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._subscribed = False
        self._idle_since = time.monotonic()
        self.is_closing = False
        self.at_close: set[Callable[[], None]] = set()

    def close(self) -> None:
        """Wake everybody for good, as the process is to stop: waits are answered, streams say farewell."""
        self.is_closing = True
        for watch in [watch for watches in self._watches.values() for watch in watches]:
            watch.changed.set()
        for wake in list(self.at_close):
            wake()

    @contextlib.contextmanager
    def watching(self, key: Key, *, ask_at_once: bool = False) -> Iterator[HubWatch]:
        """Watch a run or a tenant.

        Args:
            key: Which one.
            ask_at_once: Look up a run's state now: for those who have read it before they began to watch.
        """
        watch = HubWatch(key)
        self._watches.setdefault(key, set()).add(watch)
        if ask_at_once:
            self._fresh.add(key)
            self._ask.set()
        self._wake_up()
        try:
            yield watch
        finally:
            self._leave(watch)

    @contextlib.contextmanager
    def guarding(
        self, caller: Caller, scope: str | None = None, *, ended: asyncio.Event | None = None
    ) -> Iterator[AccessPass]:
        """Keep looking whether a caller may still use a scope, or anything.

        Args:
            caller: Who.
            scope: Which one; None for any.
            ended: Set once they may not.
        """
        found = AccessPass(caller.key_secret, None if caller.member is None else caller.member.id, scope, ended)
        self._passes.add(found)
        self._wake_up()
        try:
            yield found
        finally:
            self._passes.discard(found)
            self._idle_since = time.monotonic()

    def _leave(self, watch: HubWatch) -> None:
        watches = self._watches[watch.key]
        watches.discard(watch)
        if not watches:
            del self._watches[watch.key]
        self._idle_since = time.monotonic()

    def _wake_up(self) -> None:
        if not self._tasks or any(task.done() for task in self._tasks):
            for task in self._tasks:
                task.cancel()
            context = house_context()
            self._tasks = [
                asyncio.create_task(self._listen_forever(), name="hub: subscription", context=context),
                asyncio.create_task(self._poll_while_watched(), name="hub: poll", context=context),
            ]
            for task in self._tasks:
                task.add_done_callback(self._report)

    def _report(self, task: asyncio.Task[None]) -> None:
        """Say what nobody foresaw, and begin again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s ended", task.get_name(), exc_info=error)
            if self._watches or self._passes:
                asyncio.get_running_loop().call_later(POLL_SECONDS, self._wake_up)

    async def _listen_forever(self) -> None:
        while True:
            client = redis.asyncio.Redis.from_url(
                settings.REDIS_URL, socket_connect_timeout=REDIS_SECONDS, health_check_interval=10
            )
            try:
                await self._listen(client)
            except (redis.RedisError, OSError) as error:
                log.warning("no notices from Redis, polling instead: %s", error)
            finally:
                self._subscribed = False
                with contextlib.suppress(redis.RedisError, OSError):
                    await client.aclose()
            await asyncio.sleep(REDIS_SECONDS / 2)

    async def _listen(self, client: "redis.asyncio.Redis") -> None:
        async with client.pubsub() as channel:
            await channel.subscribe(CHANNEL, DELTAS)
            self._subscribed = True
            # What was told before somebody listened is looked up.
            self._fresh.update(self._watches)
            self._ask.set()
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=5)
                if message is None:
                    continue
                if message["channel"] == DELTAS.encode():
                    self._hear_deltas(read_deltas(message["data"]))
                else:
                    self._hear(read_advance(message["data"]))

    def _hear(self, advances: Iterable[Advance]) -> None:
        tenants = set()
        for advance in advances:
            tenants.add(advance.tenant_id)
            for watch in self._watches.get(("run", advance.run_id), ()):
                watch.hear(advance.last_seq, advance.status)
        for tenant_id in tenants:
            for watch in self._watches.get(("tenant", tenant_id), ()):
                watch.changed.set()

    def _hear_deltas(self, deltas: Iterable[Delta]) -> None:
        for delta in deltas:
            for watch in self._watches.get(("run", delta.run_id), ()):
                if watch.hear_delta is not None:
                    watch.hear_delta(delta)

    async def _poll_while_watched(self) -> None:
        last_poll = last_keys = time.monotonic()
        try:
            while self._watches or self._passes or time.monotonic() - self._idle_since < LINGER_SECONDS:
                interval = POLL_SECONDS if self._subscribed else POLL_SECONDS_WITHOUT_REDIS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, last_poll + interval - time.monotonic())):
                        await self._ask.wait()
                self._ask.clear()
                fresh, self._fresh = self._fresh & self._watches.keys(), set()
                if time.monotonic() - last_poll >= interval:
                    last_poll = time.monotonic()
                    fresh = set(self._watches)
                await self._look_up(fresh)
                if time.monotonic() - last_keys >= KEYS_SECONDS:
                    last_keys = time.monotonic()
                    await self._check_keys()
        finally:
            self._tasks[0].cancel()

    async def _look_up(self, keys: set[Key]) -> None:
        """Ask the database once for all; should it be away, there is no news."""
        runs = [item for kind, item in keys if kind == "run"]
        tenants = [item for kind, item in keys if kind == "tenant"]
        with contextlib.suppress(OperationalError, InterfaceError):
            if runs:
                for run_id, (last_seq, status) in (await sync_to_async(run_heads)(runs)).items():
                    for watch in self._watches.get(("run", run_id), ()):
                        watch.hear(last_seq, status)
            if tenants:
                for tenant_id, newest in (await sync_to_async(newest_transactions)(tenants)).items():
                    for watch in self._watches.get(("tenant", tenant_id), ()):
                        watch.hear(newest, None)

    async def _check_keys(self) -> None:
        """Find out which keys may not be used any more; should the database be away, nothing can be read anyway."""
        if not self._passes:
            return
        with contextlib.suppress(OperationalError, InterfaceError):
            passes = list(self._passes)
            keys = {one.key_secret for one in passes if one.key_secret is not None}
            members = {one.member_id for one in passes if one.member_id is not None}
            of_keys = await sync_to_async(scopes_of_live_keys)(keys) if keys else {}
            of_members = await sync_to_async(scopes_of_active_members)(members) if members else {}
            for one in passes:
                one.check(of_keys, of_members)


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None:
        found = _by_loop[loop] = Hub()
    return found
