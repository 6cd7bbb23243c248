"""Of many who decide at once one wins and the others are told; what comes too early or too late is not lost."""

import asyncio
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from humantasks.errors import TaskOver
from runs.commands import command_run
from runs.engine.host.host import Host
from runs.errors import RunAlreadyOver
from runs.models import SignalKind
from runs.step_api.base import Emit, Next, StepCall, Wait
from tenants.models import Membership, Tenant
from tests.support.engine import event_types, get_run, queue_run, queue_runs, wait_until_over
from tests.support.host import running_host
from tests.support.tasks import ask, decide, make_member, task_of
from tests.support.worker import running_worker

LET_PARK = threading.Event()


async def hold_back(call: StepCall, following: Next) -> Emit | Wait:
    """A deployment's own middleware: the task is there, and the engine does not know of it yet."""
    answer = await following(call)
    await asyncio.to_thread(LET_PARK.wait, 30)
    return answer


@pytest.mark.parametrize("attempt", range(5))
def test_of_eight_who_decide_at_once_one_wins(acme: Tenant, host: Host, attempt: int) -> None:
    members = [make_member(acme, f"m{number}") for number in range(8)]
    run_id = queue_run(acme, ask())
    task = task_of(run_id)
    start = threading.Barrier(8, timeout=30)

    def say(number: int) -> str:
        start.wait()
        try:
            decide(members[number], task, "approved" if number % 2 else "rejected")
        except TaskOver as over:
            return str(over.extra["decided_by"])
        finally:
            connections.close_all()
        return f"won: {members[number].user.first_name}"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(say, range(8)))
    (winner,) = [one.removeprefix("won: ") for one in said if one.startswith("won")]
    assert Counter(said) == {f"won: {winner}": 1, winner: 7}, "every loser is told who was first"
    assert wait_until_over(run_id) == ["completed"]
    assert event_types(run_id).count("human.task_completed ask") == 1


def test_an_answer_before_the_run_has_parked_is_not_lost(acme: Tenant, ann: Membership, settings: Any) -> None:
    settings.STEP_MIDDLEWARE = [f"{__name__}.hold_back"]
    LET_PARK.clear()
    with running_host():
        run_id = queue_run(acme, ask())
        task = task_of(run_id)
        decide(ann, task)
        time.sleep(0.3)
        assert "human.task_created ask" not in event_types(run_id), "the answer really came first"
        assert get_run(run_id).signals_pending
        LET_PARK.set()
        assert wait_until_over(run_id) == ["completed"]
    assert event_types(run_id)[2:5] == ["human.task_created ask", "human.task_completed ask", "step.completed ask"]


@pytest.mark.parametrize("attempt", range(3))
def test_of_a_decision_and_a_cancel_the_decider_is_told_the_truth(
    acme: Tenant, ann: Membership, host: Host, attempt: int
) -> None:
    run_ids = queue_runs(acme, ask(), 10)
    tasks = [task_of(run_id) for run_id in run_ids]
    start = threading.Barrier(20, timeout=30)

    def cancel(run_id: Any) -> None:
        start.wait()
        try:
            command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.CANCEL)
        except RunAlreadyOver:
            pass
        finally:
            connections.close_all()

    def say(task: Any) -> bool:
        start.wait()
        try:
            decide(ann, task)
        except TaskOver:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(20) as pool:
        cancels = [pool.submit(cancel, run_id) for run_id in run_ids]
        said = [pool.submit(say, task) for task in tasks]
        decided = [one.result() for one in said]
        for one in cancels:
            one.result()
    for run_id, was_taken, end in zip(run_ids, decided, wait_until_over(*run_ids), strict=True):
        assert end in {"completed", "cancelled"}
        assert was_taken or end == "cancelled", "a run only goes on by a decision that was taken"
        assert task_of(run_id).status == ("completed" if was_taken else "cancelled")


def test_a_worker_that_dies_between_the_decision_and_the_next_step_loses_nothing(acme: Tenant, ann: Membership) -> None:
    with running_worker("worker-1") as first:
        run_ids = queue_runs(acme, ask(), 20)
        tasks = [task_of(run_id) for run_id in run_ids]
        first.kill()
        for task in tasks:
            decide(ann, task)
    assert {get_run(run_id).status for run_id in run_ids} <= {"waiting", "running", "queued"}, "nobody went on yet"
    with running_host():
        assert set(wait_until_over(*run_ids, seconds=30)) == {"completed"}
    for run_id in run_ids:
        assert event_types(run_id).count("human.task_completed ask") == 1
        assert event_types(run_id).count("step.completed yes") == 1
