"""Plans are kept for the runs that come, up to a bound."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from runs.engine import plans
from runs.engine.store.connection import connect
from tenants.models import Tenant
from tests.support.definitions import steps_in_a_row
from tests.support.engine import make_revision


async def read(wanted: list[UUID]) -> list[bool]:
    """Ask for plans one after the other; tell of each whether it had to be read."""
    asked: list[Any] = []
    connection = connect("tests")

    async def ask(question: Any) -> str:
        asked.append(question)
        return str(question(connection))

    kept = plans.Plans(ask, ())
    found = []
    for revision_id in wanted:
        before = len(asked)
        await kept.get(revision_id, plans.SEMANTICS)
        found.append(len(asked) > before)
    connection.close()
    return found


def test_large_plans_make_room_for_each_other(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of 1,000 steps takes 4 MiB, and each worker kept 256 of whatever size."""
    documents = [steps_in_a_row("input"), *(steps_in_a_row(*[f"input + {name}"] * 100) for name in (1, 2, 3))]
    small, a, b, c = (make_revision(acme, document).id for document in documents)
    monkeypatch.setattr(plans, "MAX_KEPT_CHARACTERS", 25_000)
    assert asyncio.run(read([small, a, b, b, a])) == [True, True, True, False, False]
    assert asyncio.run(read([small, a, b, c, c, b, small])) == [True, True, True, True, False, False, True]
