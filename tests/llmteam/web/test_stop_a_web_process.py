"""A web process that is told to stop breaks nothing it serves off: waits are answered, streams say farewell."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from foundation.scope import unscoped
from runs.models import Run
from tests.conftest import Customer
from tests.support import raw_http
from tests.support.engine import event_types, wait_for
from tests.support.segments import segment, step
from tests.support.server import ServerProcess, running_server
from tests.support.worker import running_worker

SLOW = segment(step("slow", seconds=4), step("two"))
STOP_SECONDS = 3.0


@pytest.fixture
def web(transactional_db: None) -> Iterator[ServerProcess]:
    with running_server(EXTRA_APPS="tests.support.step_types.StepTypesConfig") as server:
        yield server


def tell_to_stop(web: ServerProcess) -> None:
    assert web._process is not None
    web._process.send_signal(signal.SIGTERM)


def ends_well(web: ServerProcess) -> float:
    began = time.monotonic()
    assert web._process is not None
    assert web._process.wait(30) == 0, web.log
    return time.monotonic() - began


@pytest.mark.soak
def test_waits_are_answered_with_the_run_as_it_is(acme: Customer, web: ServerProcess) -> None:
    with ThreadPoolExecutor(4) as threads, web.caller(acme.key) as caller:
        waiting = [
            threads.submit(caller.post, "/api/v1/runs?wait=30", json={"segment": SLOW, "input": {}}) for _ in range(4)
        ]
        wait_for(lambda: runs_there() == 4)
        time.sleep(0.5)
        assert not any(each.done() for each in waiting)
        tell_to_stop(web)
        answers = [each.result(10) for each in waiting]
    assert ends_well(web) < STOP_SECONDS
    for answer in answers:
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        assert answer.headers["Location"].endswith(answer.json()["run_id"])
    assert "web process stops: 4 answers are under way" in web.log, web.log
    with pytest.raises(httpx.ConnectError), web.caller(acme.key) as caller:
        caller.get("/healthz")


def test_streams_end_with_a_farewell_and_go_on_elsewhere_without_a_gap(acme: Customer, web: ServerProcess) -> None:
    with running_worker(), running_server() as other, web.caller(acme.key) as caller:
        run_id = caller.post("/api/v1/runs", json={"segment": SLOW, "input": {}}).json()["run_id"]
        wait_for(lambda: event_types(run_id)[-1:] == ["step.started slow"])
        heard = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(read_stream, web, acme.key, run_id, "", heard)
            assert heard.wait(10)
            tell_to_stop(web)
            text = reading.result(10)
        assert ends_well(web) < STOP_SECONDS
        assert text.rstrip().endswith(": this process stops; nothing is lost: come again with your Last-Event-ID")
        assert "retry: 500\n" in text
        *_, last = seqs(text)
        rest = read_stream(other, acme.key, run_id, str(last), threading.Event())
    assert seqs(text) + seqs(rest) == list(range(1, len(event_types(run_id)) + 1))
    assert "segment.completed" in rest
    assert "segment.completed" not in text


@pytest.mark.soak
def test_websockets_are_told_and_closed_with_a_code_of_their_own(acme: Customer, web: ServerProcess) -> None:
    with web.caller(acme.key) as caller:
        run_id = caller.post("/api/v1/runs", json={"segment": SLOW, "input": {}}).json()["run_id"]
    address = f"ws://127.0.0.1:{web.port}/ws/v1/runs/{run_id}/"
    with connect(address, additional_headers={"Authorization": f"Bearer {acme.key}"}, proxy=None) as socket:
        time.sleep(0.5)
        tell_to_stop(web)
        told: dict[str, Any] = json.loads(socket.recv(10))
        assert (told["event_type"], told["code"]) == ("stream.closed", "PROCESS_STOPS")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4503
    assert ends_well(web) < STOP_SECONDS


@pytest.mark.soak
def test_a_websocket_that_does_not_answer_the_close_does_not_hold_the_stop(acme: Customer, web: ServerProcess) -> None:
    with web.caller(acme.key) as caller:
        run_id = caller.post("/api/v1/runs", json={"segment": SLOW, "input": {}}).json()["run_id"]
    with raw_http.connect(web.port) as silent:
        silent.sendall(handshake(f"/ws/v1/runs/{run_id}/", acme.key))
        wait_for(lambda: "101 Switching" in silent.recv(1_000, socket.MSG_PEEK).decode("latin-1"))
        tell_to_stop(web)
        received = raw_http.read_to_end(silent)
    ends_well(web)
    assert b"PROCESS_STOPS" in received
    assert (4503).to_bytes(2, "big") in received
    assert "within the grace" not in web.log


def handshake(path: str, key: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Authorization: Bearer {key}\r\n\r\n"
    ).encode()


def runs_there() -> int:
    with unscoped("tests look everywhere"):
        return Run.objects.count()


def read_stream(server: ServerProcess, key: str, run_id: str, last: str, heard: threading.Event) -> str:
    """What a stream says until it ends."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
    text = ""
    with (
        server.caller(key, **headers) as caller,
        caller.stream("GET", f"/api/v1/runs/{run_id}/events") as response,
    ):
        assert response.status_code == 200
        for piece in response.iter_text():
            text += piece
            if "step.started" in text:
                heard.set()
    return text


def seqs(text: str) -> list[int]:
    return [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]
