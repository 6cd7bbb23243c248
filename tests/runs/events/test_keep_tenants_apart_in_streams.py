"""Every socket and stream: nothing of another tenant's, with both walls and with either alone; without both it is seen.

The sockets come from the router, the streams from the URL resolver. A new one fails here until it has an entry below.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from channels.routing import URLRouter
from websockets.sync.client import ClientConnection, connect

from kernel.ids import new_id
from llmteam.asgi import sockets
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.api_routes import routes
from tests.support.inbox import a_member, a_task, client_of
from tests.support.live_runs import LiveRun
from tests.support.server import ServerProcess, running_server
from tests.support.streams import event_stream, message, until_closed, websocket
from tests.support.walls import CANARY, without_policies

pytestmark = pytest.mark.django_db(transaction=True)
SOCKETS = {"ws/v1/inbox/", "ws/v1/runs/<str:run_id>/", "ws/v1/events/", r"^[\s\S]*$"}
STREAMS = {"runs/<str:run_id>/events/stream", "events/stream"}
WALLS = {"both": (True, True), "policies alone": (False, True), "manager alone": (True, False)}
"""By name: whether the managers filter, and whether row-level security holds."""


@pytest.fixture(scope="module")
def without_managers(django_db_setup: None) -> Iterator[ServerProcess]:
    with running_server(program="tests.support.web_without_managers") as server:
        yield server


@contextmanager
def walls(managers: bool, policies: bool, of_both: tuple[ServerProcess, ServerProcess]) -> Iterator[ServerProcess]:
    """A server with the walls that are told."""
    with ExitStack() as open_walls:
        if not policies:
            open_walls.enter_context(without_policies())
        yield of_both[0] if managers else of_both[1]


@pytest.fixture
def both(server: ServerProcess, without_managers: ServerProcess) -> tuple[ServerProcess, ServerProcess]:
    return server, without_managers


@pytest.fixture
def theirs(globex: Customer) -> LiveRun:
    run = LiveRun(globex.tenant, segment_id=CANARY)
    run.write("segment.started", "segment.completed")
    a_task(globex.tenant, title=CANARY)
    return run


@contextmanager
def counts_of(server: ServerProcess, member: Membership) -> Iterator[ClientConnection]:
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client_of(member).cookies.items())
    address = f"{server.url.replace('http', 'ws')}/ws/v1/inbox/"
    with connect(address, additional_headers={"Cookie": cookie}, origin=server.url, proxy=None) as socket:  # type: ignore[arg-type]  # a text
        yield socket


def seen_in_run(server: ServerProcess, key: str, run_id: object) -> list[Any]:
    """What the socket and the stream of one run tell, up to their ends, with the ids and the request's left out."""
    with websocket(server, f"/ws/v1/runs/{run_id}/", key=key) as socket:
        told, code = until_closed(socket)
    with event_stream(server, key, f"/runs/{run_id}/events/stream") as events:
        status = events.response.status_code
        body = json.loads(events.response.read()) if status != 200 else [sent.data for sent in events]
    if isinstance(body, dict):
        body.pop("request_id", None)
    return [json.loads(json.dumps(each).replace(str(run_id), "ID")) for each in (told, code, status, body)]


def seen_of_tenant(server: ServerProcess, customer: Customer, others: Customer) -> list[dict[str, Any]]:
    """What the socket and the stream of a tenant tell up to a run of its own, behind what the other one's run does."""
    with (
        websocket(server, "/ws/v1/events/", key=customer.key) as socket,
        event_stream(server, customer.key, "/events/stream") as events,
    ):
        LiveRun(others.tenant, segment_id=CANARY).write("segment.started", "segment.completed")
        own = LiveRun(customer.tenant, segment_id="own")
        own.write("segment.started")
        found, heard = [message(socket)], iter(events)
        while found[-1].get("segment_id") != "own":
            found.append(message(socket))
        found.append(next(heard).data)
        while found[-1].get("segment_id") != "own":
            found.append(next(heard).data)
        return found


def test_every_socket_and_stream_has_an_entry() -> None:
    def paths(router: Any) -> set[str]:
        found: set[str] = set()
        for route in router.routes:
            found |= paths(route.callback) if isinstance(route.callback, URLRouter) else {str(route.pattern)}
        return found

    assert paths(sockets) == SOCKETS
    assert {path for path, _ in routes() if path.endswith("/stream")} == STREAMS


@pytest.mark.parametrize("which", WALLS)
def test_nothing_of_another_tenant_is_told(
    acme: Customer, globex: Customer, theirs: LiveRun, both: tuple[ServerProcess, ServerProcess], which: str
) -> None:
    own = LiveRun(acme.tenant, segment_id="own")
    own.write("segment.started", "segment.completed")
    ann = a_member(acme.tenant, "ann")
    a_task(acme.tenant)
    with walls(*WALLS[which], both) as server:
        shown = seen_in_run(server, acme.key, own.id)
        assert (len(shown[0]), *shown[1:3], len(shown[3])) == (2, 1000, 200, 2), "its own"
        refused = seen_in_run(server, acme.key, theirs.id)
        assert refused[1:3] == [4404, 404]
        assert refused == seen_in_run(server, acme.key, new_id())
        told = seen_of_tenant(server, acme, globex)
        assert {one["segment_id"] for one in told} == {"own"}
        with counts_of(server, ann) as socket:
            assert message(socket)["counts"]["groups"] == 1, "the task of its own tenant"
        assert CANARY not in json.dumps([refused, told])


def test_without_either_wall_the_other_s_events_are_told(
    acme: Customer, globex: Customer, theirs: LiveRun, both: tuple[ServerProcess, ServerProcess]
) -> None:
    """What the matrix would find."""
    ann = a_member(acme.tenant, "ann")
    a_task(acme.tenant)
    with walls(False, False, both) as server:
        assert CANARY in json.dumps(seen_in_run(server, acme.key, theirs.id))
        with counts_of(server, ann) as socket:
            assert message(socket)["counts"]["groups"] == 2
        assert CANARY in json.dumps(seen_of_tenant(server, acme, globex))
