import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

import psycopg
import pytest
from django.db import connection as django_connection

from foundation.scope import unscoped
from runs.core.events import EventType
from runs.engine.errors import LeaseLost, RunRefused
from runs.engine.journal.batches import Slice
from runs.engine.journal.committing import write_batch
from runs.engine.journal.journal import Journal
from runs.engine.journal.writer import TENANT_EVENTS, Writer
from runs.engine.store.connection import connect, conninfo
from runs.models import Run
from tenants.models import Tenant
from tests.support.engine import events_of, get_run, in_thread, make_tenant, queue_runs
from tests.support.journal_digests import digest_of, stored_events
from tests.support.journals import claim, open_journal, register_host
from tests.support.segments import segment, step

DOCUMENT = segment(step("one"))
ACTION = EventType.ACTION_STARTED


def in_loop(scenario: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario()

    asyncio.run(run())


@asynccontextmanager
async def running_writer() -> AsyncIterator[Writer]:
    writer = Writer()
    writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


async def claimed_journals() -> list[Journal]:
    return [open_journal(claimed) for claimed in claim(await in_thread(register_host))]


def seqs(run_id: UUID) -> list[int]:
    return [event.seq for event in events_of(run_id)]


def transactions_of(run_ids: list[UUID]) -> set[str]:
    with unscoped("a test looks at system columns"), django_connection.cursor() as cursor:
        cursor.execute("select distinct xmin::text from runs_runevent where run_id = any(%s)", [run_ids])
        return {xmin for (xmin,) in cursor.fetchall()}


@contextmanager
def locked(run_id: UUID) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(conninfo("test")) as other:
        other.execute("select 1 from runs_run where id = %s for update", [run_id])
        yield other


def test_what_many_runs_record_at_once_is_one_transaction(acme: Tenant) -> None:
    run_ids = queue_runs(acme, DOCUMENT, 20)

    async def scenario() -> None:
        journals = await claimed_journals()
        for journal in journals:
            journal.append(EventType.SEGMENT_STARTED, {"input": None})
            journal.append(ACTION, {"n": 1}, step_id="one", activation=1, attempt=1)
        async with running_writer() as writer:
            await asyncio.gather(*(writer.commit(journal) for journal in journals))
            assert (writer.batches, writer.largest_batch) == (1, 20)

    in_loop(scenario)
    assert all(seqs(run_id) == [1, 2] for run_id in run_ids)
    assert len(transactions_of(run_ids)) == 1


def test_a_neighbours_commit_waits_for_little_of_what_another_tenant_records(acme: Tenant, globex: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 12)
    queue_runs(globex, DOCUMENT, 1)

    async def scenario() -> None:
        journals = await claimed_journals()
        for journal in journals:
            text = "x" * (900_000 if journal.tenant_id == acme.id else 1)
            journal.append(ACTION, {"text": text}, step_id="one", activation=1, attempt=1)
        (neighbours,) = [journal for journal in journals if journal.tenant_id == globex.id]
        others = [journal for journal in journals if journal is not neighbours]
        async with running_writer() as writer:
            commits = asyncio.gather(*(writer.commit(journal) for journal in others))
            await writer.commit(neighbours)
            assert (writer.batches, sum(journal.committed_seq for journal in others) <= 4) == (1, True)
            await commits
            assert writer.batches >= 3

    in_loop(scenario)


def test_the_row_tells_the_length_size_and_digest_of_what_is_stored(acme: Tenant) -> None:
    (run_id,) = queue_runs(acme, DOCUMENT, 1)

    async def scenario() -> None:
        (journal,) = await claimed_journals()
        async with running_writer() as writer:
            for text in ("ä", "b" * 500, "ä"):
                journal.append(ACTION, {"text": text}, step_id="one", activation=1, attempt=1)
                await writer.commit(journal)

    in_loop(scenario)
    events = stored_events(run_id)
    run = get_run(run_id)
    assert bytes(run.digest) == digest_of(events)
    assert run.last_seq == 3
    assert run.journal_bytes == sum(len(text.encode()) for *_, text in events)


def test_a_stale_epoch_loses_alone(acme: Tenant) -> None:
    run_ids = queue_runs(acme, DOCUMENT, 3)

    async def scenario() -> None:
        journals = await claimed_journals()
        stale = journals[1]
        await in_thread(raise_epoch, stale.run_id)
        for journal in journals:
            journal.append(EventType.SEGMENT_STARTED, {"input": None})
        async with running_writer() as writer:
            outcomes = await asyncio.gather(*(writer.commit(j) for j in journals), return_exceptions=True)
            assert writer.batches == 1
        assert [type(outcome) for outcome in outcomes] == [type(None), LeaseLost, type(None)]
        assert isinstance(stale.trouble, LeaseLost)

    in_loop(scenario)
    assert sorted(len(seqs(run_id)) for run_id in run_ids) == [0, 1, 1]


def raise_epoch(run_id: UUID) -> None:
    with unscoped("a test plays the next owner"):
        run = Run.objects.get(id=run_id)
        run.epoch += 1
        run.save(update_fields=["epoch"])


def test_a_row_locked_by_others_goes_to_the_next_batch_and_keeps_nobody_waiting(acme: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 3)

    async def scenario() -> None:
        journals = await claimed_journals()
        for journal in journals:
            journal.append(EventType.SEGMENT_STARTED, {"input": None})
        async with running_writer() as writer:
            with locked(journals[0].run_id):
                waiting = asyncio.create_task(writer.commit(journals[0]))
                await asyncio.wait_for(asyncio.gather(*(writer.commit(j) for j in journals[1:])), 2)
                await asyncio.sleep(0.05)
                assert not waiting.done()
                assert journals[0].misses > 0
            await asyncio.wait_for(waiting, 2)

    in_loop(scenario)


def test_a_run_that_is_gone_is_lost_and_not_tried_for_ever(acme: Tenant) -> None:
    (run_id,) = queue_runs(acme, DOCUMENT, 1)

    async def scenario() -> None:
        (journal,) = await claimed_journals()
        await in_thread(delete_run, run_id)
        journal.append(EventType.SEGMENT_STARTED, {"input": None})
        async with running_writer() as writer:
            with pytest.raises(LeaseLost):
                await asyncio.wait_for(writer.commit(journal), 10)

    in_loop(scenario)


def delete_run(run_id: UUID) -> None:
    with unscoped("a test removes a run"):
        Run.objects.filter(id=run_id).delete()


def test_what_postgres_refuses_fails_alone(acme: Tenant) -> None:
    run_ids = queue_runs(acme, DOCUMENT, 8)

    async def scenario() -> None:
        journals = await claimed_journals()
        for journal in journals:
            journal.append(EventType.SEGMENT_STARTED, {"input": None})
        bad = journals[5]
        bad.rows[0] = (*bad.rows[0][:-1], "{no json")
        async with running_writer() as writer:
            outcomes = await asyncio.gather(*(writer.commit(j) for j in journals), return_exceptions=True)
        assert [i for i, outcome in enumerate(outcomes) if isinstance(outcome, RunRefused)] == [5]
        assert [outcome for outcome in outcomes if outcome is not None] == [outcomes[5]]
        assert (bad.seq, bad.rows) == (0, [])

    in_loop(scenario)
    assert sorted(len(seqs(run_id)) for run_id in run_ids) == [0] + [1] * 7


@pytest.mark.parametrize(("is_shared", "batches"), [(False, 1), (True, 2)])
def test_one_transaction_takes_less_where_several_tenants_have_runs(
    acme: Tenant, *, is_shared: bool, batches: int
) -> None:
    run_ids = queue_runs(acme, DOCUMENT, 4)

    async def scenario() -> None:
        journals = await claimed_journals()
        for journal in journals:
            for n in range(TENANT_EVENTS // 2):
                journal.append(ACTION, {"n": n}, step_id="one", activation=1, attempt=1)
        async with running_writer() as writer:
            writer.is_shared = lambda: is_shared
            await asyncio.gather(*(writer.commit(journal) for journal in journals))
            assert writer.batches == batches

    in_loop(scenario)
    assert [len(seqs(run_id)) for run_id in run_ids] == [TENANT_EVENTS // 2] * 4


async def journals_of_two(acme: Tenant, globex: Tenant, *, events: int) -> tuple[list[Journal], list[Journal]]:
    """The journals of two tenants: of one with so many events each, of the other with one."""
    journals = await claimed_journals()
    large = [journal for journal in journals if journal.tenant_id == acme.id]
    small = [journal for journal in journals if journal.tenant_id == globex.id]
    for journal in journals:
        for n in range(events if journal in large else 1):
            journal.append(ACTION, {"n": n}, step_id="one", activation=1, attempt=1)
    return large, small


def test_a_small_journal_goes_with_the_next_batch_however_many_another_tenant_has(acme: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 5)
    globex = make_tenant("globex")
    queue_runs(globex, DOCUMENT, 1)

    async def scenario() -> None:
        large, (small,) = await journals_of_two(acme, globex, events=TENANT_EVENTS)
        async with running_writer() as writer:
            writer.is_shared = lambda: True
            others = [asyncio.create_task(writer.commit(journal)) for journal in large]
            await asyncio.sleep(0)
            await writer.commit(small)
            assert (writer.batches, [task.done() for task in others]) == (1, [True, *[False] * 4])
            await asyncio.gather(*others)
            assert writer.batches == 5

    in_loop(scenario)


def test_small_journals_wait_together_for_one_batch_of_another_tenant(acme: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 3)
    globex = make_tenant("globex")
    queue_runs(globex, DOCUMENT, 20)

    async def scenario() -> None:
        large, small = await journals_of_two(acme, globex, events=2 * TENANT_EVENTS)
        async with running_writer() as writer:
            writer.is_shared = lambda: True
            others = [asyncio.create_task(writer.commit(journal)) for journal in large]
            await asyncio.sleep(0)
            await asyncio.gather(*(writer.commit(journal) for journal in small))
            assert writer.batches <= 2
            await asyncio.gather(*others)
            assert writer.batches >= 3

    in_loop(scenario)


def test_a_commit_without_an_answer_is_not_written_twice(acme: Tenant) -> None:
    (run_id,) = queue_runs(acme, DOCUMENT, 1)

    async def scenario() -> None:
        (journal,) = await claimed_journals()
        journal.append(EventType.SEGMENT_STARTED, {"input": None})
        writer = Writer()
        with connect("test") as lost_connection:
            write_batch(lost_connection, [Slice.of(journal)])
        assert journal.committed_seq == 0, "the answer must have been lost"
        journal.append(ACTION, {"n": 2}, step_id="one", activation=1, attempt=1)
        writer.start()
        await asyncio.wait_for(writer.commit(journal), 5)
        await writer.stop()
        assert journal.committed_seq == 2

    in_loop(scenario)
    assert seqs(run_id) == [1, 2]


def test_a_connection_killed_again_and_again_loses_and_repeats_nothing(acme: Tenant) -> None:
    run_ids = queue_runs(acme, DOCUMENT, 5)
    rounds = 60
    kills = 0

    async def scenario() -> None:
        nonlocal kills
        journals = await claimed_journals()
        with connect("killer") as killer:
            async with running_writer() as writer:

                async def record(journal: Journal) -> None:
                    for n in range(rounds):
                        journal.append(ACTION, {"n": n}, step_id="one", activation=1, attempt=1)
                        await writer.commit(journal)

                work = asyncio.gather(*(record(journal) for journal in journals))
                killed_at = 0
                while not work.done():
                    await asyncio.sleep(random.uniform(0, 0.004))
                    if writer.batches < killed_at + 3:
                        continue
                    killed_at = writer.batches
                    found = killer.execute(
                        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = %s",
                        ["llmteam writer"],
                    )
                    kills += (found.fetchone() or (0,))[0]
                await work

    in_loop(scenario)
    assert kills >= 5, "the writer's connection was hardly killed"
    assert all(seqs(run_id) == list(range(1, rounds + 1)) for run_id in run_ids)
