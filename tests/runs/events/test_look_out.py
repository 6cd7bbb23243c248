"""The process's look-out and the notices it listens to, in an event loop of the test's own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from kernel.ids import new_id
from runs.bus.advances import Advance, AdvancePublisher, read_advance, write_advance
from runs.bus.publisher import Publisher
from runs.events import hub as hub_module
from runs.events.hub import Hub
from tenants.models import ApiKey, Tenant
from tenants.types import Caller
from tests.support.valkeys import own_valkey

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("text", [b"", b"{}", b"7", b"[[1,2]]", b'[["a","b",3,null]]', b"\xff", b'[[null,null,"x",1]]'])
def test_a_notice_that_cannot_be_read_says_nothing(text: bytes) -> None:
    advance = Advance(new_id(), new_id(), 3, None)
    assert read_advance(write_advance([advance])) == [advance]
    assert read_advance(text) == []


async def test_a_host_goes_on_telling_whatever_becomes_of_redis(settings: Any) -> None:
    with own_valkey() as valkey:
        settings.REDIS_URL = valkey.url
        notices, hub, run_id = AdvancePublisher(), Hub(), new_id()
        notices.start()
        with hub.watching(("run", run_id)) as watch:
            await _until(lambda: hub._subscribed)
            notices.publish(Advance(new_id(), run_id, 1, None))
            await _until(lambda: watch.mark == 1)
            valkey.stop()
            notices.publish(Advance(new_id(), run_id, 2, None))
            await _until(lambda: notices.failures == 1)
            assert watch.mark == 1
            valkey.revive()
            await _until(lambda: hub._subscribed)
            notices.publish(Advance(new_id(), run_id, 3, "completed"))
            await _until(lambda: (watch.mark, watch.status) == (3, "completed"))
        await notices.stop()
        await _end(hub)


async def test_what_comes_meanwhile_goes_together_and_an_end_goes_at_once() -> None:
    pending, sent = [1], list[list[int]]()

    def take() -> bytes:
        sent.append(pending.copy())
        pending.clear()
        return b"[]"

    publisher = Publisher("llmteam:test", take=take, lost=lambda error: sent.append([-1]), pace_seconds=600)
    publisher.start()
    publisher.ask()
    await _until(lambda: sent == [[1]])
    for number in (2, 3):
        pending.append(number)
        publisher.ask()
    await asyncio.sleep(0.1)
    assert sent == [[1]], "not before the pace allows it"
    pending.append(4)
    publisher.ask(at_once=True)
    await _until(lambda: sent == [[1], [2, 3, 4]])
    await publisher.stop()


@pytest.mark.parametrize("moment", range(12))
async def test_notices_end_at_whatever_moment_they_are_stopped(moment: int) -> None:
    notices = AdvancePublisher()
    notices.start()
    notices.publish(Advance(new_id(), new_id(), 1, None))
    await _until(lambda: not notices._pending)
    notices.publish(Advance(new_id(), new_id(), 2, "completed"))
    for _ in range(moment):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await notices.stop()


async def test_nobody_is_woken_by_what_is_no_news(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    hub, run_id = Hub(), new_id()
    with hub.watching(("run", run_id)) as watch:
        hub._hear([Advance(new_id(), run_id, 5, "running")])
        assert watch.changed.is_set()
        watch.changed.clear()
        hub._hear([Advance(new_id(), run_id, 4, None), Advance(new_id(), run_id, 5, "running")])
        hub._hear([Advance(new_id(), new_id(), 9, "completed")])
        assert not watch.changed.is_set()
        hub._hear([Advance(new_id(), run_id, 5, "waiting")])
        assert watch.changed.is_set()
    await _end(hub)


def somebody() -> Caller:
    return Caller(Tenant(slug="acme"), ApiKey(id=new_id()))


async def test_the_look_out_ends_a_while_after_the_last_watcher_left(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(hub_module, "LINGER_SECONDS", 1.0)
    before = asyncio.all_tasks()
    hub = Hub()
    with hub.watching(("run", new_id())), hub.guarding(somebody(), "runs:read"):
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == len(before) + 2
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == len(before) + 2, "the next one finds it ready"
    await _until(lambda: asyncio.all_tasks() == before)
    await _end(hub)


async def _until(fact: Callable[[], bool], *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - any fact, of any object
            await asyncio.sleep(0.02)


async def _end(hub: Hub) -> None:
    for task in hub._tasks:
        task.cancel()
    await asyncio.gather(*hub._tasks, return_exceptions=True)
    await sync_to_async(connections.close_all)()
