"""Live pieces of text are what is given up, and never events: by a host, by a web process, for a slow reader."""

import asyncio
from collections import deque
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from kernel.ids import new_id
from runs.bus.deltas import MAX_AT_ONCE, MAX_PENDING, Delta, Deltas
from runs.events.cursor import EventFrame, EventPlace, Record
from runs.events.live import KEPT_CHARACTERS, KEPT_DELTAS, LivePieces
from runs.events.send_buffer import MAX_UNSENT, SendBuffer
from runs.events.stream import MAX_UNSENT_FOR_LIVE, Stream, follow, open_run
from tenants.selectors import find_caller
from tests.conftest import Customer
from tests.support.live_runs import LiveRun

RUN_ID = new_id()
STARTED, ENDED = 2, 5


def piece(offset: int, text: str = "x", *, step_id: str = "speak", begun_seq: int = STARTED) -> Delta:
    return Delta(RUN_ID, step_id, 1, 1, 1, begun_seq, offset, text)


def frame(seq: int, kind: str, step_id: str = "speak") -> EventFrame:
    body = {"event_type": kind, "step_id": step_id, "activation": 1, "attempt": 1}
    return EventFrame(EventPlace(0, UUID(int=0), seq), str(seq), (Record(body),))


def test_a_piece_is_heard_between_its_attempt_s_start_and_its_end() -> None:
    live = LivePieces()
    live.hear(piece(0))
    assert live.after(0, STARTED - 1) == ([], 0), "not yet"
    assert live.after(0, STARTED) == ([piece(0)], 1)
    assert live.after(1, STARTED) == ([], 1), "once"
    live.take(frame(ENDED - 1, "action.completed"))
    live.take(frame(ENDED, "step.completed"))
    live.hear(piece(1))
    assert live.after(1, ENDED - 1) == ([piece(1)], 2)
    assert live.after(1, ENDED) == ([], 2), "not any more"


@pytest.mark.parametrize("kind", ["step.completed", "step.failed", "step.skipped", "step.retrying"])
def test_whatever_ends_an_attempt_ends_its_pieces_and_no_other_s(kind: str) -> None:
    live = LivePieces()
    live.take(frame(ENDED, kind, "other"))
    live.hear(piece(0))
    assert live.after(0, ENDED) == ([piece(0)], 1)
    live.take(frame(ENDED, kind))
    assert live.after(0, ENDED) == ([], 1)


def test_a_web_process_keeps_so_many_pieces_and_so_much_text_of_a_run() -> None:
    live = LivePieces()
    for number in range(KEPT_DELTAS * 3):
        live.hear(piece(number))
    found, heard = live.after(0, STARTED)
    assert [delta.offset for delta in found] == [*range(KEPT_DELTAS * 2, KEPT_DELTAS * 3)]
    assert heard == KEPT_DELTAS * 3
    for number in range(100):
        live.hear(piece(number, "x" * MAX_AT_ONCE))
    assert sum(len(delta.text) for delta in live.after(0, STARTED)[0]) == KEPT_CHARACTERS


async def test_a_host_that_cannot_tell_keeps_a_bounded_text_and_never_fails(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    deltas = Deltas()
    for number in range(100):
        deltas.publish(piece(number))
    await asyncio.sleep(0.3)
    assert deltas.dropped == 1, "what came together was one piece"
    for number in range(20_000):
        deltas.publish(piece(number * 100, "x" * 100))
    assert deltas._waiting == MAX_AT_ONCE, "of one attempt"
    for number in range(100):
        deltas.publish(piece(0, "x" * MAX_AT_ONCE, step_id=f"speak_{number}"))
    assert deltas._waiting == MAX_PENDING, "of all"
    assert deltas.dropped > 19_000
    await deltas.stop()


async def test_a_host_in_which_nobody_speaks_has_no_task_for_it() -> None:
    tasks = asyncio.all_tasks()
    deltas = Deltas()
    assert asyncio.all_tasks() == tasks
    deltas.publish(Delta(new_id(), "write", 1, 1, 1, 3, 0, "a word"))
    assert len(asyncio.all_tasks() - tasks) == 1
    await deltas.stop()
    assert asyncio.all_tasks() == tasks


class SlowReader:
    """What the server knows of a connection: how much its network has not taken."""

    def __init__(self) -> None:
        self.transport = SimpleNamespace(dataBuffer=b"", offset=0)

    def lag(self, count: int) -> None:
        self.transport.dataBuffer = b"x" * count


@pytest.mark.django_db(transaction=True)
async def test_a_slow_reader_gets_all_events_and_none_of_the_pieces(acme: Customer) -> None:
    assert MAX_UNSENT_FOR_LIVE < MAX_UNSENT, "pieces stop before events wait"
    run, reader, deltas = await sync_to_async(LiveRun)(acme.tenant), SlowReader(), Deltas()
    stream: Stream = await sync_to_async(
        lambda: open_run(caller=find_caller(key_text=acme.key), run_id=str(run.id), after="0")
    )()
    seen: deque[str] = deque()

    async def read() -> None:
        async with aclosing(follow(stream, SendBuffer(reader))) as found:
            async for pieces in found:
                seen.extend(record.body["event_type"] for one in pieces for record in one.records)

    async def speak_until(count: int) -> None:
        for number in range(100):
            deltas.publish(Delta(run.id, "step_1", 1, 1, 1, 1, number, "x"))
            await asyncio.sleep(0.1)
            if seen.count("step.delta") >= count:
                return

    reading = asyncio.create_task(read())
    await sync_to_async(run.write)("step.started")
    await speak_until(2)
    before = seen.count("step.delta")
    assert before >= 2, "a reader who keeps up hears them"
    reader.lag(MAX_UNSENT_FOR_LIVE + 1)
    for number in range(10):
        deltas.publish(Delta(run.id, "step_1", 1, 1, 1, 1, number, "x"))
        await asyncio.sleep(0.06)
    await sync_to_async(run.write)("action.started", "action.completed", "segment.completed")
    await asyncio.wait_for(reading, 20)
    assert seen.count("step.delta") == before
    assert [kind for kind in seen if kind != "step.delta"] == [
        *("step.started", "action.started", "action.completed", "segment.completed")
    ]
    await deltas.stop()
