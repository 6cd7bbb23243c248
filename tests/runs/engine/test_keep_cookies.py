"""Cookies of a login go with later calls of its run over its connection, whatever becomes of workers; nowhere else."""

import json
from typing import Any
from uuid import UUID

import pytest

from kernel.crypto import KeyRing, SealBroken
from kernel.ids import new_id
from runs.commands import command_run
from runs.models import SignalKind
from runs.replay import replay_run
from runs.step_api import cookies
from runs.step_api.cookies import RunCookies, sealed_again
from tenants.models import Tenant
from tests.support.calls import links_of, parked, post, waits_for_call
from tests.support.engine import events_of, get_run, queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.shops import SESSION, Shop, call, connect, login_then
from tests.support.worker import running_worker

ME = call("me", "/me")


@pytest.fixture
def shop(server: CountingServer) -> Shop:
    return Shop(server)


def told(run_id: UUID) -> list[dict[str, Any]]:
    """What the journal tells of cookies."""
    found = [event for event in events_of(run_id) if event.type in {"action.completed", "action.failed"}]
    return [event.payload["cookies"] for event in found if "cookies" in event.payload]


def test_a_login_holds_for_later_calls_where_the_connection_says_so(
    acme: Tenant, server: CountingServer, shop: Shop
) -> None:
    connect(acme, server)
    connect(acme, server, ref="plain", keeps_cookies=False)
    plain = segment(call("login", "/login", "POST", ref="plain"), call("me", "/me", ref="plain"))
    with running_host():
        known, unknown = queue_run(acme, login_then(ME, call("again", "/me"))), queue_run(acme, plain)
        assert wait_until_over(known, unknown) == ["completed", "failed"]
    (number,) = {shown for shown in shop.shown() if shown}
    assert sorted(shop.shown(), key=str) == [None, number, number]
    assert get_run(known).output["session"] in {1, 2}
    assert get_run(unknown).error["details"]["status"] == 401
    assert told(unknown) == []


def test_runs_tenants_and_connections_do_not_share_them(
    acme: Tenant, globex: Tenant, server: CountingServer, shop: Shop
) -> None:
    for tenant in (acme, globex):
        connect(tenant, server)
    connect(acme, server, ref="other")
    shop.delay_seconds = 0.3
    with running_host():
        runs = [*queue_runs(acme, login_then(ME), 4), *queue_runs(globex, login_then(ME), 4)]
        assert set(wait_until_over(*runs)) == {"completed"}
        assert sorted(get_run(run_id).output["session"] for run_id in runs) == [*range(1, 9)]
        strangers = [
            queue_run(acme, segment(ME)),
            queue_run(globex, segment(ME)),
            queue_run(acme, login_then(call("me", "/me", ref="other"))),
        ]
        assert wait_until_over(*strangers) == ["failed"] * 3
    assert shop.shown()[8:] == [None] * 3


def test_it_outlives_the_worker_that_logged_in(acme: Tenant, server: CountingServer, shop: Shop) -> None:
    connect(acme, server)
    shop.delay_seconds = 1.5
    run_id = queue_run(acme, login_then(ME))
    with running_worker("worker-1") as first:
        wait_for(lambda: server.count("/me") == 1, seconds=20)
        first.kill()
        with running_host():
            assert wait_until_over(run_id, seconds=40) == ["completed"]
    assert server.count("/login") == 1
    assert shop.shown() == [f"sid={SESSION}-1"] * 2


def test_it_outlives_a_pause_and_a_wait_for_a_call(acme: Tenant, server: CountingServer, shop: Shop) -> None:
    connect(acme, server)
    run_id = queue_run(acme, login_then(waits_for_call(), ME))
    with running_host():
        (link,) = links_of(run_id)
        parked(run_id)
        command_run(tenant=acme, actor="key:tests", run_id=run_id, command=SignalKind.PAUSE)
        wait_for(lambda: get_run(run_id).status == "paused", seconds=30)
    assert post(link).status_code == 200
    command_run(tenant=acme, actor="key:tests", run_id=run_id, command=SignalKind.RESUME)
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert shop.shown() == [f"sid={SESSION}-1"]


def test_a_replay_from_a_point_has_those_of_before(acme: Tenant, server: CountingServer, shop: Shop) -> None:
    connect(acme, server)
    run_id = queue_run(acme, login_then(ME))

    def replay(source: UUID, activation: str) -> UUID:
        started = replay_run(tenant=acme, actor="key:tests", run_id=source, from_activation=activation)
        assert wait_until_over(started.run.id) == ["completed"]
        return started.run.id

    with running_host():
        assert wait_until_over(run_id) == ["completed"]
        second = replay(replay(run_id, "me#1"), "me#1")
        assert (server.count("/login"), shop.shown()) == (1, [f"sid={SESSION}-1"] * 3)
        assert told(second)[0]["sealed"] != told(run_id)[0]["sealed"]
        replay(run_id, "login#1")
    assert shop.shown()[3:] == [f"sid={SESSION}-2"], "what was set behind the point is not there"


def test_a_retry_has_what_the_failed_attempt_was_given(acme: Tenant, server: CountingServer, shop: Shop) -> None:
    connect(acme, server)
    busy = Answer(503, headers={"Set-Cookie": "node=7; Path=/"})
    server.route("GET", "/busy", [busy, Answer(body={"ok": True})])
    run_id = queue_run(acme, segment(call("busy", "/busy", retry_count=1)))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert shop.shown("/busy") == [None, "node=7"]


