"""What a host answers is no work of the worker's event loop: of millions of small values none is made there."""

import gzip
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from runs.models import Run
from tenants.models import Tenant
from tests.support.engine import get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

MIB = 1 << 20
LISTS = b"[" + b",".join([b"[]"] * 600_000) + b"]"
OBJECTS = b"[" + b",".join([b'{"a":1}'] * 240_000) + b"]"
OBJECT = b'{"a":%s}' % LISTS
MOST_BYTES = 24 * MIB
"""The whole host, with 1.8 MiB as they came, as they were read and as they are evaluated; as values they take 40."""


@dataclass
class Taken:
    """What was allocated in this process at most, children left out."""

    most_bytes: int = 0


@contextmanager
def allocations() -> Iterator[Taken]:
    taken = Taken()
    tracemalloc.start()
    try:
        yield taken
        taken.most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def called(tenant: Tenant, server: CountingServer, **config: Any) -> Run:
    """A run that calls the server and has ended."""
    call = segment(step("call", "http_action", method="GET", url=f"http://127.0.0.1:{server.port}/x", **config))
    with running_host():
        run_id = queue_run(tenant, call)
        wait_until_over(run_id, seconds=60)
    return get_run(run_id)


def of_json(body: bytes, **headers: str) -> Answer:
    return Answer(body=body, headers={"Content-Type": "application/json", **headers})


ANSWERS = {
    "lists": of_json(LISTS),
    "objects": of_json(OBJECTS),
    "lists of some KiB": of_json(gzip.compress(LISTS), **{"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_part_is_taken_without_making_the_whole(acme: Tenant, server: CountingServer, name: str) -> None:
    server.route("GET", "/x", ANSWERS[name])
    with allocations() as taken:
        run = called(acme, server, select="{'first': response[0], 'count': len(response), 'status': status}")
    assert run.status == "completed", run.error
    assert run.output["first"] in ([], {"a": 1})
    assert (run.output["count"] > 200_000, run.output["status"]) == (True, 200)
    assert taken.most_bytes < MOST_BYTES


def test_what_is_too_large_to_be_kept_is_not_made(acme: Tenant, server: CountingServer) -> None:
    server.route("GET", "/x", ANSWERS["lists"])
    with allocations() as taken:
        run = called(acme, server)
    assert (run.status, run.error["code"]) == ("failed", "VALUE_TOO_LARGE")
    assert run.error["message"].endswith("at most 1048576 are kept. Cut the answer with select.")
    assert run.error["details"]["size"] > run.error["details"]["limit"] == MIB
    assert taken.most_bytes < MOST_BYTES


def test_pages_are_read_without_making_them(acme: Tenant, server: CountingServer) -> None:
    page = b'{"next":%s,"rows":[{"id":1},{"id":2}],"more":' + LISTS + b"}"
    url = f"http://127.0.0.1:{server.port}"
    server.route("GET", "/x", of_json(page % f'"{url}/y"'.encode()))
    server.route("GET", "/y", of_json(page % b"null"))
    with allocations() as taken:
        run = called(acme, server, pagination={"items": "response.rows", "next": "response.next"})
    assert run.status == "completed", run.error
    assert run.output == [{"id": 1}, {"id": 2}] * 2
    assert taken.most_bytes < MOST_BYTES


@pytest.mark.parametrize(
    ("body", "items", "code"),
    [(LISTS, None, "VALUE_TOO_LARGE"), (LISTS, "response", "EXPRESSION_LIMIT"), (OBJECT, None, "PAGE_WITHOUT_LIST")],
)
def test_pages_that_are_too_large_are_not_made(
    acme: Tenant, server: CountingServer, body: bytes, items: str | None, code: str
) -> None:
    server.route("GET", "/x", of_json(body))
    pagination = {"page": "p", **({} if items is None else {"items": items})}
    with allocations() as taken:
        run = called(acme, server, pagination=pagination)
    assert (run.status, run.error["code"]) == ("failed", code)
    assert taken.most_bytes < MOST_BYTES
