"""Threads that ask the database for an event loop."""

import asyncio
import contextlib
import logging
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from runs.engine.store.connection import CONNECT_SECONDS, Database, connect

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
AGAIN_SECONDS: Final = 0.1
"""Pause before another try to connect."""
STOP_SECONDS: Final = 1.0
"""Longest wait at the end for questions under way; threads the database keeps waiting end with the process."""
_Question = tuple[Callable[[Database], Any], "Future[Any]"]


class DatabaseThreads:
    """A few threads, each with a connection of its own, that ask the database for one event loop.

    A question costs the loop two turns, however often its thread waits for the database: with the waits in the loop
    itself each would stand behind whatever runs compute in between. A connection is opened when it is needed first, and
    again after one has failed.

    Args:
        purpose: Name of the connections, as the database lists them.
        size: Number of threads.
        is_patient: Whether a connection that the other side has ended is replaced before a question fails by it, and a
            database that is away is waited for as long as a connection. Not for who has to know that it was away.
    """

    def __init__(self, purpose: str, size: int = 1, *, is_patient: bool = False) -> None:
        self._purpose = purpose
        self._is_patient = is_patient
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, name=f"database {purpose} {number}", daemon=True)
            for number in range(size)
        ]

    def start(self) -> None:
        """Begin to answer."""
        for thread in self._threads:
            thread.start()

    async def ask(self, question: Callable[[Database], Answer]) -> Answer:
        """Have a thread ask, and return the answer. What is cancelled while a thread asks is asked to its end.

        Raises:
            psycopg.Error: As the database answers, or that there is none; what the question raises, besides.
        """
        answer: Future[Answer] = Future()
        self._questions.put((question, answer))
        return await asyncio.wrap_future(answer)

    async def stop(self) -> None:
        """Answer what was asked, and close the connections."""
        for _ in self._threads:
            self._questions.put(None)
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(STOP_SECONDS)

    def _serve(self) -> None:
        connection: Database | None = None
        while (asked := self._questions.get()) is not None:
            question, answer = asked
            if answer.set_running_or_notify_cancel():
                connection = self._answer(connection, question, answer)
        _close(connection)

    def _connect(self) -> Database:
        ends = time.monotonic() + CONNECT_SECONDS * self._is_patient
        while True:
            try:
                return connect(self._purpose)
            except psycopg.OperationalError:
                if time.monotonic() >= ends:
                    raise
            time.sleep(AGAIN_SECONDS)

    def _answer(
        self, connection: Database | None, question: Callable[[Database], Any], answer: "Future[Any]"
    ) -> Database | None:
        """Ask by this connection or a new one; return the one to go on with."""
        try:
            if connection is not None and self._is_patient and not _is_there(connection):
                _close(connection)
                connection = None
            connection = connection or self._connect()
            found = question(connection)
        except BaseException as error:
            if connection is not None and not _can_go_on(connection, error):
                _close(connection)
                connection = None
            answer.set_exception(error)
        else:
            answer.set_result(found)
        return connection


def _is_there(connection: Database) -> bool:
    """Whether the other side has not ended an idle connection, or is about to: idle, it has nothing else to say."""
    said = select.poll()
    try:
        said.register(connection.fileno(), select.POLLIN)
    except psycopg.Error:
        return False
    return not said.poll(0)


def _can_go_on(connection: Database, error: BaseException) -> bool:
    is_lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError | MemoryError)
    return not is_lost and connection.info.transaction_status is TransactionStatus.IDLE


def _close(connection: Database | None) -> None:
    if connection is not None:
        with contextlib.suppress(psycopg.Error, OSError):
            connection.close()
