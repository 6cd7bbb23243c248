"""A network without sockets, for addresses no test may touch: it answers from a script and counts."""

from collections.abc import Iterable, Sequence
from typing import Any

import httpcore


class FakeNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections that exist in memory only.

    Attributes:
        opened: The (address, port) pairs connected to, in order.
        server_names: The names TLS was started for, in order.
        requests: The bytes written, one entry a connection.
    """

    def __init__(self, answers: Sequence[bytes] = (), *, unreachable: Iterable[str] = ()) -> None:
        """Answer the connections in turn; the last answer again and again."""
        self.opened: list[tuple[str, int]] = []
        self.server_names: list[str | None] = []
        self.requests: list[bytearray] = []
        self._answers = list(answers) or [http_answer(200)]
        self._unreachable = frozenset(unreachable)

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        self.opened.append((host, port))
        if host in self._unreachable:
            raise httpcore.ConnectError("unreachable")
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(bytearray())
        return _FakeStream(self, answer, self.requests[-1])

    async def sleep(self, seconds: float) -> None:
        """Never wait."""


class _FakeStream(httpcore.AsyncNetworkStream):
    def __init__(self, network: FakeNetwork, answer: bytes, written: bytearray) -> None:
        self._network = network
        self._answer = answer
        self._written = written

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's protocol
        piece, self._answer = self._answer[:max_bytes], self._answer[max_bytes:]
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's protocol
        self._written.extend(buffer)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's protocol
    ) -> httpcore.AsyncNetworkStream:
        self._network.server_names.append(server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        return None


class StubResolver:
    """Answers lookups from a table of successive answers, and counts them."""

    def __init__(self, table: dict[str, Sequence[Sequence[str]]]) -> None:
        """Names in the table may end in a dot; names not in it have no address."""
        self._table = {name.removesuffix("."): list(answers) for name, answers in table.items()}
        self.lookups: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        answers = self._table.get(host, [[]])
        seen = self.lookups.count(host)
        self.lookups.append(host)
        return answers[min(seen, len(answers) - 1)]


def http_answer(status: int, *, location: str | None = None, body: bytes = b"") -> bytes:
    """Spell an HTTP/1.1 answer that closes its connection."""
    moved = f"Location: {location}\r\n" if location is not None else ""
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{moved}Connection: close\r\n\r\n".encode() + body
