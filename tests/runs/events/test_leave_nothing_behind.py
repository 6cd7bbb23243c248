"""What callers hold while they follow, and what is left when they are gone."""

from contextlib import ExitStack

import psutil
import pytest
import redis
from django.conf import settings
from django.db import connection

from tests.conftest import Customer
from tests.support.live_runs import LiveRun
from tests.support.process_ends import eventually
from tests.support.server import running_server
from tests.support.streams import event_stream, message, websocket

pytestmark = pytest.mark.django_db(transaction=True)
FOLLOWERS = 25


def database_connections(process: psutil.Process) -> int:
    ports = [found.laddr.port for found in process.net_connections() if found.raddr]
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_stat_activity where client_port = any(%s)", [ports])
        found: int = cursor.fetchone()[0]
    return found


@pytest.mark.soak
def test_followers_hold_no_thread_and_no_connection_and_leave_nothing(acme: Customer) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    with running_server() as server:
        process = psutil.Process(server.pid)

        def callers() -> int:
            return sum(
                found.laddr.port == server.port and found.status == "ESTABLISHED" for found in process.net_connections()
            )

        readers = []
        with ExitStack() as stack:
            for _ in range(FOLLOWERS):
                socket = stack.enter_context(websocket(server, f"/ws/v1/runs/{run.id}/", key=acme.key))
                events = stack.enter_context(event_stream(server, acme.key, f"/runs/{run.id}/events"))
                readers.append(events)
                assert message(socket)["seq"] == events.take(1)[0].data["seq"] == 1
            assert callers() == 2 * FOLLOWERS
            assert process.num_threads() <= 12
            assert database_connections(process) <= 8
            assert _subscriptions(process) == 1
        assert eventually(lambda: callers() == 0, seconds=10)
        # The look-out's subscription is the last to go.
        assert eventually(lambda: _subscriptions(process) == 0, seconds=30)
        assert "took too long to shut down" not in server.log
        assert "ERROR" not in server.log


def _subscriptions(process: psutil.Process) -> int:
    """How many connections of a process Redis keeps as subscribers."""
    ports = {found.laddr.port for found in process.net_connections() if found.raddr}
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        subscribers = broker.client_list(_type="pubsub")
    return sum(int(found["addr"].rpartition(":")[2]) in ports for found in subscribers)
