"""The messages between the pool and its processes: a header of fixed size, then bytes."""

import socket
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Final

HEADER: Final = struct.Struct("!BQ")
CHUNK_BYTES: Final = 1 << 20
MAX_BYTES: Final = 32 << 20
"""The longest payload or answer."""


class FrameKind(IntEnum):
    """Kinds of messages: the first two go to a process, the others come from it."""

    FUNCTION = 1
    PAYLOAD = 2
    READY = 3
    ANSWER = 4
    OUT_OF_MEMORY = 5
    TOO_LARGE = 6
    RAISED = 7


def send(connection: socket.socket, kind: FrameKind, content: bytes) -> None:
    """Send one message; errors as ``socket.sendall``."""
    connection.sendall(HEADER.pack(kind, len(content)))
    connection.sendall(content)


def receive(connection: socket.socket, before_chunk: Callable[[], None] | None = None) -> tuple[FrameKind, bytes]:
    """Receive one message.

    Args:
        connection: Where it comes from.
        before_chunk: Called before each read, to renew a timeout.

    Raises:
        EOFError: The other end is closed.
        OSError: As ``socket.recv_into``.
    """
    number, size = HEADER.unpack(_exactly(connection, HEADER.size, before_chunk))
    return FrameKind(number), _exactly(connection, size, before_chunk)


def _exactly(connection: socket.socket, size: int, before_chunk: Callable[[], None] | None) -> bytes:
    content = bytearray(size)
    view, done = memoryview(content), 0
    while done < size:
        if before_chunk is not None:
            before_chunk()
        count = connection.recv_into(view[done : done + CHUNK_BYTES])
        if not count:
            raise EOFError
        done += count
    return bytes(content)
