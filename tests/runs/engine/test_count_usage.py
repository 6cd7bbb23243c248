"""What model calls took is the same in the journal, the run, the entries and the days, whatever happens."""

import asyncio
from decimal import Decimal
from typing import Any

from foundation.scope import unscoped
from runs.core.events import EventType
from runs.engine.journal.batches import Slice
from runs.engine.journal.committing import write_batch
from runs.engine.journal.writer import Writer
from runs.engine.run.spending import Spending
from runs.engine.store.connection import connect
from runs.journals.activations import list_steps
from runs.models import Run, UsageDay, UsageEntry
from runs.replay import replay_run
from tenants.models import Tenant
from tests.support.engine import get_run, in_thread, queue_run, queue_runs, send_cancel, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.journals import claim, open_journal, register_host
from tests.support.segments import segment, step
from tests.support.usage_books import assert_equal_everywhere
from tests.support.worker import running_worker


def spender(step_id: str = "ask", **config: Any) -> dict[str, Any]:
    return step(step_id, "spender", **config)


def entries(tenant: Tenant) -> list[UsageEntry]:
    with unscoped("tests look everywhere"):
        return list(UsageEntry.objects.filter(tenant=tenant).order_by("id"))


def test_each_call_is_an_entry_and_the_sums_are_equal(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(spender(calls=2, cost="0.0000015"), spender("again", model="model-b")))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert assert_equal_everywhere(acme) == (3, 45, Decimal("0.000003"))
    first, second, third = entries(acme)
    assert (first.step_id, first.activation, first.attempt, first.ordinal) == ("ask", 1, 1, 0)
    assert (second.ordinal, second.seq) == (1, first.seq)
    assert (first.connection, first.provider, first.model, first.request_id) == ("main", "test", "model-a", "r-1")
    assert (first.input_tokens, first.output_tokens, first.cost) == (10, 5, Decimal("0.0000015"))
    assert (third.step_id, third.model, third.cost) == ("again", "model-b", None)
    assert get_run(run_id).usage["unpriced_calls"] == 1
    with unscoped("tests look everywhere"):
        days = {day.model: day for day in UsageDay.objects.all()}
    assert (days["model-a"].calls, days["model-a"].unpriced_calls) == (2, 0)
    assert (days["model-b"].calls, days["model-b"].unpriced_calls) == (1, 1)
    assert days["model-a"].day == first.at.date()


def test_failed_and_retried_and_late_attempts_count(acme: Tenant) -> None:
    retried = spender(fail="FLAKY", fails_until=3, retryable=True, retry={"max_attempts": 4, "initial_seconds": 0.01})
    failing = spender(fail="BROKEN", cost="0.25")
    late = spender(calls=2, seconds=0.4, timeout_seconds=0.6)
    run_ids = [queue_run(acme, segment(one)) for one in (retried, failing, late)]
    with running_host():
        assert wait_until_over(*run_ids) == ["completed", "failed", "failed"]
    assert assert_equal_everywhere(acme) == (3 + 1 + 1, 75, Decimal("0.25"))
    assert [entry.attempt for entry in entries(acme) if entry.run_id == run_ids[0]] == [1, 2, 3]


def test_each_step_tells_what_all_its_attempts_took(acme: Tenant) -> None:
    retried = spender(fail="FLAKY", fails_until=3, retryable=True, retry={"max_attempts": 4, "initial_seconds": 0.01})
    run_id = queue_run(acme, segment(retried, spender("again", calls=2, cost="0.5")))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    first, second = list_steps(tenant=acme, run_id=run_id, cursor=None, limit=10).rows
    assert (first.usage["model_calls"], first.usage["input_tokens"], first.usage["unpriced_calls"]) == (3, 30, 3)
    assert (second.usage["model_calls"], second.usage["cost"]) == (2, "1.0")
    told = [step.usage["input_tokens"] for step in (first, second)]
    assert sum(told) == get_run(run_id).usage["input_tokens"]


def test_what_a_cancelled_step_took_counts(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(spender(calls=50, seconds=0.05)))
    with running_host():
        wait_for(lambda: get_run(run_id).status == "running")
        asyncio.run(asyncio.sleep(0.5))
        send_cancel(run_id, poke=True)
        assert wait_until_over(run_id) == ["cancelled"]
    calls, _, _ = assert_equal_everywhere(acme)
    assert 0 < calls < 50


