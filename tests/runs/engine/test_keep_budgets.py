"""No run and no tenant takes more of language models than its budgets say."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.ids import new_id
from runs.engine import pricing
from runs.engine.errors import HostLost
from runs.engine.run.times import written_time
from runs.engine.services import HostServices
from runs.engine.store import budgets, workers
from runs.engine.store.budgets import HoldRequest
from runs.engine.store.connection import connect
from runs.models import BudgetHold, ModelPrice, Run, RunEvent, UsageDay, Worker
from runs.step_api.base import StepFailed
from runs.step_api.resources import Hold
from runs.usage.amounts import NOTHING, Amount
from tenants.models import Tenant
from tests.support.engine import (
    event_types,
    events_of,
    get_run,
    in_thread,
    queue_run,
    queue_runs,
    send_cancel,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.journals import register_host
from tests.support.segments import segment, step
from tests.support.usage_books import assert_equal_everywhere, holds_of, in_days
from tests.support.worker import running_worker


def spender(step_id: str = "ask", **config: Any) -> dict[str, Any]:
    return step(step_id, "spender", **config)


def bound(tenant: Tenant, **budgets: Any) -> None:
    with unscoped("an operator sets budgets"):
        Tenant.objects.filter(id=tenant.id).update(**budgets)


def spend(tenant: Tenant, tokens: int, *, cost: str = "0", days_ago: int = 0) -> None:
    with unscoped("a test plays what was spent before"):
        UsageDay.objects.create(
            tenant=tenant, day=utc_now().date() - timedelta(days=days_ago), segment_id="s", provider="p", model="m",
            is_test=False, shard=99, calls=1, input_tokens=tokens, output_tokens=0, cost=Decimal(cost),
            unpriced_calls=0, estimated_calls=0,
        )  # fmt: skip


def run_of(tenant: Tenant, *steps: dict[str, Any], **params: Any) -> dict[str, Any]:
    """The error of one run of the steps, or an empty object."""
    run_id = queue_run(tenant, segment(*steps, **params))
    wait_until_over(run_id)
    return get_run(run_id).error or {}


def asked(
    tenant: Tenant, tokens: int, *, cost: str | None = "0", attempt: int = 1, taken: Amount = NOTHING
) -> HoldRequest:
    return HoldRequest(
        tenant.id, (new_id(), "ask", 1, attempt), taken, Hold(tokens, None if cost is None else Decimal(cost))
    )


def reserve(worker_id: UUID, *requests: HoldRequest) -> list[StepFailed | None]:
    with connect("test") as connection:
        return budgets.reserve(connection, worker_id=worker_id, requests=requests)


def refusals(answers: Sequence[StepFailed | None]) -> list[StepFailed]:
    return [answer for answer in answers if answer is not None]


def test_a_call_within_the_day_passes_and_one_over_it_is_told_by_how_much(acme: Tenant) -> None:
    bound(acme, daily_token_budget=1_000)
    spend(acme, 850)
    with running_host():
        assert run_of(acme, spender(hold=150, takes=0, answers=0)) == {}
        error = run_of(acme, spender(hold=151))
    assert error["code"] == "BUDGET_EXCEEDED"
    assert error["message"] == (
        "The tenant's daily budget of 1000 tokens has no room for 151 more: 850 are spent, "
        "and 0 held for calls in flight."
    )
    assert error["attempts"] == 1, "it is not tried again"
    midnight = (utc_now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert error["details"] == {
        "scope": "day", "unit": "tokens", "limit": "1000", "spent": "850", "held": "0", "asked": "151",
        "resets_at": midnight.isoformat(),
    }  # fmt: skip
    assert holds_of(acme) == []


def test_what_was_spent_yesterday_does_not_count_today(acme: Tenant) -> None:
    bound(acme, daily_token_budget=1_000)
    spend(acme, 1_000, days_ago=1)
    worker_id = register_host()
    assert reserve(worker_id, asked(acme, 1_000)) == [None]
    spend(acme, 1)
    with unscoped("tests look everywhere"):
        BudgetHold.objects.all().delete()
    assert len(refusals(reserve(worker_id, asked(acme, 1_000)))) == 1


def test_fifty_at_once_on_two_hosts_with_room_for_ten_are_ten(acme: Tenant) -> None:
    bound(acme, daily_token_budget=1_000)

    hosts = [register_host(), register_host()]
    requests = [[asked(acme, 100) for _ in range(count)] for count in [1] * 40 + [5] * 2]
    with ThreadPoolExecutor(len(requests)) as threads:
        several = threads.map(lambda number: reserve(hosts[number % 2], *requests[number]), range(len(requests)))
        answers = [answer for found in several for answer in found]
    assert len(answers) == 50
    assert answers.count(None) == 10
    assert {refusal.code for refusal in refusals(answers)} == {"BUDGET_EXCEEDED"}
    assert sum(tokens for _, tokens, _ in holds_of(acme)) == 1_000


def test_steps_of_two_hosts_share_the_day(acme: Tenant) -> None:
    bound(acme, daily_token_budget=1_000)
    run_ids = queue_runs(acme, segment(spender(hold=100, takes=100, answers=0, seconds=0.3)), 50)
    with running_host(), running_host():
        outcomes = wait_until_over(*run_ids)
    assert (outcomes.count("completed"), outcomes.count("failed")) == (10, 40)
    assert assert_equal_everywhere(acme)[1] == 1_000
    assert holds_of(acme) == []


def test_what_a_call_did_not_take_is_free_again(acme: Tenant) -> None:
    bound(acme, daily_token_budget=200)
    row = [spender(f"ask_{n}", hold=100, takes=10, answers=0) for n in range(11)]
    with running_host():
        assert run_of(acme, *row) == {}
        assert run_of(acme, spender(hold=91))["code"] == "BUDGET_EXCEEDED"


def test_a_second_call_of_an_attempt_asks_beside_what_the_first_took(acme: Tenant) -> None:
    bound(acme, daily_token_budget=1_000)
    with running_host():
        assert run_of(acme, spender(calls=5, hold=200, takes=200, answers=0)) == {}
        assert in_days(acme)[1] == 1_000
        bound(acme, daily_token_budget=1_999)
        error = run_of(acme, spender(calls=5, hold=200, takes=200, answers=0))
    assert (error["details"]["spent"], error["details"]["held"], error["details"]["asked"]) == ("1800", "0", "200")
    assert assert_equal_everywhere(acme)[1] == 1_800, "what the refused attempt took before counts"


def test_a_call_that_takes_more_than_it_held_counts_whole_and_ends_the_day(acme: Tenant) -> None:
    """So a day ends above its budget by what calls in flight take beyond what they held, and by nothing else."""
    bound(acme, daily_token_budget=100)
    run_ids = queue_runs(acme, segment(spender(hold=50, takes=80, answers=0, seconds=0.3)), 5)
    with running_host():
        assert sorted(wait_until_over(*run_ids)) == ["completed"] * 2 + ["failed"] * 3
        assert in_days(acme)[1] == 160
        error = run_of(acme, spender(hold=1))
    assert (error["details"]["limit"], error["details"]["spent"]) == ("100", "160")


def test_money_is_bounded_by_the_price_the_tenant_has(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        bound(tenant, daily_cost_budget=Decimal("0.01"))
    prices = {"provider": "test", "model": "model-*", "output_per_million": 0}
    with unscoped("an operator enters prices"):
        ModelPrice.objects.create(**prices, input_per_million=Decimal(10))
        ModelPrice.objects.create(**prices, input_per_million=Decimal(20), tenant=globex)
    with running_host():
        assert run_of(acme, spender(hold=1_000, priced_as="model-a", cost="0")) == {}
        error = run_of(globex, spender(hold=1_000, priced_as="model-a"))
        unknown = run_of(acme, spender(hold=1_000, priced_as="other"))
    assert (error["code"], error["details"]["unit"]) == ("BUDGET_EXCEEDED", "USD")
    assert (error["details"]["limit"], error["details"]["asked"]) == ("0.01", "0.02")
    assert unknown["code"] == "PRICE_UNKNOWN"
    assert unknown["message"] == (
        "The tenant's daily budget is in US dollars, but the price of this model is not known; an operator can "
        "enter it."
    )


def test_two_tenants_have_budgets_of_their_own(acme: Tenant, globex: Tenant) -> None:
    bound(acme, daily_token_budget=50)
    bound(globex, daily_token_budget=500)
    with running_host():
        assert run_of(acme, spender(hold=100))["code"] == "BUDGET_EXCEEDED"
        assert run_of(globex, spender(hold=100)) == {}


def test_a_run_takes_no_more_than_its_budget_over_all_its_steps(acme: Tenant) -> None:
    bound(acme, run_token_budget=250)
    row = [spender(f"ask_{n}", hold=100, takes=100, answers=0) for n in range(3)]
    with running_host():
        error = run_of(acme, *row)
        assert run_of(acme, *row[:2]) == {}, "another run has its own"
    assert (error["step_id"], error["details"]["scope"], error["details"]["spent"]) == ("ask_2", "run", "200")
    assert error["details"]["resets_at"] is None


def test_branches_of_a_run_share_its_budget(acme: Tenant) -> None:
    bound(acme, run_token_budget=250)
    steps = [step("split", "parallel_split"), *(spender(f"ask_{n}", hold=100, seconds=0.3) for n in range(1, 4))]
    steps.append(step("join", "parallel_join"))
    edges = [{"from": "split", "from_port": f"branch_{n}", "to": f"ask_{n}"} for n in range(1, 4)]
    edges += [{"from": f"ask_{n}", "to": "join", "to_port": f"input_{n}"} for n in range(1, 4)]
    run_id = queue_run(acme, segment(*steps, edges=edges))
    with running_host():
        assert wait_until_over(run_id) == ["failed"]
    (failed,) = [event for event in events_of(run_id) if event.type == "step.failed" and event.step_id != "join"]
    details = failed.payload["error"]["details"]
    assert (details["scope"], details["held"], details["asked"]) == ("run", "200", "100")


def test_a_step_s_budget_is_for_all_its_attempts(acme: Tenant) -> None:
    retry = {"max_attempts": 6, "initial_seconds": 0.01}
    flaky = spender(fail="FLAKY", retryable=True, retry=retry, hold=100, takes=100, answers=0, step_tokens=350)
    with running_host():
        error = run_of(acme, flaky)
        assert run_of(acme, spender(step_cost="0.1", hold_cost="0.1")) == {}
        over = run_of(acme, spender(step_cost="0.1", hold_cost="0.11"))
    assert (error["code"], error["attempts"]) == ("BUDGET_EXCEEDED", 4)
    assert (error["details"]["scope"], error["details"]["spent"]) == ("step", "300")
    assert (over["details"]["scope"], over["details"]["unit"]) == ("step", "USD")


def test_another_owner_knows_what_run_and_step_have_spent(acme: Tenant) -> None:
    bound(acme, run_token_budget=250)
    retry = {"max_attempts": 6, "initial_seconds": 60}
    flaky = spender("flaky", fail="FLAKY", retryable=True, retry=retry, hold=100, takes=100, answers=0, step_tokens=190)
    run_id = queue_run(acme, segment(spender("first", takes=50, answers=0), flaky))
    with running_host():
        wait_for(lambda: "step.retrying flaky" in event_types(run_id))
    with unscoped("a test turns the clock"):
        event = RunEvent.objects.get(run_id=run_id, type="step.retrying")
        event.payload["retry_at"] = written_time(time.time())
        event.save(update_fields=["payload"])
        Run.objects.filter(id=run_id).update(wake_at=utc_now())
    with running_host():
        assert wait_until_over(run_id) == ["failed"]
    assert get_run(run_id).epoch == 2
    error = get_run(run_id).error or {}
    assert (error["details"]["scope"], error["details"]["spent"]) == ("step", "100")


def test_a_cap_set_while_a_host_runs_holds_soon(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "CAPS_SECONDS", 0.5)
    with running_host():
        assert run_of(acme, spender(hold=100)) == {}
        bound(acme, daily_token_budget=50)
        wait_for(lambda: run_of(acme, spender(hold=100)).get("code") == "BUDGET_EXCEEDED", seconds=10)


def test_without_budgets_no_call_asks_the_database_and_with_them_many_ask_together(acme: Tenant) -> None:
    document = segment(spender(hold=1, seconds=0.5))
    with running_host() as host:
        assert set(wait_until_over(*queue_runs(acme, document, 100))) == {"completed"}
        assert host._around.reservations.batches == 0
    bound(acme, daily_token_budget=10_000_000)
    with running_host() as host:
        assert set(wait_until_over(*queue_runs(acme, document, 100))) == {"completed"}
        assert 1 <= host._around.reservations.batches < 50
    assert holds_of(acme) == []


def test_three_hundred_at_once_are_given_room_in_a_few_batches(acme: Tenant) -> None:
    bound(acme, daily_token_budget=10_000_000)

    async def scenario() -> None:
        around = HostServices()
        around.reservations.worker_id = await in_thread(register_host)
        around.database.start()

        await around.reservations.reserve(asked(acme, 1))
        assert around.reservations.batches == 1
        await asyncio.gather(*(around.reservations.reserve(asked(acme, 100)) for _ in range(300)))
        assert around.reservations.batches <= 4
        await around.reservations.stop()
        await around.database.stop()

    asyncio.run(scenario())
    assert len(holds_of(acme)) == 301


def test_a_cancelled_or_late_step_lets_go_of_what_it_held(acme: Tenant) -> None:
    bound(acme, daily_token_budget=10_000)
    cancelled = queue_run(acme, segment(spender(hold=100, seconds=30)))
    late = queue_run(acme, segment(spender(hold=100, seconds=30, timeout_seconds=0.7)))
    with running_host():
        wait_for(lambda: len(holds_of(acme)) == 2)
        send_cancel(cancelled, poke=True)
        assert wait_until_over(cancelled, late) == ["cancelled", "failed"]
        assert holds_of(acme) == []


def test_a_request_whose_attempt_is_cancelled_meanwhile_holds_nothing(acme: Tenant) -> None:
    bound(acme, daily_token_budget=10_000)
    run_id = queue_run(acme, segment(spender(hold=100, timeout_seconds=0.5)))
    with running_host() as host:
        with connect("test") as other:
            other.execute("select pg_advisory_lock(%s, hashtext(%s))", [budgets.BUDGET_LOCK, str(acme.id)])
            assert wait_until_over(run_id) == ["failed"]
            assert (get_run(run_id).error or {})["code"] == "STEP_TIMED_OUT"
        wait_for(lambda: host._around.reservations.batches == 1)
        wait_for(lambda: holds_of(acme) == [])


@pytest.mark.soak
def test_a_host_that_stops_and_one_that_dies_let_go_of_what_they_held(acme: Tenant, server: CountingServer) -> None:
    bound(acme, daily_token_budget=10_000)
    server.route("GET", "/call", Answer(body={"ok": True}))
    run_id = queue_run(acme, segment(spender(hold=100, seconds=60, url=f"{server.url}/call")))
    with running_worker("worker-1") as first:
        wait_for(lambda: len(holds_of(acme)) == 1)
        first.kill()
        with running_worker("worker-2", WORKER_GRACE_SECONDS="0.5") as second:
            wait_for(lambda: get_run(run_id).epoch == 2 and server.count() == 2, seconds=20)
            wait_for(lambda: len(holds_of(acme)) == 1, what="the dead host's hold is gone, the new one's is there")
            second.stop()
    assert holds_of(acme) == []


def test_a_host_whose_lease_is_over_holds_nothing(acme: Tenant) -> None:
    bound(acme, daily_token_budget=10_000)
    worker_id = register_host()
    assert reserve(worker_id, asked(acme, 1)) == [None]
    assert len(holds_of(acme)) == 1
    with connect("test") as blocking:
        workers.unregister(blocking, worker_id=worker_id)
    assert holds_of(acme) == []
    with pytest.raises(HostLost):
        reserve(worker_id, asked(acme, 1))
    assert holds_of(acme) == []
    assert not Worker.objects.filter(id=worker_id).exists()


def test_asking_again_after_a_lost_answer_is_granted_again(acme: Tenant) -> None:
    bound(acme, daily_token_budget=100)
    worker_id, request = register_host(), asked(acme, 100)
    assert reserve(worker_id, request) == [None]
    assert reserve(worker_id, request) == [None]
    assert [tokens for _, tokens, _ in holds_of(acme)] == [100]
