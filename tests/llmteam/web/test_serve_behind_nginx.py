"""The nginx.conf of ``deploy/proxy``, in a real nginx in front of a real web process."""

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from websockets.sync.client import connect as open_websocket

from devserver.folders import CHECKOUT
from devserver.processes import free_port
from tests.conftest import Customer
from tests.support.certificates import write_certificate
from tests.support.definitions import steps_in_a_row
from tests.support.live_runs import LiveRun
from tests.support.process_ends import eventually
from tests.support.raw_http import read_to_end
from tests.support.server import ServerProcess, running_server

NGINX = shutil.which("nginx")
NAME = "localhost"
BODY_SECONDS = 3

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine"),
]


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    port: int
    plain_port: int
    tls: ssl.SSLContext
    behind: ServerProcess

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def connect(self, *, seconds: float = 20) -> ssl.SSLSocket:
        line = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        return self.tls.wrap_socket(line, server_hostname=NAME)


@pytest.fixture(scope="module")
def proxy(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The delivered file; only ports, certificate and folders are the test's."""
    folder = tmp_path_factory.mktemp("nginx")
    write_certificate(folder / "tls.pem", NAME)
    more = {"HTTPS": "1", "TRUSTED_PROXIES": "127.0.0.1", "HTTP_BODY_SECONDS": f"{BODY_SECONDS}"}
    with running_server(**more) as server:
        port, plain_port = free_port(), free_port()
        text = (CHECKOUT / "deploy" / "proxy" / "nginx.conf").read_text(encoding="utf-8")
        for delivered, here in (
            ("/run/nginx.pid", f"{folder}/nginx.pid"),
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{server.port};"),
            ("listen 80;", f"listen 127.0.0.1:{plain_port};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
            ("/etc/llmteam/tls.crt", f"{folder}/tls.pem"),
            ("/etc/llmteam/tls.key", f"{folder}/tls.pem"),
            ("access_log /dev/stdout", f"access_log {folder}/access.log"),
        ):
            assert delivered in text, delivered
            text = text.replace(delivered, here)
        (folder / "nginx.conf").write_text(text)
        with running_nginx(folder):
            tls = ssl.create_default_context(cafile=str(folder / "tls.pem"))
            assert eventually(lambda: listens(port), seconds=10), (folder / "error.log").read_text()
            yield Proxy(port, plain_port, tls, server)


@contextlib.contextmanager
def running_nginx(folder: Path) -> Iterator[None]:
    assert NGINX is not None
    with (folder / "error.log").open("wb") as log:
        argv = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        process = subprocess.Popen(argv, stderr=log)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def caller(proxy: Proxy, customer: Customer) -> httpx.Client:
    return httpx.Client(base_url=proxy.url, headers={"X-API-Key": customer.key}, verify=proxy.tls, timeout=30)


def test_requests_come_through_tls_and_plain_ones_are_sent_there(proxy: Proxy, acme: Customer) -> None:
    with caller(proxy, acme) as client:
        answer = client.get("/api/v1/me")
        assert (answer.status_code, answer.json()["tenant"]["slug"]) == (200, "acme")
        assert answer.headers["strict-transport-security"] == "max-age=2592000"
        assert client.put("/api/v1/segments/row", json=steps_in_a_row("input")).status_code == 201
        run = client.post("/api/v1/segments/row/runs?wait=0.3", json={"input": 1})
        assert run.json()["links"]["self"].startswith(("/", proxy.url)), "links name the outside"
    plain = httpx.get(f"http://127.0.0.1:{proxy.plain_port}/api/v1/me", headers={"Host": NAME})
    assert (plain.status_code, plain.headers["location"]) == (301, f"https://{NAME}/api/v1/me")
    assert httpx.get(f"{proxy.behind.url}/api/v1/me").status_code == 301, "who passes nginx by is not believed"


def test_what_is_for_operators_stays_inside(proxy: Proxy, acme: Customer) -> None:
    with caller(proxy, acme) as client:
        assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 404, 404]


def test_events_are_passed_on_as_they_come(proxy: Proxy, acme: Customer) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    with caller(proxy, acme) as client:
        path, headers = f"/api/v1/runs/{run.id}/events", {"Accept": "text/event-stream"}
        with client.stream("GET", path, headers=headers) as events:
            lines = events.iter_lines()
            assert "segment.started" in next(line for line in lines if line.startswith("data:"))
            run.write("segment.completed")
            run.tell(settings.REDIS_URL)
            began = time.monotonic()
            assert "segment.completed" in next(line for line in lines if "segment.completed" in line)
            assert time.monotonic() - began < 5


def test_websockets_come_through(proxy: Proxy, acme: Customer) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    address = f"wss://{NAME}:{proxy.port}/ws/v1/runs/{run.id}/"
    with open_websocket(address, ssl=proxy.tls, additional_headers={"X-API-Key": acme.key}) as events:
        assert "segment.started" in str(events.recv(timeout=10))
        run.write("segment.completed")
        run.tell(settings.REDIS_URL)
        assert "segment.completed" in str(events.recv(timeout=10))


def test_a_body_is_bounded_in_size_and_time(proxy: Proxy, acme: Customer) -> None:
    head = b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with caller(proxy, acme) as client:
        fits = client.post("/api/v1/segments/validate", content=b" " * 1_000_000 + b"{}")
        assert fits.status_code != 413
    with proxy.connect() as large:
        large.sendall(head + b"Content-Length: 1073741824\r\n\r\n")
        assert read_to_end(large).startswith(b"HTTP/1.1 413")
    with proxy.connect(seconds=0.3) as dripping:
        began = time.monotonic()
        assert drip(dripping, head + b"Content-Length: 1000\r\n\r\n").startswith((b"HTTP/1.1 408", b"HTTP/1.1 502"))
        assert time.monotonic() - began < BODY_SECONDS + 3


def drip(line: Any, start: bytes) -> bytes:
    """Send a byte three times a second until the connection ends; give what was said."""
    line.sendall(start)
    received = b""
    while True:
        try:
            line.sendall(b"x")
            said = line.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            return received
        if not said:
            return received
        received += said


def test_the_access_log_holds_no_query(proxy: Proxy, acme: Customer, tmp_path_factory: pytest.TempPathFactory) -> None:
    with caller(proxy, acme) as client:
        client.get("/api/v1/me?ticket=a-secret-in-a-query")
    log = next(tmp_path_factory.getbasetemp().glob("nginx*/access.log"))
    assert eventually(lambda: "/api/v1/me" in log.read_text(), seconds=5)
    assert "a-secret" not in log.read_text()
