"""A run that waits for a call holds nothing; the first call of its link resumes it, and no other does."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.db import connections
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from runs.commands import command_run
from runs.models import SignalKind
from runs.replay import replay_run
from runs.resuming.links import read_link, resume_url
from runs.resuming.services import MAX_EARLY_CALLS, CallReceipt, take_call
from tenants.models import Tenant
from tests.support.calls import get, links_of, parked, post, problem, told_before, waits_for_call
from tests.support.engine import (
    event_types,
    events_of,
    get_run,
    queue_run,
    queue_runs,
    signals_of,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.worker import running_worker

OVER = {"status": 410, "code": "LINK_OVER"}
UNKNOWN = {"status": 404, "code": "LINK_UNKNOWN"}
SECOND = 1 / 3600
FORM = "application/x-www-form-urlencoded"


def command(tenant: Tenant, run_id: UUID, kind: SignalKind) -> None:
    command_run(tenant=tenant, actor="key:tests", run_id=run_id, command=kind)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("llmteam_calls_total", {"outcome": outcome}) or 0.0


def test_a_step_before_it_knows_the_link_and_a_call_of_it_resumes_the_run(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host() as host:
        (link,) = links_of(run_id)
        parked(run_id)
        wait_for(lambda: run_id not in host.runners)
        run = get_run(run_id)
        (waits,) = run.waiting_for
        assert (waits["kind"], waits["ref"], waits["resume_url"]) == ("call", "hold#1", link)
        assert (run.owner, run.deadline_at) == (None, None)
        before = counted("resumed")
        answer = post(link, {"paid": True})
        assert (answer.status_code, answer.json()) == (200, {"outcome": "resumed"})
        assert counted("resumed") == before + 1
        assert wait_until_over(run_id) == ["completed"]
        assert get_run(run_id).output == {"told": link, "answer": {"paid": True}}
        assert problem(post(link, {"paid": False})) == OVER
        assert get(link).status_code == 410
    assert len(events_of(run_id)) == get_run(run_id).last_seq
    with unscoped("tests look everywhere"):
        assert Entry.objects.filter(action="run.call_resumed", object_id=str(run_id)).count() == 1


def test_opening_the_link_shows_a_page_and_changes_nothing(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        parked(run_id)
        before = get_run(run_id).last_seq
        for _ in range(3):
            page = get(link)
            assert page.status_code == 200
            assert "waits for a call" in page.content.decode()
            assert page["Cache-Control"] == "no-store"
            assert "default-src 'none'" in page["Content-Security-Policy"]
        assert (get_run(run_id).status, get_run(run_id).last_seq, signals_of(run_id)) == ("waiting", before, [])
        assert post(link).status_code == 200
        wait_until_over(run_id)


def test_a_link_that_was_not_signed_by_us_is_not_known(acme: Tenant) -> None:
    run_id, other = queue_runs(acme, told_before(), 2)
    with running_host():
        (link,), (others,) = links_of(run_id), links_of(other)
        base, token = link.rsplit("/", 1)
        said, signature = token.rsplit(".", 1)
        forged = [
            f"{said}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
            f"{said}1.{signature}",
            f"{others.rsplit('/', 1)[1].rsplit('.', 1)[0]}.{signature}",
            *("x", "." * 50, "é", said),
        ]
        for one in forged:
            assert problem(post(f"{base}/{one}", {})) == UNKNOWN
            assert get(f"{base}/{one}").status_code == 404
        assert post(link, {}).status_code == 200
        wait_until_over(run_id)


def test_a_body_that_does_not_fit_is_refused_and_the_link_can_be_called_again(acme: Tenant) -> None:
    schema = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer", "minimum": 1}}}
    run_id = queue_run(acme, told_before(schema=schema))
    with running_host():
        (link,) = links_of(run_id)
        refused = post(link, {"amount": 0})
        assert problem(refused) == {"status": 422, "code": "CALL_INVALID"}
        assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [("/amount", "MINIMUM")]
        assert post(link, {"amount": 7}).status_code == 200
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output["answer"] == {"amount": 7}


@pytest.mark.parametrize("way", ["port", "failure"])
def test_when_nobody_calls_it_leaves_by_timeout_or_fails(acme: Tenant, way: str) -> None:
    late = step("late", "transform", expression="input")
    edges = [{"from": "hold", "from_port": "output", "to": "done"}]
    edges += [{"from": "hold", "from_port": "timeout", "to": "late"}] if way == "port" else []
    steps = [waits_for_call(timeout_hours=0.5 * SECOND), step("done"), *([late] if way == "port" else [])]
    run_id = queue_run(acme, segment(*steps, edges=edges))
    with running_host():
        assert wait_until_over(run_id) == ["completed" if way == "port" else "failed"]
    run = get_run(run_id)
    if way == "port":
        assert run.output == {"late": {"timeout_hours": 0.5 * SECOND, "input": {"n": 1}}}
    else:
        assert (run.error["code"], run.error["step_id"]) == ("WAIT_TIMED_OUT", "hold")
    assert problem(post(links_of(run_id)[0], {})) == OVER


def test_a_call_that_comes_too_early_is_kept_for_the_step_that_waits(acme: Tenant) -> None:
    told, *rest = told_before()["steps"]
    slow = step("slow", seconds=1)
    edges = [{"from": a, "to": b} for a, b in (("told", "slow"), ("slow", "hold"), ("hold", "after"))]
    run_id = queue_run(acme, segment(told, slow, *rest, edges=edges))
    with running_host():
        wait_for(lambda: "step.started slow" in event_types(run_id))
        link = next(event for event in events_of(run_id) if event.type == "step.completed").payload["value"]
        assert get(link).status_code == 200
        early = post(link, "soon")
        assert (early.status_code, early.json()) == (202, {"outcome": "kept"})
        assert problem(post(link, "later")) == OVER
        assert not get_run(run_id).signals_pending
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == {"told": link, "answer": "soon"}
    assert all(signal.applied_seq for signal in signals_of(run_id))


def test_a_run_ends_though_nobody_takes_an_early_call(acme: Tenant) -> None:
    told, hold, after = told_before()["steps"]
    edges = [
        {"from": "told", "to": "slow"},
        {"from": "slow", "to": "hold", "condition": "false"},
        {"from": "hold", "to": "after"},
    ]
    run_id = queue_run(acme, segment(told, step("slow", seconds=1), hold, after, edges=edges))
    with running_host():
        wait_for(lambda: "step.started slow" in event_types(run_id))
        link = next(event for event in events_of(run_id) if event.type == "step.completed").payload["value"]
        assert post(link, {}).status_code == 202
        assert wait_until_over(run_id) == ["completed"]
        assert problem(post(link, {})) == OVER


def test_a_run_keeps_a_bounded_number_of_early_calls_and_says_so(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    links = [resume_url(acme.id, run_id, "hold", f"0_9-{item}") for item in range(MAX_EARLY_CALLS + 1)]
    assert {post(link, {}).status_code for link in links[:-1]} == {202}
    refused = post(links[-1], {})
    assert problem(refused) == {"status": 409, "code": "TOO_MANY_EARLY_CALLS"}
    assert len(signals_of(run_id)) == MAX_EARLY_CALLS
    assert not get_run(run_id).signals_pending, "so it takes no slot before its turn"


def test_a_form_may_be_sent_as_well(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        assert APIClient().post(urlsplit(link).path, "paid=yes&n=2", content_type=FORM).status_code == 200
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output["answer"] == {"paid": "yes", "n": "2"}


def test_each_item_has_a_link_of_its_own(acme: Tenant) -> None:
    edges = [
        {"from": "split", "from_port": "branch_1", "to": "told"},
        {"from": "told", "to": "hold"},
        {"from": "hold", "to": "after"},
        {"from": "after", "to": "join"},
    ]
    split, join = step("split", "parallel_split", items="['a', 'b', 'c']"), step("join", "parallel_join")
    after = step("after", "transform", expression="[item, input, steps.told.output]")
    told = step("told", "transform", expression="steps.hold.resume_url")
    run_id = queue_run(acme, segment(split, told, waits_for_call(), after, join, edges=edges))
    with running_host():
        links = links_of(run_id, 3)
        assert len(set(links)) == 3
        for number, link in reversed(list(enumerate(links))):
            assert post(link, number).status_code == 200
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == [[item, number, links[number]] for number, item in enumerate("abc")]


def test_each_pass_of_a_loop_has_a_link_of_its_own(acme: Tenant) -> None:
    edges = [
        {"from": "begin", "to": "told"},
        {"from": "told", "to": "hold"},
        {"from": "hold", "to": "told", "condition": "output.again"},
        {"from": "hold", "to": "done", "condition": "else"},
    ]
    told = step("told", "transform", expression="steps.hold.resume_url")
    begin, done = step("begin", "transform"), step("done", "transform", expression="steps.told.output")
    run_id = queue_run(acme, segment(begin, told, waits_for_call(), done, edges=edges))
    with running_host():
        (first,) = links_of(run_id)
        assert post(first, {"again": True}).status_code == 200
        first_again, second = links_of(run_id, 2)
        assert first_again == first != second
        assert problem(post(first, {"again": True})) == OVER
        assert post(second, {"again": False}).status_code == 200
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == second


def test_a_step_beside_it_knows_the_link(acme: Tenant) -> None:
    edges = [{"from": "begin", "to": "hold"}, {"from": "begin", "to": "beside"}]
    beside = step("beside", "transform", expression="steps.hold.resume_url")
    run_id = queue_run(acme, segment(step("begin", "transform"), waits_for_call(), beside, edges=edges))
    with running_host():
        (link,) = links_of(run_id)
        assert post(link, 1).status_code == 200
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == {"hold": 1, "beside": link}


def test_a_paused_run_takes_the_call_and_goes_on_when_it_is_resumed(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        parked(run_id)
        command(acme, run_id, SignalKind.PAUSE)
        wait_for(lambda: get_run(run_id).status == "paused")
        assert get_run(run_id).waiting_for[0]["resume_url"] == link
        assert post(link, {}).status_code == 200
        assert problem(post(link, {})) == OVER
        wait_for(lambda: "step.completed hold" in event_types(run_id) and get_run(run_id).status == "paused")
        assert "step.started after" not in event_types(run_id)
        command(acme, run_id, SignalKind.RESUME)
        assert wait_until_over(run_id) == ["completed"]


def test_a_cancelled_run_waits_for_nobody(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        command(acme, run_id, SignalKind.CANCEL)
        assert wait_until_over(run_id) == ["cancelled"]
    assert problem(post(link, {})) == OVER


def test_any_host_hears_a_call_that_came_while_there_was_none(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        parked(run_id)
    assert post(link, {}).status_code == 200
    assert problem(post(link, {})) == OVER, "though nobody has recorded the first"
    with running_host():
        assert wait_until_over(run_id) == ["completed"]


def test_a_replay_waits_for_a_call_of_its_own(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        assert post(link, "first").status_code == 200
        wait_until_over(run_id)
        again = replay_run(tenant=acme, actor="key:tests", run_id=run_id, from_activation="hold#1").run.id
        (other,) = links_of(again)
        assert problem(post(link, "again")) == OVER
        assert post(other, "second").status_code == 200
        assert wait_until_over(again) == ["completed"]
    assert get_run(again).output == {"told": link, "answer": "second"}, "what was told stands in the copied journal"


def test_of_many_calls_at_once_one_resumes_the_run(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        gate = threading.Barrier(6)

        def call(number: int) -> int:
            gate.wait()
            try:
                return int(post(link, number).status_code)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(call, range(6)))
        assert sorted(answers) == [200, *[410] * 5]
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output["answer"] == answers.index(200)


def test_of_a_call_and_the_end_of_its_time_one_wins(acme: Tenant) -> None:
    """Calls come around the end of the time, so that both win some; who was told 200 did win."""
    for spread in (1.0, 3.0):
        told = race(acme, spread)
        print(told)
        if {200, 410} <= set(told):
            return
    pytest.fail("no race: one of them won all")


def race(acme: Tenant, spread: float) -> list[int]:
    edges = [
        {"from": "hold", "from_port": "output", "to": "called"},
        {"from": "hold", "from_port": "timeout", "to": "late"},
    ]
    document = segment(waits_for_call(timeout_hours=4 * SECOND), step("called"), step("late"), edges=edges)
    run_ids = queue_runs(acme, document, 24)
    with running_host():
        links = [links_of(run_id)[0] for run_id in run_ids]
        began = time.monotonic()

        def call(number: int) -> int:
            time.sleep(max(0.0, began + 4 + spread * (number / 12 - 1) - time.monotonic()))
            try:
                return int(post(links[number], number).status_code)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(call, range(24)))
        assert set(wait_until_over(*run_ids)) == {"completed"}
    for number, (run_id, answer) in enumerate(zip(run_ids, answers, strict=True)):
        output: Any = get_run(run_id).output
        assert output == ({"called": number} if answer == 200 else {"late": output["late"]})
    return answers


def test_a_call_after_the_end_of_its_time_is_late_though_no_host_has_noticed_it(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before(timeout_hours=1.5 * SECOND))
    with running_host():
        (link,) = links_of(run_id)
    assert event_types(run_id)[-1] == "step.waiting hold"
    until = datetime.fromisoformat(events_of(run_id)[-1].payload["until"])
    wait_for(lambda: utc_now() > until)
    assert problem(post(link, {})) == OVER
    with running_host():
        assert wait_until_over(run_id) == ["failed"]


def test_a_call_that_is_taken_when_its_time_ends_is_heard(acme: Tenant) -> None:
    """The window is forced: the call's transaction begins before the end of the time and commits behind it."""
    run_id = queue_run(acme, told_before(timeout_hours=2 * SECOND))
    with running_host():
        (link,) = links_of(run_id)
        until = datetime.fromisoformat(events_of(run_id)[-1].payload["until"])
        with tenant_scope(acme.id):
            assert take_call(link=read_link(link.rsplit("/", 1)[1]), body="in time") is CallReceipt.RESUMED
            assert utc_now() < until
            wait_for(lambda: utc_now() > until + timedelta(seconds=0.5))
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output["answer"] == "in time"


def test_a_killed_worker_takes_no_call_along(acme: Tenant, server: CountingServer) -> None:
    """The worker owns the run, as something else of it is in flight, and is killed before the call."""
    server.route("GET", "/slow", Answer(body={"ok": True}, delay_seconds=5))
    edges = [{"from": "begin", "to": "hold"}, {"from": "begin", "to": "slow"}]
    slow = step("slow", "http_action", url=f"{server.url}/slow", method="GET")
    run_id = queue_run(acme, segment(step("begin", "transform"), waits_for_call(), slow, edges=edges))
    with running_worker("worker-1") as first:
        (link,) = links_of(run_id)
        wait_for(lambda: server.count() == 1)
        first.kill()
        assert get_run(run_id).owner is not None
        assert post(link, "heard").status_code == 200
        assert problem(post(link, "again")) == OVER
        server.route("GET", "/slow", Answer(body={"ok": True}))
        with running_host():
            assert wait_until_over(run_id, seconds=40) == ["completed"]
    assert get_run(run_id).output["hold"] == "heard"
    assert event_types(run_id).count("step.waiting hold") == 1
