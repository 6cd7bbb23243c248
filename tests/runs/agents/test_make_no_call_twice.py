"""What a tool has done is not done again by a later attempt of its step, unless the server honours idempotency keys."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from examples.model_server import Asked, Call, ModelServer, Problem, Reply
from runs.engine.host.host import Host
from runs.models import Run
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tenants.models import Tenant
from tests.support.agent_bench import wants
from tests.support.engine import events_of, make_tenant
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.model_runs import ask_step, connect_model, forget, run_steps

BOOK: dict[str, Any] = {
    "name": "book",
    "description": "Book a seat",
    "client_ref": "shop",
    "method": "POST",
    "path": "/book",
    "parameters": {
        "type": "object",
        "required": ["seat"],
        "properties": {"seat": {"type": "number"}, "who": {"type": ["string", "object"]}},
    },
}


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]
    settings.SWEEP_SECONDS = 0.1


@pytest.fixture
def tenant(transactional_db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def shop() -> Iterator[CountingServer]:
    with CountingServer() as server:
        server.route("POST", "/book", Answer(status=201, body={"seat": 7}))
        yield server


@pytest.fixture
def host(tenant: Tenant, models: ModelServer, shop: CountingServer) -> Iterator[Host]:
    connect_model(tenant, models)
    connect_shop(tenant, shop)
    with running_host() as running:
        yield running


def connect_shop(tenant: Tenant, shop: CountingServer, **more: Any) -> None:
    spec = ConnectionSpec(kind="http", base_url=shop.url, allows_tools=True, **more)
    save_connection(tenant=tenant, actor="system", ref="shop", spec=spec)


def booked(tenant: Tenant, models: ModelServer, *says: Reply | Problem, **tool: Any) -> Run:
    """Run a step with the tool, tried up to three times; the model says one after the other."""
    answers = iter(says)
    models.script = lambda _asked: next(answers)
    asking = ask_step(prompt="Book seat 7.", tools=[{**BOOK, **tool}])
    asking["retry"] = {"max_attempts": 3, "initial_seconds": 0.01, "factor": 1, "max_seconds": 0.01}
    return run_steps(tenant, asking)


def told(asked: Asked) -> list[Any]:
    return [json.loads(text) for text in asked.answers.values()]


DOWN = Problem("server_error")


def test_a_later_attempt_reads_what_was_done_and_does_not_do_it_again(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    run = booked(tenant, models, wants("book", seat=7), DOWN, Reply("Seat 7 is yours."))
    assert (run.status, run.output) == ("completed", "Seat 7 is yours.")
    assert len(shop.calls) == 1
    assert told(models.asked[2]) == told(models.asked[1]) == [{"status": 201, "response": {"seat": 7}}]


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"seat": 7}, {"seat": 7}),
    ({"seat": 7}, {"seat": 7.0}),
    ({"seat": 7, "who": {"a": "x", "b": [1]}}, {"who": {"b": [1.0], "a": "x"}, "seat": 7}),
]


def test_what_is_asked_for_again_is_answered_and_not_made(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    shop.route("PATCH", "/book", Answer(status=201, body={"seat": 7}))
    for method, (first, again) in itertools.product(("POST", "PATCH"), SAME):
        shop.forget()
        says = wants("book", **first), DOWN, wants("book", **again), Reply("Yours.")
        assert booked(tenant, models, *says, method=method).output == "Yours."
        assert len(shop.calls) == 1
        (*_, answer) = told(models.asked[-1])
        assert answer["answer"] == {"status": 201, "response": {"seat": 7}}
        assert "not made again" in answer["already_made"]


def test_another_call_is_made_and_so_is_one_that_the_other_side_refused(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    run = booked(tenant, models, wants("book", seat=7), DOWN, wants("book", seat=8), Reply("Both."))
    assert (run.output, [call.json()["seat"] for call in shop.calls]) == ("Both.", [7, 8])
    shop.forget()
    shop.route("POST", "/book", [Answer(status=503), Answer(status=201, body={})])
    run = booked(tenant, models, wants("book", seat=7), DOWN, wants("book", seat=7), Reply("Yours."))
    assert (run.output, len(shop.calls)) == ("Yours.", 2)


def test_a_server_that_honours_keys_is_called_again_with_the_same_key(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    connect_shop(tenant, shop, options={"honours_idempotency_key": True})
    forget(host)
    run = booked(tenant, models, wants("book", seat=7), DOWN, wants("book", seat=7.0), Reply("Yours."))
    assert run.output == "Yours."
    assert len({call.idempotency_key for call in shop.calls}) == 1
    assert len(shop.calls) == 2


def test_a_call_whose_answer_did_not_come_is_made_by_no_attempt_again(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    """The model is told so, and asks all the same: in the same attempt, and in the next."""
    connect_shop(tenant, shop, timeout_seconds=1)
    forget(host)
    shop.route("POST", "/book", Answer(status=201, body={}, delay_seconds=2.0))
    book = wants("book", seat=7)
    run = booked(tenant, models, book, book, DOWN, book, Reply("I do not know."))
    assert (run.status, run.output) == ("completed", "I do not know.")
    assert len(shop.calls) == 1
    assert "not made again" in told(models.asked[1])[0]["detail"]
    (*_, answer) = told(models.asked[4])
    assert "not made again" in answer["answer"]["detail"]


LOST = {
    "closed": Answer(raw=b""),
    "a cut head": Answer(raw=b"HTTP/1.1 2"),
    "a cut answer": Answer(raw=b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"),
    "504": Answer(504, "<h1>504 Gateway Time-out</h1>"),
    "500": Answer(500),
}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
def test_however_often_it_is_asked_for_it_is_not_made_again(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host, answer: Answer
) -> None:
    """Four times in the attempt, and twice in the next; with other arguments it is another call."""
    shop.route("POST", "/book", answer)
    book = wants("book", seat=7)
    says = book, book, book, wants("book", seat=7.0), DOWN, book, book, Reply("I do not know.")
    run = booked(tenant, models, *says)
    assert (run.status, run.output, len(shop.calls)) == ("completed", "I do not know.", 1)
    first, *others = told(models.asked[-1])
    assert "not made again" in first["detail"]
    assert all("not made again" in one["already_made"] for one in others)
    shop.forget()
    shop.route("POST", "/book", answer)
    booked(tenant, models, book, wants("book", seat=8), Reply("I do not know."))
    assert [call.json()["seat"] for call in shop.calls] == [7, 8]


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
def test_where_keys_are_honoured_each_asking_has_the_same_key(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host, answer: Answer
) -> None:
    connect_shop(tenant, shop, options={"honours_idempotency_key": True})
    forget(host)
    shop.route("POST", "/book", answer)
    book = wants("book", seat=7)
    booked(tenant, models, book, book, DOWN, book, Reply("I do not know."))
    assert len(shop.calls) == 3
    assert len({call.idempotency_key for call in shop.calls}) == 1


def test_what_was_refused_and_then_made_is_not_made_by_the_next_attempt(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    shop.route("POST", "/book", [Answer(status=409), Answer(status=201, body={})])
    book = wants("book", seat=7)
    run = booked(tenant, models, book, book, DOWN, book, Reply("Yours."))
    assert (run.output, [call.idempotency_key for call in shop.calls].count(shop.calls[0].idempotency_key)) == (
        "Yours.",
        2,
    )
    assert len(shop.calls) == 2


def test_calls_of_one_attempt_that_are_asked_for_twice_are_made_twice(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    twice = Reply(calls=(Call("book", {"seat": 7}, "a"), Call("book", {"seat": 7}, "b")), finish="tool_calls")
    run = booked(tenant, models, twice, DOWN, twice, Reply("Two seats."))
    assert (run.output, len(shop.calls)) == ("Two seats.", 2)


def test_a_post_that_a_redirect_made_a_get_is_told_to_the_model(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    shop.route("POST", "/book", Answer(status=302, headers={"location": "/seats"}))
    shop.route("GET", "/seats", Answer(body={"ok": 1}))
    run = booked(tenant, models, wants("book", seat=7), Reply("Hm."))
    (answer,) = told(models.asked[1])
    assert (run.output, answer["response"]) == ("Hm.", {"ok": 1})
    assert "followed by GET, without its body" in answer["remark"]


def test_a_secret_of_the_shop_stands_in_no_event(
    tenant: Tenant, models: ModelServer, shop: CountingServer, host: Host
) -> None:
    spec = ConnectionSpec(kind="http", base_url=shop.url, allows_tools=True, auth="bearer")
    save_connection(tenant=tenant, actor="system", ref="shop", spec=spec, secret="s3cr3t-of-the-shop")
    forget(host)
    shop.route("POST", "/book", Answer(status=201, body={"sent": "s3cr3t-of-the-shop"}))
    run = booked(tenant, models, wants("book", seat=7, who="s3cr3t-of-the-shop"), DOWN, Reply("Done."))
    assert run.output == "Done."
    noted = [event.payload["tool"] for event in events_of(run.id) if "tool" in event.payload]
    assert [set(one) for one in noted] == [{"name", "arguments"}, {"told"}]
    assert "s3cr3t-of-the-shop" not in json.dumps(noted)
