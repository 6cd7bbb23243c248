"""A caller of the API that costs little: one HTTP/1.1 connection kept open, bodies of JSON."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit


class CallFailed(Exception):
    """An answer of another kind than was expected; the text says which."""


class Caller:
    """One connection to one server; calls are made one after the other."""

    def __init__(self, base_url: str, key: str, *, source: str | None = None) -> None:
        """Call with a key, unless it is empty, and from another address of this machine where one is given."""
        self._address = urlsplit(base_url)
        self._from = None if source is None else (source, 0)
        self._head = f"Host: {self._address.netloc}\r\n" + (f"Authorization: Bearer {key}\r\n" if key else "")
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._address.hostname, self._address.port, local_addr=self._from
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send one request, its body as JSON unless it is bytes; return the status and the body of its answer."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n"
        fields = {**({"Content-Type": "application/json"} if content else {}), **(headers or {})}
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._writer.write(head.encode() + b"\r\n" + content)
        return await self._answer()

    async def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """Send one request whose answer has this status; return its value.

        Raises:
            CallFailed: It has another.
        """
        found, content = await self.call(method, path, body)
        if found != status:
            raise CallFailed(f"{method} {path}: {found} {content[:300]!r}")
        return json.loads(content)

    async def _answer(self) -> tuple[int, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        if "content-length" not in fields:
            raise CallFailed(f"the answer tells no length: {status_line}")
        return int(status_line.split(" ")[1]), await self._reader.readexactly(int(fields["content-length"]))
