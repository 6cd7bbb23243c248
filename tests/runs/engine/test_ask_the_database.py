"""Threads ask the database for the engine; connections that end, and a database away for a moment, cost no question."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection
from psycopg import sql

from runs.engine.store.connection import Database, connect, conninfo
from runs.engine.store.threads import DatabaseThreads
from tests.support.engine import in_thread
from tests.support.process_ends import eventually

pytestmark = pytest.mark.django_db(transaction=True)
PID = "select pg_backend_pid()"


def ask_with(size: int, scenario: Callable[[DatabaseThreads], Awaitable[Any]], *, is_patient: bool = True) -> Any:
    async def main() -> Any:
        threads = DatabaseThreads("asker", size, is_patient=is_patient)
        threads.start()
        try:
            return await scenario(threads)
        finally:
            await threads.stop()

    return asyncio.run(main())


def pid(connection: Database) -> int:
    (found,) = connection.execute(PID).fetchone() or (0,)
    return int(found)


def end_sessions() -> list[int]:
    """End the threads' connections; return their numbers once they are gone."""
    ours = "from pg_stat_activity where application_name = 'llmteam asker'"
    with django_connection.cursor() as cursor:
        cursor.execute(f"select pid, pg_terminate_backend(pid) {ours}")
        ended = [row[0] for row in cursor.fetchall()]

        def is_gone() -> bool:
            cursor.execute(f"select count(*) {ours}")
            return bool(cursor.fetchone()[0] == 0)

        assert eventually(is_gone, seconds=10)
    return ended


def test_questions_are_asked_side_by_side_on_as_many_connections_as_threads() -> None:
    async def scenario(threads: DatabaseThreads) -> set[int]:
        def slow(connection: Database) -> int:
            connection.execute("select pg_sleep(0.2)")
            return pid(connection)

        return set(await asyncio.gather(*(threads.ask(slow) for _ in range(6))))

    assert len(ask_with(3, scenario)) == 3
    assert len(ask_with(1, scenario)) == 1


def test_a_connection_that_ended_between_two_questions_costs_no_question() -> None:
    async def scenario(threads: DatabaseThreads) -> tuple[int, list[int], int]:
        first = await threads.ask(pid)
        ended = await in_thread(end_sessions)
        return first, ended, await threads.ask(pid)

    first, ended, second = ask_with(1, scenario)
    assert first in ended, "the connection was ended"
    assert second not in ended
    with pytest.raises(psycopg.OperationalError):
        ask_with(1, scenario, is_patient=False)


def test_a_question_whose_connection_ends_meanwhile_fails_and_the_next_has_another() -> None:
    async def scenario(threads: DatabaseThreads) -> int:
        asked = asyncio.ensure_future(threads.ask(lambda connection: connection.execute("select pg_sleep(30)")))
        await asyncio.sleep(0.3)
        assert len(await in_thread(end_sessions)) == 1
        with pytest.raises(psycopg.OperationalError):
            await asked
        return int(await threads.ask(pid))

    assert ask_with(1, scenario)


def let_in(anybody: str) -> None:
    """Have the database take new connections, or refuse all."""
    name = str(django_connection.settings_dict["NAME"])
    with psycopg.connect(conninfo("test"), dbname="postgres", autocommit=True) as other:
        other.execute(
            sql.SQL("alter database {} with allow_connections {}").format(sql.Identifier(name), sql.SQL(anybody))
        )


def test_a_database_that_is_away_for_a_moment_is_waited_for() -> None:
    async def scenario(threads: DatabaseThreads) -> int:
        try:
            await in_thread(let_in, "false")
            with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
                await in_thread(connect, "test")
            asked = asyncio.ensure_future(threads.ask(pid))
            await asyncio.sleep(0.5)
            assert not asked.done()
        finally:
            await in_thread(let_in, "true")
        return await asked

    assert ask_with(1, scenario)


def test_what_a_question_raises_reaches_who_asked_and_the_connection_goes_on() -> None:
    async def scenario(threads: DatabaseThreads) -> bool:
        def wrong(_: Database) -> None:
            raise LookupError("nothing here")

        first = await threads.ask(pid)
        with pytest.raises(LookupError):
            await threads.ask(wrong)
        with pytest.raises(psycopg.errors.UndefinedTable):
            await threads.ask(lambda connection: connection.execute("select * from nowhere"))
        return first == await threads.ask(pid)

    assert ask_with(1, scenario)


def test_a_question_that_is_given_up_before_its_turn_is_not_asked() -> None:
    asked: list[int] = []

    async def scenario(threads: DatabaseThreads) -> None:
        slow = asyncio.ensure_future(threads.ask(lambda connection: connection.execute("select pg_sleep(0.3)")))
        given_up = asyncio.ensure_future(threads.ask(lambda connection: asked.append(pid(connection))))
        await asyncio.sleep(0.05)
        given_up.cancel()
        await slow
        await threads.ask(pid)

    ask_with(1, scenario)
    assert asked == []