def test_after_a_kill_between_call_and_commit_the_sums_are_equal(acme: Tenant, server: CountingServer) -> None:
    server.route("GET", "/call", Answer(body={"ok": True}, delay_seconds=0.1))
    row = [spender(f"ask_{n}", url=f"{server.url}/call", cost="0.5") for n in range(4)]
    run_ids = queue_runs(acme, segment(*row), 20)
    with running_worker("worker-1") as first:
        wait_for(lambda: server.count() >= 30, what="the first worker calls")
        first.kill()
        with running_host():
            assert set(wait_until_over(*run_ids, seconds=40)) == {"completed"}
    assert server.count() > 80, "the kill repeated nothing, so it proves nothing"
    assert assert_equal_everywhere(acme) == (80, 1200, Decimal(40))


def test_a_commit_without_an_answer_is_not_counted_twice(acme: Tenant) -> None:
    queue_run(acme, segment(spender()))
    used = {
        "connection": "main", "provider": "test", "model": "m", "input_tokens": 3, "output_tokens": 4, "cost": "0.1",
        "estimated": False, "latency_ms": 1, "request_id": None, "prompt": None,
    }  # fmt: skip

    async def scenario() -> None:
        (claimed,) = claim(await in_thread(register_host))
        journal, writer = open_journal(claimed), Writer()
        spending = Spending(journal, None, None)  # type: ignore[arg-type]  # asks for nothing here

        def tell() -> None:
            failed = {"error": {"code": "X"}, "edges": [], "usage": [used]}
            event = journal.append(EventType.STEP_FAILED, failed, step_id="ask", activation=1, attempt=1)
            spending.record(event, [used])

        tell()
        with connect("test") as lost_connection:
            write_batch(lost_connection, [Slice.of(journal)])
        assert journal.committed_seq == 0, "the answer must have been lost"
        tell()
        writer.start()
        await asyncio.wait_for(writer.commit(journal), 5)
        await writer.stop()

    asyncio.run(scenario())
    assert assert_equal_everywhere(acme) == (2, 14, Decimal("0.2"))


def test_a_replay_counts_only_what_it_does_itself(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(spender("one"), spender("two"), spender("three")))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
        new_id = replay_run(tenant=acme, actor="key:tests", run_id=run_id, from_activation="two#1").run.id
        assert wait_until_over(new_id) == ["completed"]
    assert assert_equal_everywhere(acme) == (5, 75, Decimal(0))
    assert get_run(new_id).usage["model_calls"] == 2
    steps = list_steps(tenant=acme, run_id=new_id, cursor=None, limit=10).rows
    assert [step.usage["model_calls"] for step in steps] == [0, 1, 1]


def test_a_run_that_tries_a_step_out_is_marked(acme: Tenant) -> None:
    run_ids = [queue_run(acme, segment(spender()), is_test=is_test) for is_test in (False, True)]
    with running_host():
        assert wait_until_over(*run_ids) == ["completed", "completed"]
    assert {entry.run_id: entry.is_test for entry in entries(acme)} == {run_ids[0]: False, run_ids[1]: True}
    with unscoped("tests look everywhere"):
        assert sorted(UsageDay.objects.values_list("is_test", "calls")) == [(False, 1), (True, 1)]


def test_usage_is_its_tenant_s_and_outlives_its_run(acme: Tenant, globex: Tenant) -> None:
    run_ids = [queue_run(tenant, segment(spender(takes=takes))) for tenant, takes in ((acme, 10), (globex, 20))]
    with running_host():
        assert wait_until_over(*run_ids) == ["completed", "completed"]
    assert assert_equal_everywhere(acme) == (1, 15, Decimal(0))
    assert assert_equal_everywhere(globex) == (1, 25, Decimal(0))
    with unscoped("a test removes a run"):
        Run.objects.filter(id=run_ids[0]).delete()
    assert len(entries(acme)) == 1


def test_nonsense_a_step_type_reports_is_kept_as_something_that_can_be_counted(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(spender(nonsense=True)))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    (entry,) = entries(acme)
    assert (entry.input_tokens, entry.output_tokens, entry.cost) == (2**31 - 1, 0, None)
    assert (entry.estimated, entry.model) == (True, "x\ufffd\ufffd" + "y" * 197)
    assert_equal_everywhere(acme)
