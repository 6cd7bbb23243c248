"""Following all runs of a tenant: by page, as server-sent events, over a WebSocket."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection
from rest_framework.test import APIClient

from runs.engine.store.connection import conninfo
from tests.conftest import Customer
from tests.support.live_runs import LiveRun
from tests.support.server import ServerProcess
from tests.support.streams import event_stream, message, until_closed, websocket

pytestmark = pytest.mark.django_db(transaction=True)
Api = Callable[[Customer], APIClient]
Records = list[dict[str, Any]]
WRITERS = 8
COMMITS = 25

INSERT = """
insert into runs_runevent (run_id, seq, tenant_id, type, created_at, payload)
values (%s, %s, %s, 'action.started', clock_timestamp(), '{}')
"""


def pages(client: APIClient, query: str = "") -> Iterator[Records]:
    cursor = ""
    while True:
        page = client.get(f"/api/v1/events?{query}{cursor}").json()
        if not page["data"]:
            return
        yield page["data"]
        cursor = f"&cursor={page['next_cursor']}"


def test_pages_have_all_runs_in_order_and_go_on_where_they_ended(acme: Customer, api: Api) -> None:
    first, second = LiveRun(acme.tenant), LiveRun(acme.tenant, segment_id="second")
    first.write("segment.started")
    second.write("segment.started")
    first.steps(2)
    second.write("segment.completed")
    client = api(acme)
    found = [record for page in pages(client, "limit=2") for record in page]
    assert [(record["run_id"], record["seq"]) for record in found] == [
        (str(run.id), seq)
        for run, seq in [
            (first, 1),
            (second, 1),
            *[(first, seq) for seq in (2, 3, 3, 4, 5, 5)],
            (second, 2),
        ]
    ]
    own = client.get(f"/api/v1/runs/{first.id}/events").json()["data"]
    assert [record for record in found if record["run_id"] == str(first.id)] == own, "the same records"
    last = client.get("/api/v1/events").json()
    assert client.get(last["next_url"]).json()["data"] == []
    first.write("segment.completed")
    assert [record["seq"] for record in client.get(last["next_url"]).json()["data"]] == [6]
    assert client.get("/api/v1/events?cursor=now").json()["data"] == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("event_type=data.produced", ["data.produced"]),
        ("event_type=step.completed,segment.completed", ["step.completed", "segment.completed"]),
        ("segment=second", ["segment.started", "segment.completed"]),
        ("segment=second&event_type=segment.started", ["segment.started"]),
    ],
)
def test_filters_add_up_on_pages_and_streams(
    acme: Customer, api: Api, server: ServerProcess, query: str, wanted: list[str]
) -> None:
    start = api(acme).get("/api/v1/events?cursor=now").json()["next_cursor"]
    first, second = LiveRun(acme.tenant, segment_id="first"), LiveRun(acme.tenant, segment_id="second")
    first.steps(1)
    second.write("segment.started", "segment.completed")
    assert [record["event_type"] for page in pages(api(acme), query) for record in page] == wanted
    with (
        websocket(server, f"/ws/v1/events/?cursor={start}&{query}", key=acme.key) as socket,
        event_stream(server, acme.key, f"/events?cursor={start}&{query}") as events,
    ):
        assert [message(socket)["event_type"] for _ in wanted] == wanted
        assert [sent.data["event_type"] for sent in events.take(len(wanted))] == wanted
    only = [record for page in pages(api(acme), f"run={second.id}") for record in page]
    assert [record["run_id"] for record in only] == [str(second.id)] * 2


@pytest.mark.parametrize("query", ["event_type=step.begun", "run=7", "cursor=abc", "cursor=MS4yLjM", "after=1"])
def test_what_cannot_be_meant_is_refused(acme: Customer, api: Api, server: ServerProcess, query: str) -> None:
    assert api(acme).get("/api/v1/events").status_code == 200
    assert api(acme).get(f"/api/v1/events?{query}").status_code == 422
    with websocket(server, f"/ws/v1/events/?{query}", key=acme.key) as socket:
        told, code = until_closed(socket)
    assert (len(told), code) == (1, 4422)


def test_eight_writers_at_once_and_nothing_is_missed(acme: Customer, server: ServerProcess) -> None:
    """Transactions commit in another order than they began; each follower still gets all, once, in order."""
    runs = [LiveRun(acme.tenant) for _ in range(WRITERS)]
    written = WRITERS * COMMITS * 3
    found: dict[str, Records] = {}

    def over_websocket() -> None:
        with websocket(server, "/ws/v1/events/", key=acme.key) as socket:
            ready.wait()
            found["websocket"] = [message(socket) for _ in range(written)]

    def over_sse() -> None:
        with event_stream(server, acme.key, "/events/stream") as events:
            ready.wait()
            found["sse"] = [sent.data for sent in events.take(written)]

    def over_pages() -> None:
        with server.caller(acme.key) as caller:
            cursor = caller.get("/api/v1/events?cursor=now").json()["next_cursor"]
            ready.wait()
            records: Records = []
            while len(records) < written:
                page = caller.get(f"/api/v1/events?cursor={cursor}").json()
                records, cursor = records + page["data"], page["next_cursor"]
            found["pages"] = records

    ready = threading.Barrier(4)
    with _missed_by_an_id_cursor() as missed, ThreadPoolExecutor(3) as pool:
        followers = [pool.submit(follow) for follow in (over_websocket, over_sse, over_pages)]
        ready.wait(20)
        _write_from_all_sides(runs)
        for follower in followers:
            follower.result(60)
    assert missed, "commits did happen out of order: whoever had read by id would have lost events"
    for records in found.values():
        by_run = defaultdict(list)
        for record in records:
            by_run[record["run_id"]].append(record["seq"])
        assert by_run == {str(run.id): [*range(1, COMMITS * 3 + 1)] for run in runs}


def test_a_follower_of_a_tenant_never_hears_of_another(acme: Customer, globex: Customer, server: ServerProcess) -> None:
    with (
        websocket(server, "/ws/v1/events/", key=acme.key) as socket,
        websocket(server, "/ws/v1/events/", key=globex.key) as other,
    ):
        foreign = LiveRun(globex.tenant)
        foreign.write("segment.started", "segment.completed")
        assert message(other)["run_id"] == str(foreign.id)
        cursor = message(other)["cursor"]
        own = LiveRun(acme.tenant)
        own.write("segment.started")
        assert message(socket)["run_id"] == str(own.id)
    with websocket(server, f"/ws/v1/events/?cursor={cursor}", key=acme.key) as socket:
        assert message(socket)["run_id"] == str(own.id), "a cursor is a place, not a right"


def _write_from_all_sides(runs: list[LiveRun]) -> None:
    """Each writer keeps its transactions open for a while, every one for another time."""

    def write(number: int) -> None:
        run = runs[number]
        with psycopg.connect(conninfo("test writer")) as own:
            for commit in range(COMMITS):
                for seq in range(commit * 3 + 1, commit * 3 + 4):
                    own.execute(INSERT, [run.id, seq, run.tenant.id])
                    time.sleep(0.001 * ((number * 7 + commit * 3) % 11))
                own.execute("update runs_run set last_seq = %s where id = %s", [commit * 3 + 3, run.id])
                own.commit()

    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(write, number) for number in range(WRITERS)]:
            done.result(60)


@contextlib.contextmanager
def _missed_by_an_id_cursor() -> Iterator[list[int]]:
    """Give the table the ids it has not, follow it by them, and collect what was missed."""
    name = "event_ids_of_a_test"
    with connection.cursor() as cursor:
        cursor.execute(f"create sequence {name}")
        cursor.execute(f"alter table runs_runevent add column id_of_a_test bigint default nextval('{name}')")
    stop, seen, missed = threading.Event(), set[int](), list[int]()

    def follow() -> None:
        last = 0
        with psycopg.connect(conninfo("test follower"), autocommit=True) as own:
            while not stop.is_set():
                rows = own.execute("select id_of_a_test from runs_runevent where id_of_a_test > %s", [last]).fetchall()
                seen.update(row_id for (row_id,) in rows)
                last = max(seen, default=0)
                time.sleep(0.002)

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        yield missed
    finally:
        stop.set()
        follower.join()
        with connection.cursor() as cursor:
            cursor.execute("select id_of_a_test from runs_runevent")
            missed += sorted({row_id for (row_id,) in cursor.fetchall()} - seen)
            cursor.execute("alter table runs_runevent drop column id_of_a_test")
            cursor.execute(f"drop sequence {name}")
