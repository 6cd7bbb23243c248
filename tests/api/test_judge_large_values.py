"""Inputs that are slow to judge, sent to a real server: bounded, apart from everybody else, outside of transactions."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connection

from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.server import ServerProcess

pytestmark = pytest.mark.django_db(transaction=True)
FAST, SLOW = "fast", "slow"
ANY_OF = {"type": "array", "items": {"anyOf": [{"const": str(number)} for number in range(300)]}}
FITS = ["299"] * 20
MISFITS = ["no"] * 300
"""Every item breaks 300 rules, each of which is told: a good part of a second."""


@pytest.fixture
def attacker(server: ServerProcess, acme: Customer) -> Iterator[httpx.Client]:
    with server.caller(acme.key) as caller:
        assert (
            caller.put(
                f"/api/v1/segments/{SLOW}", json=steps_in_a_row("1", segment_id=SLOW, input_schema=ANY_OF)
            ).status_code
            == 201
        )
        yield caller


@pytest.fixture
def neighbour(server: ServerProcess, globex: Customer) -> Iterator[httpx.Client]:
    with server.caller(globex.key) as caller:
        schema = {"type": "object", "required": ["n"]}
        assert (
            caller.put(
                f"/api/v1/segments/{FAST}", json=steps_in_a_row("1", segment_id=FAST, input_schema=schema)
            ).status_code
            == 201
        )
        yield caller


def start_saved(caller: httpx.Client, value: Any) -> httpx.Response:
    return caller.post(f"/api/v1/segments/{SLOW}/runs", json={"input": value})


def start_inline(caller: httpx.Client, value: Any) -> httpx.Response:
    return caller.post(
        "/api/v1/runs", json={"segment": steps_in_a_row("1", segment_id=SLOW, input_schema=ANY_OF), "input": value}
    )


def timed(call: Callable[[], httpx.Response]) -> tuple[float, int]:
    began = time.monotonic()
    status = call().status_code
    return time.monotonic() - began, status


def transactions() -> list[str]:
    """The server's open transactions that wait for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            " and state like 'idle in transaction%' and state_change < now() - interval '0.1 s'"
        )
        return [query for (query,) in cursor.fetchall()]


@pytest.mark.parametrize("start", [start_saved, start_inline])
def test_a_slow_check_is_told_in_full_and_holds_no_transaction(
    attacker: httpx.Client, start: Callable[[httpx.Client, Any], httpx.Response]
) -> None:
    assert start(attacker, FITS).status_code == 202
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.extend(transactions())
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    answer = start(attacker, MISFITS)
    taken = time.monotonic() - began
    over.set()
    watcher.join()
    assert taken > 0.2, "there was time to see it"
    assert (answer.status_code, answer.json()["code"]) == (422, "INPUT_INVALID"), answer.text[:300]
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/input/{n}" for n in range(50)]
    assert seen == []


@pytest.mark.parametrize("start", [start_saved, start_inline])
def test_a_check_that_takes_too_much_is_refused_with_its_place(
    attacker: httpx.Client, start: Callable[[httpx.Client, Any], httpx.Response]
) -> None:
    assert start(attacker, FITS).status_code == 202
    answer = start(attacker, ["no"] * 20_000)
    assert (answer.status_code, answer.json()["code"]) == (422, "COMPUTE_LIMIT")
    (finding,) = answer.json()["errors"]
    assert (finding["code"], finding["pointer"]) == ("COMPUTE_LIMIT", "/input")
    assert finding["detail"].startswith("Checking the input by the segment's `input_schema` takes too much: ")


def test_a_member_that_many_rules_ask_for_is_told_once(attacker: httpx.Client) -> None:
    def start(value: dict[str, int], count: int) -> httpx.Response:
        schema = {"dependentSchemas": {f"a{number}": {"required": ["zz"]} for number in range(count)}}
        body = {"segment": steps_in_a_row("1", segment_id=SLOW, input_schema=schema), "input": value}
        return attacker.post("/api/v1/runs", json=body)

    for count in (20, 900):
        asking = {f"a{number}": 1 for number in range(count)}
        assert start({**asking, "zz": 1}, count).status_code == 202
        (finding,) = start(asking, count).json()["errors"]
        assert (finding["pointer"], finding["detail"]) == ("/input", "The member `zz` is missing.")


@pytest.mark.soak
def test_others_are_answered_while_one_tenant_sends_slow_values(
    server: ServerProcess, attacker: httpx.Client, neighbour: httpx.Client
) -> None:
    def probe() -> httpx.Response:
        return neighbour.post(f"/api/v1/segments/{FAST}/runs", json={"input": {"n": 1}})

    assert timed(probe)[1] == 202
    over = threading.Event()

    def attack(_: int) -> list[int]:
        statuses = []
        while not over.is_set():
            statuses.append(start_saved(attacker, ["no"] * 20_000).status_code)
        return statuses

    with ThreadPoolExecutor(8) as threads:
        attacks = threads.map(attack, range(8))
        time.sleep(1)
        probes = [timed(probe) for _ in range(30)]
        health = [timed(lambda: neighbour.get("/healthz")) for _ in range(10)]
        over.set()
        statuses = [status for found in attacks for status in found]
    assert {status for _, status in probes} == {202}
    assert set(statuses) == {422, 429}, "the attack was on its way, and had its share"
    assert sorted(seconds for seconds, _ in probes)[len(probes) // 2] < 1.0
    assert max(seconds for seconds, _ in [*probes, *health]) < 3.0
