"""Feed of a journal's newest events, read once for all followers in this process."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import takewhile
from typing import Final
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError

from runs.bus.deltas import Delta
from runs.events.cursor import EventBatch, EventFrame, EventPlace, EventSource, Key
from runs.events.hub import Hub, HubWatch, current_hub
from runs.events.live import LivePieces

log = logging.getLogger(__name__)

KEPT_FRAMES: Final = 1_000
KEPT_BYTES: Final = 4 * 1024 * 1024
BATCH_BYTES: Final = 64 * 1024
PACE_SECONDS: Final = 0.05
"""Least time between two reads: a busy journal is read 20 times a second, by whomever many it is followed."""
HELD_BACK_SECONDS: Final = (0.02, 1.0)
AWAY_SECONDS: Final = 1.0


class Feed:
    """Reads on whenever the hub says so, and keeps what it has read last.

    A follower holds nothing but its place. It takes what lies behind it from here, or, when it is too far behind (it
    has just come, or reads slowly), from the journal itself. So followers cost the same however slow they are.
    """

    def __init__(self, source: EventSource, start: EventPlace, *, ended: bool = False) -> None:
        self.source = source
        self.ended = ended
        self.followers = 0
        self._floor = self._place = start
        self._frames: deque[EventFrame] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self.live = LivePieces()
        self._task: asyncio.Task[None] | None = None
        self._hub: Hub | None = None

    def start(self, hub: Hub) -> None:
        """Begin to read."""
        self._hub = hub
        hub.at_close.add(self._wake_followers)
        if not self.ended:
            self._task = asyncio.create_task(self._read_forever(hub), name=f"feed of {self.source.key}")
            self._task.add_done_callback(partial(self._report, hub))

    def _report(self, hub: Hub, task: asyncio.Task[None]) -> None:
        """Say what nobody foresaw, and begin again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s stopped", task.get_name(), exc_info=error)
            if self.followers:
                asyncio.get_running_loop().call_later(AWAY_SECONDS, self.start, hub)

    def stop(self) -> None:
        """Read no more."""
        if self._hub is not None:
            self._hub.at_close.discard(self._wake_followers)
        if self._task is not None:
            self._task.cancel()

    def is_over_at(self, place: EventPlace) -> bool:
        """Whether nothing will ever follow a place."""
        return self.ended and place >= self._place

    async def after(self, place: EventPlace, source: EventSource, *, seconds: float) -> EventBatch | None:
        """Return what follows a place, waiting for it; None when nothing came in time.

        Args:
            place: Where the follower is.
            source: Reads what is not kept here any more.
            seconds: How long to wait.
        """
        if place >= self._place and not self.ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
        if place >= self._floor:
            return self._kept(place)
        try:
            return await sync_to_async(source.read)(place)
        except (OperationalError, InterfaceError):
            await asyncio.sleep(AWAY_SECONDS)
            return None

    def _kept(self, place: EventPlace) -> EventBatch | None:
        behind = list(takewhile(lambda frame: frame.place > place, reversed(self._frames)))
        frames: list[EventFrame] = []
        size = 0
        while behind and size < BATCH_BYTES:
            frames.append(behind.pop())
            size += frames[-1].size
        if frames:
            return EventBatch(frames, frames[-1].place, more=True)
        return EventBatch([], self._place, more=False) if self._place > place else None

    async def _read_forever(self, hub: Hub) -> None:
        pause = HELD_BACK_SECONDS[0]
        with hub.watching(self.source.key) as watch:
            watch.hear_delta = self._hear_delta
            while not self.ended:
                watch.changed.clear()
                began = time.monotonic()
                stretch = await self._read()
                if stretch is None:
                    await asyncio.sleep(AWAY_SECONDS)
                    continue
                if not stretch.more:
                    pause = min(pause * 2, HELD_BACK_SECONDS[1]) if stretch.held_back else HELD_BACK_SECONDS[0]
                    await self._wait(watch, pause if stretch.held_back else None)
                await asyncio.sleep(max(0.0, began + PACE_SECONDS - time.monotonic()))

    def _hear_delta(self, delta: Delta) -> None:
        self.live.hear(delta)
        self._wake_followers()

    def _wake_followers(self) -> None:
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()

    async def _read(self) -> EventBatch | None:
        try:
            stretch = await sync_to_async(self.source.read)(self._place)
        except (OperationalError, InterfaceError):
            return None
        self._take(stretch)
        return stretch

    async def _wait(self, watch: HubWatch, seconds: float | None) -> None:
        if not self.ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await watch.changed.wait()

    def _take(self, stretch: EventBatch) -> None:
        for frame in stretch.frames:
            self._frames.append(frame)
            self._bytes += frame.size
            self.ended = self.ended or frame.ends
            self.live.take(frame)
        while self._frames and (len(self._frames) > KEPT_FRAMES or self._bytes > KEPT_BYTES):
            dropped = self._frames.popleft()
            self._bytes -= dropped.size
            self._floor = dropped.place
        self._place = stretch.place
        if stretch.frames:
            self._wake_followers()


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Key, Feed]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def following(key: Key, build: Callable[[], Feed]) -> AsyncIterator[Feed]:
    """Share the feed of a journal; the first follower starts it, the last one stops it."""
    feeds = _by_loop.setdefault(asyncio.get_running_loop(), {})
    feed = feeds.get(key)
    if feed is None:
        feed = feeds[key] = build()
        feed.start(current_hub())
    feed.followers += 1
    try:
        yield feed
    finally:
        feed.followers -= 1
        if feed.followers == 0:
            feed.stop()
            if feeds.get(key) is feed:
                del feeds[key]
