"""A shop that knows who is logged in by a cookie, and a tenant's connections to it."""

import threading
from typing import Any

from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tenants.models import Tenant
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.segments import segment, step

SESSION = "canary-of-a-session"


class Shop:
    """`POST /login` begins a session; `GET /me` needs one, and tells its number."""

    def __init__(self, server: CountingServer) -> None:
        self.server = server
        self.delay_seconds = 0.0
        self._sessions: list[str] = []
        self._lock = threading.Lock()
        server.route("POST", "/login", self._log_in)
        server.route("GET", "/me", self._tell)

    def shown(self, path: str = "/me") -> list[str | None]:
        """The cookies that calls of a path brought along."""
        return [call.headers.get("cookie") for call in self.server.calls if call.path == path]

    def _log_in(self, _request: RecordedRequest) -> Answer:
        with self._lock:
            self._sessions.append(f"sid={SESSION}-{len(self._sessions) + 1}")
            cookie = f"{self._sessions[-1]}; Path=/; HttpOnly"
        return Answer(body={"welcome": True}, headers={"Set-Cookie": cookie})

    def _tell(self, request: RecordedRequest) -> Answer:
        shown = next((one for one in request.headers.get("cookie", "").split("; ") if one.startswith("sid=")), "")
        if shown not in self._sessions:
            return Answer(401, body={"detail": "log in first"})
        return Answer(body={"session": self._sessions.index(shown) + 1}, delay_seconds=self.delay_seconds)


def connect(tenant: Tenant, server: CountingServer, ref: str = "shop", *, keeps_cookies: bool = True) -> None:
    """Give a tenant a connection to the server."""
    options: dict[str, Any] = {"keeps_cookies": True} if keeps_cookies else {}
    spec = ConnectionSpec(kind="http", base_url=server.url, options=options)
    save_connection(tenant=tenant, actor="system", ref=ref, spec=spec)


def call(step_id: str, path: str, method: str = "GET", ref: str = "shop", **more: Any) -> dict[str, Any]:
    """One call over a connection."""
    return step(step_id, "http_action", client_ref=ref, path=path, method=method, **{"retry_count": 0, **more})


def login_then(*steps: dict[str, Any]) -> dict[str, Any]:
    """A segment that logs in first."""
    return segment(call("login", "/login", "POST"), *steps)
