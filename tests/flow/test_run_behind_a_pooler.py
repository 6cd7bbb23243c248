"""Web and workers behind PgBouncer in transaction mode, which gives a session for one transaction only."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from runs.engine.store.connection import connect, transaction
from runs.models import Worker
from tests.conftest import Customer
from tests.support import pooler
from tests.support.engine import get_run, statuses, wait_for
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.server import running_server
from tests.support.worker import running_worker

RUNS = 500
CALLS = 2
KILLED_AT = 150

needs_pooler = pytest.mark.skipif(pooler.PROGRAM is None, reason=pooler.MISSING)


@needs_pooler
@pytest.mark.django_db(transaction=True)
def test_without_the_switch_a_pooler_refuses_the_engine(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    with pooler.running_pooler() as before_database:
        monkeypatch.setitem(connection.settings_dict, "PORT", str(before_database.port))
        settings.DATABASE_POOLED = True
        with connect("test") as pooled, transaction(pooled):
            row = pooled.execute("select current_user, current_setting('lock_timeout')").fetchone()
        assert row == ("llmteam_system", "5s")
        settings.DATABASE_POOLED = False
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            connect("test")


@needs_pooler
@pytest.mark.django_db(transaction=True)
@pytest.mark.soak
def test_five_hundred_runs_complete_though_a_worker_is_killed(acme: Customer) -> None:
    with CountingServer() as world, pooler.running_pooler() as before_database:
        world.route("POST", "/*", Answer(body={"n": 1}, delay_seconds=0.05))
        calls = [step(f"call_{n}", "http_action", url=f"{world.url}/{n}") for n in range(CALLS)]
        document = segment(*calls, step("total", "transform", expression="steps.call_0.output.n + 1"))
        pooled = {
            "DATABASE_URL": before_database.address,
            "DATABASE_POOLED": "1",
            "DATABASE_DIRECT_URL": pooler.direct_address(),
            "WORKER_LEASE_SECONDS": "60",
            "WORKER_HEARTBEAT_SECONDS": "5",
        }
        before = before_database.transactions()
        with (
            running_server(**pooled) as server,
            running_worker("worker-1", **pooled) as killed,
            running_worker("worker-2", **pooled) as other,
            server.caller(acme.key) as caller,
            ThreadPoolExecutor(8) as threads,
        ):
            assert set(Worker.objects.values_list("holds_lock", flat=True)) == {True}

            def start(n: int) -> UUID:
                answer = caller.post("/api/v1/runs", json={"segment": document, "input": {"n": n}})
                assert answer.status_code == 202, answer.text
                return UUID(answer.json()["run_id"])

            starting = [threads.submit(start, n) for n in range(RUNS)]
            wait_for(lambda: world.count() >= KILLED_AT, seconds=60)
            killed.kill()
            run_ids = [each.result() for each in starting]
            wait_for(lambda: "running" not in statuses(run_ids).values(), seconds=120)
            wait_for(lambda: Counter(statuses(run_ids).values()) == {"completed": RUNS}, seconds=120)
            assert "1 are gone" in other.log
            for process in (server, killed, other):
                assert "prepared statement" not in process.log
                assert "unsupported startup parameter" not in process.log
        went_through = before_database.transactions() - before
        assert went_through > RUNS, "it did not go through the pooler"
    assert {get_run(run_id).output for run_id in run_ids} == {2}
    assert set(world.keys().values()) <= {1, 2}
    print(f"{RUNS} of {RUNS} runs, {went_through} transactions through the pooler")
