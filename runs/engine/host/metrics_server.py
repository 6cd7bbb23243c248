"""HTTP server for Prometheus, in a thread of a worker."""

import hmac
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from prometheus_client import make_wsgi_app

log = logging.getLogger(__name__)


class MetricsServer:
    """Serves the metrics at WORKER_METRICS_ADDRESS, if that is set. METRICS_TOKEN counts here as on the web."""

    def __init__(self) -> None:
        self._server: WSGIServer | None = None

    def start(self) -> None:
        """Begin to serve. An address that is taken costs the metrics, not the worker."""
        address: tuple[str, int] | None = settings.WORKER_METRICS_ADDRESS
        if address is None:
            return
        try:
            self._server = make_server(*address, _app, server_class=_server_for(address[0]), handler_class=_Quiet)
        except OSError as error:
            log.warning("no metrics: nothing can be served at %s:%d: %s", *address, error)
            return
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log nothing."""


def _server_for(host: str) -> type[WSGIServer]:
    return _ServerV6 if ":" in host else _Server


def _app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    token: str = settings.METRICS_TOKEN
    given = str(environ.get("HTTP_AUTHORIZATION", ""))
    if environ.get("PATH_INFO") != "/metrics":
        start_response("404 Not Found", [])
        return []
    if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
        return []
    answered: Iterable[bytes] = _metrics(environ, start_response)
    return answered


_metrics: Any = make_wsgi_app()
