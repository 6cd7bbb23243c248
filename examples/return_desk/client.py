"""A caller of JSON APIs over plain HTTP, as small as one can be; the demo's way to the platform and to the shop."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection  # noqa: TID251 - calls from outside; the platform's door is not for its callers
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; the headers' names are in lower case."""

    status: int
    headers: dict[str, str]
    content: dict[str, Any]


class JsonClient:
    """Sends JSON to one server, each call over a connection of its own.

    Args:
        base_url: An http address; paths are appended to it.
        headers: Sent with every call.
        timeout_seconds: How long a call may take.
    """

    def __init__(self, base_url: str, *, headers: dict[str, str] | None = None, timeout_seconds: float = 75) -> None:
        parts = urlsplit(base_url)
        self._host = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._headers = headers or {}
        self._timeout_seconds = timeout_seconds

    def call(self, method: str, path: str, *, content: object = None, headers: dict[str, str] | None = None) -> Reply:
        """Send one request and wait for its answer.

        Raises:
            OSError: Nothing answered in time.
        """
        body = None if content is None else json.dumps(content).encode()
        sent = {"Content-Type": "application/json"} if body is not None else {}
        connection = HTTPConnection(self._host, timeout=self._timeout_seconds)
        try:
            connection.request(method, self._prefix + path, body, sent | self._headers | (headers or {}))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, names, json.loads(text) if text else {})

    def heard(self, path: str) -> str:
        """Read a stream of events to its end; give the text of its live pieces."""
        connection = HTTPConnection(self._host, timeout=self._timeout_seconds)
        text = ""
        try:
            connection.request("GET", self._prefix + path, headers=self._headers | {"Accept": "text/event-stream"})
            is_live = False
            for line in connection.getresponse():
                if line.startswith(b"event: "):
                    is_live = line.strip() == b"event: step.delta"
                elif line.startswith(b"data: ") and is_live:
                    text += json.loads(line[6:])["payload"]["text"]
                elif not line.strip():
                    is_live = False
        finally:
            connection.close()
        return text
