"""Commands, starts and ends at the same instant, through HTTP and a real worker: one consistent journal each time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from foundation.scope import unscoped
from runs.models import RunEvent, Signal
from tests.conftest import Customer
from tests.support import step_types
from tests.support.engine import get_run, wait_for, wait_until_over
from tests.support.segments import segment, step
from tests.support.server import ServerProcess, running_server
from tests.support.worker import running_worker

CALLERS = 20
ROUNDS = [range(2, 4), pytest.param(range(8), marks=pytest.mark.soak)]
"""Those with a number that is odd have nobody who cancels."""
OVER = {"segment.completed", "segment.failed", "segment.cancelled"}


@dataclass(frozen=True)
class Call:
    """One caller's request, and when it was under way."""

    what: str
    answer: httpx.Response
    began: float
    ended: float


def race(server: ServerProcess, customer: Customer, run: dict[str, Any], start: Any, commands: list[str]) -> list[Call]:
    gate = threading.Barrier(len(commands))

    def call(what: str) -> Call:
        with server.caller(customer.key) as caller:
            caller.get("/api/v1/me")
            gate.wait(30)
            began = time.monotonic()
            if what == "start":
                answer = caller.post("/api/v1/runs", json=start, headers={"Idempotency-Key": run["client_reference"]})
            else:
                answer = caller.post(run["links"][what])
            return Call(what, answer, began, time.monotonic())

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(call, commands))


def check_journal(run_id: Any) -> str:
    """Check that the journal tells one story; return how it ends."""
    with unscoped("tests look at everything"):
        events = list(RunEvent.objects.filter(run_id=run_id).order_by("seq"))
        signals = list(Signal.objects.filter(run_id=run_id).order_by("id"))
    types = [event.type for event in events]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert types[0] == "segment.started"
    assert [kind for kind in types if kind in OVER] == types[-1:]
    turns = [kind for kind in types if kind in {"segment.paused", "segment.resumed"}]
    assert turns == ["segment.paused", "segment.resumed"] * (len(turns) // 2) + ["segment.paused"] * (len(turns) % 2)
    is_paused = False
    for kind in types:
        assert not (is_paused and kind == "step.started"), "begun while paused"
        is_paused = (is_paused or kind == "segment.paused") and kind != "segment.resumed"
    taken_by = {signal.id: types[(signal.applied_seq or 0) - 1] for signal in signals}
    assert all(signal.applied_seq for signal in signals)
    allowed = {"pause": {"segment.paused"}, "resume": {"segment.resumed"}, "cancel": {"segment.cancelled"}}
    for signal in signals:
        assert taken_by[signal.id] in allowed[signal.kind] | {types[-1]}, (signal.kind, taken_by[signal.id])
    outcomes = [(e.step_id, e.activation) for e in events if e.type in {"step.completed", "step.skipped"}]
    assert len(outcomes) == len(set(outcomes)), "one outcome per activation"
    return types[-1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rounds", ROUNDS, ids=len)
def test_twenty_racing_callers_leave_one_consistent_journal(acme: Customer, rounds: range) -> None:
    ends: list[str] = []
    answers: list[int] = []
    overlaps = 0
    with running_worker(), running_server(EXTRA_APPS=step_types.APP) as server, server.caller(acme.key) as caller:
        for number in rounds:
            name = f"race-{number}"
            steps = [step(f"s{n}", seconds=0.1 + 0.1 * (number % 4)) for n in range(4)]
            start = {"segment": segment(*steps), "input": {"n": 1}, "client_reference": name}
            run = caller.post("/api/v1/runs", json=start, headers={"Idempotency-Key": name}).json()
            kinds = ["pause", "resume", "start"] if number % 2 else ["pause", "resume", "start", "cancel"]
            calls = race(server, acme, run, start, (kinds * CALLERS)[:CALLERS])
            answers += [call.answer.status_code for call in calls]
            assert {call.answer.json()["run_id"] for call in calls if call.what == "start"} == {run["run_id"]}
            first_end = min(call.ended for call in calls)
            overlaps += sum(call.began < first_end for call in calls)
            run_id = UUID(run["run_id"])
            wait_for(lambda run_id=run_id: get_run(run_id).status not in {"running", "waiting"}, seconds=20)
            while get_run(run_id).status in {"paused", "queued"}:
                caller.post(run["links"]["resume"])
                time.sleep(0.1)
            wait_until_over(run_id)
            ends.append(check_journal(run_id))
    print(f"{overlaps} of {len(rounds) * CALLERS} requests at once; ends {ends}; {answers.count(409)} refused")
    assert set(answers) <= {200, 202, 409}
    assert overlaps > len(rounds) * CALLERS / 2, "it was no race"
    assert {"segment.completed", "segment.cancelled"} == set(ends)
