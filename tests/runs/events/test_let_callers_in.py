"""Who may open a stream, and until when."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from websockets.exceptions import InvalidStatus

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.events.tickets import issue_ticket, use_ticket
from runs.models import StreamTicket
from tenants.errors import KeyRefused
from tenants.models import ApiKey
from tenants.selectors import find_caller
from tenants.services import create_api_key, revoke_api_key
from tests.conftest import Customer
from tests.support.live_runs import LiveRun
from tests.support.server import ServerProcess
from tests.support.streams import event_stream, message, until_closed, websocket

pytestmark = pytest.mark.django_db(transaction=True)


def ticket_of(server: ServerProcess, customer: Customer) -> str:
    with server.caller(customer.key) as caller:
        answer = caller.post("/api/v1/ws-tickets")
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    ticket: str = answer.json()["ticket"]
    return ticket


def refusal(server: ServerProcess, path: str, *, key: str = "") -> tuple[str, int]:
    with websocket(server, path, key=key) as socket:
        told, code = until_closed(socket)
    assert len(told) == 1
    return told[0]["code"], code


def test_a_ticket_opens_one_stream_and_no_second(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")
    ticket = ticket_of(server, acme)
    with websocket(server, f"/ws/v1/runs/{run.id}/?ticket={ticket}") as socket:
        assert len(until_closed(socket)[0]) == 2
    assert refusal(server, f"/ws/v1/runs/{run.id}/?ticket={ticket}") == ("KEY_REFUSED", 4401)


def test_of_many_who_show_the_same_ticket_one_is_let_in(acme: Customer) -> None:
    ticket = issue_ticket(caller=find_caller(key_text=acme.key))

    def show(_: int) -> bool:
        try:
            use_ticket(text=ticket.text)
        except KeyRefused:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(show, range(8))) == 1


def test_a_ticket_is_too_old_after_thirty_seconds(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")
    ticket = ticket_of(server, acme)
    with unscoped("the test turns the clock"):
        stored = StreamTicket.objects.get()
        assert timedelta(seconds=25) < stored.expires_at - utc_now() <= timedelta(seconds=30)
        assert ticket.encode() not in bytes(stored.secret_hash)
        StreamTicket.objects.update(expires_at=utc_now())
    assert refusal(server, f"/ws/v1/runs/{run.id}/?ticket={ticket}") == ("KEY_REFUSED", 4401)
    ticket_of(server, acme)
    with unscoped("the test looks everywhere"):
        assert StreamTicket.objects.count() == 1, "old ones are forgotten"


def test_a_ticket_shows_only_its_own_tenants_runs(acme: Customer, globex: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")
    foreign = ticket_of(server, globex)
    assert refusal(server, f"/ws/v1/runs/{run.id}/?ticket={foreign}") == ("RUN_NOT_FOUND", 4404)


def test_a_key_in_the_address_is_no_key(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")
    assert refusal(server, f"/ws/v1/runs/{run.id}/?api_key={acme.key}") == ("UNKNOWN_PARAMETER", 4422)
    assert refusal(server, f"/ws/v1/runs/{run.id}/?ticket={acme.key}") == ("KEY_REFUSED", 4401)
    assert refusal(server, f"/ws/v1/runs/{run.id}/") == ("KEY_MISSING", 4401)
    wrong = acme.key[:-1] + ("x" if acme.key[-1] != "x" else "y")
    assert refusal(server, f"/ws/v1/runs/{run.id}/", key=wrong) == ("KEY_REFUSED", 4401)


def test_a_key_without_the_scope_is_refused(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")
    poor = create_api_key(tenant=acme.tenant, name="poor", scopes=["segments:read"]).text
    assert refusal(server, f"/ws/v1/runs/{run.id}/", key=poor) == ("SCOPE_MISSING", 4403)
    with event_stream(server, poor, f"/runs/{run.id}/events") as events:
        assert events.response.status_code == 403
    with server.caller(poor) as caller:
        assert caller.post("/api/v1/ws-tickets").status_code == 403


def test_a_page_of_a_foreign_origin_may_not_connect(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")
    path = f"/ws/v1/runs/{run.id}/?ticket="
    with websocket(server, path + ticket_of(server, acme), origin=server.url) as socket:
        assert len(until_closed(socket)[0]) == 2
    for origin in ("https://evil.example", "null"):
        with (
            pytest.raises(InvalidStatus) as refused,
            websocket(server, path + ticket_of(server, acme), origin=origin),
        ):
            pass
        assert refused.value.response.status_code == 403


def test_a_caller_who_speaks_is_told_that_nobody_listens(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    with websocket(server, f"/ws/v1/runs/{run.id}/", key=acme.key) as socket:
        assert message(socket)["seq"] == 1
        socket.send("hello")
        told, code = until_closed(socket)
    assert (told[0]["code"], code) == ("NO_MESSAGES", 4400)


def test_no_stream_is_at_any_other_address(server: ServerProcess) -> None:
    for path in ("/ws/", "/ws/v1/runs/", "/api/v1/events"):
        with pytest.raises(InvalidStatus), websocket(server, path):
            pass


def test_a_revoked_key_ends_its_streams_within_thirty_seconds(
    acme: Customer, globex: Customer, server: ServerProcess
) -> None:
    made = create_api_key(tenant=acme.tenant, name="to be revoked")
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    with (
        websocket(server, f"/ws/v1/runs/{run.id}/", key=made.text) as socket,
        websocket(server, f"/ws/v1/runs/{run.id}/", key=acme.key) as other,
        event_stream(server, made.text, "/events") as events,
    ):
        assert message(socket)["seq"] == message(other)["seq"] == 1
        revoke_api_key(tenant=acme.tenant, api_key_id=made.api_key.id)
        with unscoped("the test looks everywhere"):
            assert ApiKey.objects.filter(revoked_at__isnull=False).count() == 1
        began = time.monotonic()
        told, code = until_closed(socket)
        assert time.monotonic() - began < 30
        assert (code, told[-1]["code"]) == (4401, "KEY_REFUSED")
        assert list(events) == []
        assert events.comments[-1] == "the API key is not valid any more"
        assert time.monotonic() - began < 30
        run.write("segment.completed")
        found, code = until_closed(other)
        assert (found[-1]["event_type"], code) == ("segment.completed", 1000), "other keys go on"
