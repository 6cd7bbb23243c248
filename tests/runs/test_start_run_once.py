"""One start per idempotency key, whatever races, through a real server."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from foundation.scope import unscoped
from runs.models import Run
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.server import ServerProcess

STARTS = 20


@pytest.mark.django_db(transaction=True)
def test_twenty_racing_starts_with_one_key_make_one_run(acme: Customer, server: ServerProcess) -> None:
    body = {"segment": steps_in_a_row("input + 1"), "input": 1}
    assert _start(server, acme, body, "warm-up")[0].status_code == 202
    gate = threading.Barrier(STARTS)

    def race(_: int) -> tuple[httpx.Response, float, float]:
        return _start(server, acme, body, "one-key", gate)

    with ThreadPoolExecutor(STARTS) as pool:
        results = list(pool.map(race, range(STARTS)))
    answers = [answer for answer, _, _ in results]
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    replays = [answer for answer in answers if answer.headers.get("Idempotent-Replayed") == "true"]
    assert len(replays) == STARTS - 1
    # A race it was: most had been sent before the first was answered.
    first_answer = min(ended for _, _, ended in results)
    assert sum(began < first_answer for _, began, _ in results) > STARTS / 2
    with unscoped("tests look at everything"):
        assert Run.objects.count() == 2, "the warm-up's and the race's"


@pytest.mark.django_db(transaction=True)
def test_twenty_racing_starts_with_one_reference_make_one_run(acme: Customer, server: ServerProcess) -> None:
    fields = {"client_reference": "order-1", "on_duplicate": "return_existing"}
    body = {"segment": steps_in_a_row("input + 1"), "input": 1, **fields}
    gate = threading.Barrier(STARTS)

    def race(_: int) -> tuple[httpx.Response, float, float]:
        return _start(server, acme, body, None, gate)

    with ThreadPoolExecutor(STARTS) as pool:
        answers = [answer for answer, _, _ in pool.map(race, range(STARTS))]
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    with unscoped("tests look at everything"):
        assert Run.objects.count() == 1


def _start(
    server: ServerProcess,
    customer: Customer,
    body: dict[str, object],
    key: str | None,
    gate: threading.Barrier | None = None,
) -> tuple[httpx.Response, float, float]:
    with server.caller(customer.key) as caller:
        if gate is not None:
            gate.wait(20)
        began = time.monotonic()
        answer = caller.post("/api/v1/runs", json=body, headers={"Idempotency-Key": key} if key else {})
        return answer, began, time.monotonic()
