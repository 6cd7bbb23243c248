"""A real HTTP server on loopback with programmable routes that remembers every call."""

import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class RecordedRequest:
    """One call as it arrived; header names are lower case, `connection` tells sockets apart.

    `target` is what the request line asked for, letter by letter; `client` whose certificate the caller showed.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    at: float
    connection: int
    target: str = ""
    client: str | None = None

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def idempotency_key(self) -> str | None:
        """The value of Idempotency-Key, if it was sent."""
        return self.headers.get("idempotency-key")


@dataclass(frozen=True)
class Answer:
    """What a route answers.

    Attributes:
        body: Bytes go out as they are, text as UTF-8, anything else as JSON.
        headers: Added to the computed ones; a given Content-Type replaces the computed one. Of a list each is sent.
        delay_seconds: Waited before anything is sent.
        raw: Sent instead of a whole HTTP answer, byte by byte `drip_seconds` apart when that is set; the connection
            is closed behind it, unless it `stays_open`.
        drip: Pieces sent `drip_seconds` apart behind the headers, closed behind the last.
        ends_tls: TLS's closing word is said before the connection is closed.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)
    delay_seconds: float = 0.0
    raw: bytes | None = None
    drip: Iterable[bytes] | None = None
    drip_seconds: float = 0.0
    stays_open: bool = False
    ends_tls: bool = False

    def content(self) -> tuple[bytes, str]:
        """The body's bytes and their content type."""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=utf-8"
        return json.dumps(self.body).encode(), "application/json"


Handler = Callable[[RecordedRequest], Answer]


class CountingServer:
    """A loopback server for one test; use as a context manager.

    Routes may be set while it runs. Every request is recorded, known route or not, before it is answered.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None) -> None:
        """Bind a free port; nothing is served before `start`. With a context it speaks TLS."""
        self._scheme = "http" if ssl_context is None else "https"
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], Handler] = {}
        self._calls: list[RecordedRequest] = []
        self._server = _Server(self)
        if ssl_context is not None:
            self._server.socket = ssl_context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        """The port, chosen by the system."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Base URL without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[RecordedRequest]:
        """Every request so far, in order of arrival."""
        with self._lock:
            return list(self._calls)

    @property
    def connections(self) -> int:
        """Number of connections accepted so far."""
        return self._server.accepted

    def route(self, method: str, path: str, answer: Answer | Sequence[Answer] | Handler) -> None:
        """Say what a path answers.

        Args:
            method: Upper case.
            path: Exact, or a prefix ending in `*`.
            answer: The same each time; or one after another, the last again and again; or a function of the request.
        """
        if isinstance(answer, Answer):
            handler: Handler = _always(answer)
        elif callable(answer):
            handler = answer
        else:
            handler = _in_turn(answer)
        with self._lock:
            self._routes[method, path] = handler

    def count(self, path: str | None = None, *, method: str | None = None) -> int:
        """Count the requests so far, of all paths and methods unless told."""
        return sum(
            (path is None or call.path == path) and (method is None or call.method == method) for call in self.calls
        )

    def keys(self, path: str | None = None) -> Counter[str | None]:
        """Count the requests by Idempotency-Key."""
        return Counter(call.idempotency_key for call in self.calls if path is None or call.path == path)

    def forget(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._calls.clear()

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands with whoever connects from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def start(self) -> Self:
        """Serve until `stop`."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and the port."""
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, request: RecordedRequest) -> Answer:
        """Record a request and find its answer."""
        with self._lock:
            self._calls.append(request)
            handler = self._find(request)
        return Answer(404, body={"detail": "no such route"}) if handler is None else handler(request)

    def _find(self, request: RecordedRequest) -> Handler | None:
        exact = self._routes.get((request.method, request.path))
        if exact is not None:
            return exact
        for (method, path), handler in self._routes.items():
            if method == request.method and path.endswith("*") and request.path.startswith(path[:-1]):
                return handler
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: CountingServer) -> None:
        super().__init__(("127.0.0.1", 0), _RequestHandler)
        self.owner = owner
        self.accepted = 0
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.accepted += 1
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: callers that give up half way are what tests provoke."""


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log nothing."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        request = RecordedRequest(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
            at=time.monotonic(),
            connection=self.client_address[1],
            target=self.path,
            client=_client_of(self.connection),
        )
        answer = self.server.owner.answer(request)
        if answer.delay_seconds:
            time.sleep(answer.delay_seconds)
        if answer.raw is not None:
            pieces = [answer.raw] if not answer.drip_seconds else [bytes((byte,)) for byte in answer.raw]
            self._drip(pieces, answer.drip_seconds)
            self.close_connection = not answer.stays_open
        else:
            self._send(answer)
        if answer.ends_tls and isinstance(self.connection, ssl.SSLSocket):
            with suppress(OSError):
                self.connection.unwrap()

    def _send(self, answer: Answer) -> None:
        content, content_type = answer.content()
        headers = {"Content-Type": content_type, **answer.headers}
        self.send_response(answer.status)
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, one)
        if answer.drip is not None:
            self.send_header("Connection", "close")
            self.end_headers()
            self._drip(answer.drip, answer.drip_seconds)
            return
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(content)

    def _drip(self, pieces: Iterable[bytes], seconds: float) -> None:
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(seconds)
        self.close_connection = True


def _client_of(connection: object) -> str | None:
    """Name whose certificate was shown."""
    shown = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    return dict(part[0] for part in shown["subject"])["commonName"] if shown else None  # type: ignore[misc, index, union-attr]


def _always(answer: Answer) -> Handler:
    def handle(_request: RecordedRequest) -> Answer:
        return answer

    return handle


def _in_turn(answers: Sequence[Answer]) -> Handler:
    lock = threading.Lock()
    rest: Iterator[Answer] = iter(answers)
    last = answers[-1]

    def handle(_request: RecordedRequest) -> Answer:
        with lock:
            return next(rest, last)

    return handle
