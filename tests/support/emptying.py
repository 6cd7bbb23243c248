"""Emptying of the test database between tests that commit."""

from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connection

TRIES = 5


def empty_patiently(monkeypatch: Any) -> None:
    """Empty it again where the last request of a server that a test has stopped stood in the way."""
    flush: Callable[[list[str]], None] = connection.ops.execute_sql_flush

    def execute_sql_flush(statements: list[str]) -> None:
        for number in range(1, TRIES + 1):
            try:
                flush(statements)
            except OperationalError as error:
                if "deadlock" not in str(error) or number == TRIES:
                    raise
            else:
                return

    monkeypatch.setattr(connection.ops, "execute_sql_flush", execute_sql_flush)