def test_every_hop_of_a_login_counts_and_what_a_host_deletes_is_gone(
    acme: Tenant, server: CountingServer, shop: Shop
) -> None:
    connect(acme, server)
    away = [f"sid={SESSION}; Path=/; HttpOnly", "tls=1; Path=/; Secure", "deep=1; Path=/deep"]
    server.route("POST", "/sso", Answer(303, headers={"Set-Cookie": away, "Location": "/landing"}))
    server.route("GET", "/landing", Answer(body={}, headers={"Set-Cookie": "landed=1; Path=/"}))
    server.route("GET", "/look", Answer(body={}))
    server.route("GET", "/deep/look", Answer(body={}))
    server.route("POST", "/logout", Answer(body={}, headers={"Set-Cookie": "sid=; Path=/; Max-Age=0"}))
    steps = [call("sso", "/sso", "POST"), call("look", "/look"), call("deep", "/deep/look")]
    run_id = queue_run(acme, segment(*steps, call("out", "/logout", "POST"), call("after", "/look")))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    session = f"sid={SESSION}"
    assert shop.shown("/landing") == [session]
    assert [sorted((shown or "").split("; ")) for shown in shop.shown("/look")] == [["landed=1", session], ["landed=1"]]
    assert sorted((shop.shown("/deep/look")[0] or "").split("; ")) == ["deep=1", "landed=1", session]


def test_a_branch_sees_what_was_recorded_when_its_attempt_began_and_the_later_record_counts(
    acme: Tenant, server: CountingServer, shop: Shop
) -> None:
    connect(acme, server)
    for name, seconds in (("fast", 0.0), ("slow", 1.0)):
        both = [f"who={name}; Path=/", f"{name}=1; Path=/"]
        server.route("GET", f"/{name}", Answer(body={}, headers={"Set-Cookie": both}, delay_seconds=seconds))
    steps = [
        step("split", "parallel_split", branches=2),
        call("fast", "/fast"),
        call("slow", "/slow"),
        step("join", "parallel_join", strategy="all"),
        call("me", "/me", accept_statuses=[401]),
    ]
    edges: list[dict[str, Any]] = [
        {"from": "split", "from_port": "branch_1", "to": "fast"},
        {"from": "split", "from_port": "branch_2", "to": "slow"},
        *({"from": name, "to": "join"} for name in ("fast", "slow")),
        {"from": "join", "to": "me"},
    ]
    run_id = queue_run(acme, segment(*steps, edges=edges))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert (shop.shown("/fast"), shop.shown("/slow")) == ([None], [None])
    assert sorted((shop.shown()[0] or "").split("; ")) == ["fast=1", "slow=1", "who=slow"]


def test_of_more_than_fit_the_oldest_go_and_the_call_says_so(acme: Tenant, server: CountingServer, shop: Shop) -> None:
    connect(acme, server)
    many = [f"c{number:02}=1; Path=/" for number in range(49)]
    server.route("GET", "/many", Answer(body={}, headers={"Set-Cookie": many}))
    run_id = queue_run(acme, login_then(call("many", "/many"), ME))
    server.route("GET", "/late", Answer(body={}, headers={"Set-Cookie": "late=1; Path=/"}))
    over_id = queue_run(acme, login_then(call("many", "/many"), call("late", "/late"), call("me", "/me")))
    with running_host():
        assert wait_until_over(run_id, over_id) == ["completed", "failed"]
    assert [(one["kept"], one.get("dropped")) for one in told(run_id)] == [(1, None), (50, None)]
    assert [(one["kept"], one.get("dropped")) for one in told(over_id)] == [(1, None), (50, None), (50, 1)]
    sent = [(shown or "").split("; ") for shown in shop.shown()]
    assert sorted((len(shown), any("sid=" in one for one in shown)) for shown in sent) == [(50, False), (50, True)]


def test_what_is_sealed_opens_for_its_run_and_connection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant, one, other = new_id(), new_id(), new_id()
    ours = RunCookies(tenant, one)
    sealed = ours._seal("shop", json.dumps([{"name": "sid", "value": "1", "host": "a.example.com", "new_member": 1}]))
    payload: dict[str, Any] = {"status": 200, "cookies": {"connection": "shop", "kept": 1, "sealed": sealed}}
    ours.fold(payload)
    assert (len(ours.begin().of("shop")), len(ours.begin().of("other"))) == (1, 0)
    for stranger in (RunCookies(tenant, other), RunCookies(new_id(), one)):
        stranger.fold(payload)
        with pytest.raises(SealBroken):
            stranger.begin().of("shop")
    elsewhere = RunCookies(tenant, one)
    elsewhere.fold({"cookies": {**payload["cookies"], "connection": "other"}})
    with pytest.raises(SealBroken):
        elsewhere.begin().of("other")
    replayed = RunCookies(tenant, other)
    replayed.fold(sealed_again(payload, tenant_id=tenant, source=one, run_id=other))
    assert len(replayed.begin().of("shop")) == 1
    monkeypatch.setattr(cookies, "key_ring", lambda: KeyRing({"new": b"k" * 32}))
    assert sealed_again(payload, tenant_id=tenant, source=one, run_id=other) == payload
    without_key = RunCookies(tenant, one)
    without_key.fold(payload)
    without_key.fold(payload)
    with pytest.raises(SealBroken):
        without_key.begin().of("shop")
