"""While a circuit is open a step waits or fails, as it says; people are told of what it is, why, and how long."""

from typing import Any

import pytest

from runs.models import Run
from runs.step_api.base import Defer, Endpoint, StepFailed
from tenants.models import Tenant
from tests.support.breakers import HOST_FAILED, go, make_call
from tests.support.engine import get_run, queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

CAUGHT = {"from": "call", "from_port": "error", "to": "caught"}


def calling(server: CountingServer, *, is_routed: bool, **config: Any) -> dict[str, Any]:
    call = step("call", "http_action", url=f"{server.url}/dead", retry_count=0, **config)
    if not is_routed:
        return segment(call)
    return segment(call, step("caught", "transform", expression="input"), edges=[CAUGHT])


def waiting(run_id: Any) -> Run | None:
    run = get_run(run_id)
    return run if run.status == "waiting" else None


def test_a_step_waits_for_it_or_fails_as_it_says_and_names_it(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/dead", Answer(503))
    with running_host():
        caught = queue_run(acme, calling(server, is_routed=True))
        assert wait_until_over(caught) == ["completed"]
        assert get_run(caught).output["code"] == "HTTP_STATUS", "its circuit is still closed"
        wait_until_over(*queue_runs(acme, calling(server, is_routed=False), 10))
        asked = server.count("/dead")

        caught = queue_run(acme, calling(server, is_routed=True))
        failing = queue_run(acme, calling(server, is_routed=False, on_circuit_open="fail"))
        waits = [
            queue_run(acme, calling(server, is_routed=False)),
            queue_run(acme, calling(server, is_routed=True, on_circuit_open="wait")),
        ]
        late = queue_run(acme, calling(server, is_routed=False), timeout_seconds=2)
        assert wait_until_over(caught, failing, late) == ["completed", "failed", "timed_out"]
        wait_for(lambda: all(map(waiting, waits)))
    assert server.count("/dead") == asked

    host = server.url.removeprefix("http://")
    for error in (get_run(caught).output, get_run(failing).error):
        assert (error["code"], error["attempts"]) == ("CIRCUIT_OPEN", 1)
        assert {**error["details"], "next_probe": None} == {
            "connection": None, "host": host, "last_failure": "HTTP_STATUS 503", "next_probe": None
        }  # fmt: skip
        assert host in error["message"]
    for run_id in waits:
        (wait,) = get_run(run_id).waiting_for
        assert (wait["kind"], wait["host"], wait["last_failure"]) == ("circuit", host, "HTTP_STATUS 503")
        assert wait["next_probe"] <= wait["until"]
    timed_out = get_run(late).error
    assert timed_out["code"] == "RUN_TIMED_OUT"
    assert all(word in timed_out["message"] for word in (host, "HTTP_STATUS 503", "next call to test it"))
    assert timed_out["details"]["waiting_for"][0]["host"] == host


async def test_a_model_that_fails_closes_no_other_of_its_gateway(breaker: Any) -> None:
    def of(model: str | None, connection: str = "gateway") -> Endpoint:
        return Endpoint("gateway.test:443", connection, model=model)

    async def is_open(endpoint: Endpoint) -> bool:
        try:
            async with breaker.gate(call, endpoint):
                return False
        except Defer as closed:
            return closed.details["model"] == endpoint.model

    call = make_call()
    await go(breaker, call, HOST_FAILED, times=10, endpoint=of("m-1"))
    assert await is_open(of("m-1"))
    for other in (of("m-2"), of("m-1", "another"), of(None)):
        assert not await is_open(other)


@pytest.mark.parametrize(
    ("config", "routed", "fails"),
    [(None, True, True), (None, False, False), ("fail", False, True), ("wait", True, False)],
)
async def test_what_a_step_says_wins_over_its_edges(
    breaker: Any, config: str | None, routed: bool, fails: bool
) -> None:
    call = make_call(routes_errors=routed, **({} if config is None else {"on_circuit_open": config}))
    await go(breaker, call, HOST_FAILED, times=10)
    with pytest.raises(StepFailed if fails else Defer):
        async with breaker.gate(call, Endpoint("host.test:443")):
            raise AssertionError("it is open")
