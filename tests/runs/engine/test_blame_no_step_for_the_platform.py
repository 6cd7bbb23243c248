"""Faults of the database, Redis, keys, disk and memory put a step off; they never fail it."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import pytest
from django.db import connection
from psycopg import sql
from rest_framework.test import APIClient

from runs.engine.run.attempts import Attempt
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.support.engine import event_types, events_of, get_run, queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.step_types import FAULTS
from tests.support.worker import running_worker

OTHER_KEY = base64.b64encode(bytes(32)).decode()


def execute(statement: LiteralString | sql.Composed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def cut_everybody_off() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where application_name like 'llmteam %%' and datname = current_database()"
        )
        row: Any = cursor.fetchone()
        return int(row[0])


@contextmanager
def reads_only() -> Iterator[None]:
    """As after a failover to a replica: whoever connects can write nothing."""
    name = sql.Identifier(connection.settings_dict["NAME"])
    execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(name))
    assert cut_everybody_off() > 0
    try:
        yield
    finally:
        execute(sql.SQL("alter database {} reset default_transaction_read_only").format(name))
        cut_everybody_off()


@contextmanager
def lacks_a_table() -> Iterator[None]:
    """As when a worker is newer than the database."""
    execute("alter table runs_runevent rename to runs_runevent_gone")
    try:
        yield
    finally:
        execute("alter table runs_runevent_gone rename to runs_runevent")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_is_put_off_at_no_cost_and_goes_on_when_the_fault_is_over(acme: Tenant, fault: str) -> None:
    whole, hit = queue_run(acme, segment(step("one"))), queue_run(acme, segment(step("one", fault=fault)))
    crashed = queue_run(acme, segment(step("one", result_of="crash")))
    with running_host():
        assert wait_until_over(whole, hit, crashed) == ["completed", "completed", "failed"]
    assert get_run(crashed).error["code"] == "STEP_CRASHED"
    retried = [event.payload for event in events_of(hit) if event.type == "step.retrying"]
    assert [(payload["reason"], payload["consumed"]) for payload in retried] == [("platform", False)] * 2
    assert "step.retrying one" not in event_types(whole)


def test_while_it_waits_for_the_platform_a_run_says_so_holds_no_host_and_its_time_stands(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one", fault="redis away", faults=3)), timeout_seconds=4)
    began = time.monotonic()
    with running_host() as host:
        wait_for(lambda: event_types(run_id).count("step.retrying one") == 3)
        wait_for(lambda: get_run(run_id).status == "waiting")
        run = get_run(run_id)
        assert (run.owner, [wait["kind"] for wait in run.waiting_for]) == (None, ["platform"])
        assert not host.runners
        assert wait_until_over(run_id) == ["completed"]
    assert time.monotonic() - began > 4, "it would have been in time anyway"


def test_a_call_that_may_not_come_twice_is_settled_as_its_step_says(
    acme: Tenant, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory ends once the answer is there: nobody can know whether the call took effect."""
    server.route("POST", "/x", Answer(body={"ok": True}))

    def fails_once(attempt: Attempt, *arguments: Any) -> Any:
        if attempt.number == 1:
            raise MemoryError
        return completed(attempt, *arguments)

    completed = Attempt._completed
    monkeypatch.setattr(Attempt, "_completed", fails_once)
    calls = {
        how: step("call", "http_action", url=f"{server.url}/x", on_unknown=how) for how in ("retry", "fail", "ask")
    }
    retries, fails, asks = (queue_run(acme, segment(call)) for call in calls.values())
    with running_host():
        assert wait_until_over(retries, fails) == ["completed", "failed"]
        wait_for(lambda: get_run(asks).status == "stalled")
    assert (get_run(fails).error["code"], get_run(asks).error["code"]) == ("OWNER_LOST", "OUTCOME_UNKNOWN")
    assert sorted(server.keys().values()) == [1, 1, 2]


@pytest.mark.parametrize("key", ["development:" + OTHER_KEY, "other:" + OTHER_KEY], ids=["another", "none of that id"])
def test_a_worker_with_wrong_keys_fails_nothing_and_the_next_one_goes_on(
    acme: Tenant, server: CountingServer, key: str
) -> None:
    server.route("POST", "/x", Answer(body={"ok": True}))
    spec = ConnectionSpec(kind="http", base_url=server.url, auth="bearer")
    save_connection(tenant=acme, actor="system", ref="crm", spec=spec, secret="a-secret-of-theirs")
    run_id = queue_run(acme, segment(step("call", "http_action", client_ref="crm", path="/x", method="POST")))
    with running_worker("worker-1", SECRET_KEYS=key) as worker:
        wait_for(lambda: event_types(run_id).count("step.retrying call") >= 2)
        assert server.count() == 0
        assert "the platform's keys" in worker.log
        assert "a-secret-of-theirs" not in worker.log
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert server.count() == 1


@pytest.mark.parametrize("broken", [reads_only, lacks_a_table])
def test_a_database_that_refuses_everybody_costs_time_and_no_run(
    acme: Tenant, server: CountingServer, broken: Any
) -> None:
    server.route("POST", "/*", Answer(body={"ok": True}, delay_seconds=0.1))
    calls = [step(f"call_{n}", "http_action", url=f"{server.url}/{n}") for n in range(6)]
    run_ids = queue_runs(acme, segment(*calls), 10)
    with running_host():
        wait_for(lambda: server.count() >= 15)
        with broken():
            time.sleep(1)
            made = server.count()
            time.sleep(1.5)
            assert server.count() == made < 60, "something could be recorded still"
        assert set(wait_until_over(*run_ids, seconds=40)) == {"completed"}
    assert set(server.keys().values()) == {1}


def test_a_start_is_answered_with_come_again_when_nothing_can_be_written(acme: Tenant) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {create_api_key(tenant=acme, name='tests').text}")
    start = {"segment": segment(step("one")), "input": {}}
    assert client.post("/api/v1/runs", start, format="json").status_code == 202
    execute("set session characteristics as transaction read only")
    try:
        refused = client.post("/api/v1/runs", start, format="json")
    finally:
        execute("set session characteristics as transaction read write")
    assert (refused.status_code, refused.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) > 0
