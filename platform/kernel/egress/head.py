"""Bound of an answer's head: status line and headers, and all that comes before them (1xx answers)."""

import re
from typing import Final

from kernel.egress.errors import BodyUnreadable

MAX_BYTES: Final = 64 * 1024
MAX_LINES: Final = 512
READ_BYTES: Final = 4 * 1024
"""What is read at once until the head is complete: parsing so much takes milliseconds at most."""

_END: Final = b"\r\n\r\n"
_BEGINNING: Final = b"HTTP/"
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([2-5][0-9]{2})")
_STATUS_BYTES: Final = len("HTTP/1.1 200")
NO_HTTP: Final = "The answer is no HTTP."


class HeadBound:
    """Counts what comes in until an answer's head is complete."""

    def __init__(self) -> None:
        self._is_open = False
        self._bytes = self._lines = 0
        self._tail = self._beginning = b""

    @property
    def status(self) -> int | None:
        """The status that the head names; None before it came, and where a 1xx answer comes first."""
        found = _STATUS.match(self._beginning)
        return int(found[1]) if found else None

    def begin(self) -> None:
        """Say that a request is being written."""
        self._is_open = True
        self._bytes = self._lines = 0
        self._tail = self._beginning = b""

    def end(self) -> None:
        """Say that the head was read."""
        self._is_open = False

    def at_most(self, wanted: int) -> int:
        """Give how many bytes to read next."""
        return min(wanted, READ_BYTES) if self._is_open else wanted

    def count(self, data: bytes) -> None:
        """Count what was read.

        Raises:
            BodyUnreadable: The head is too long, or has too many lines, or begins as none of HTTP does.
        """
        if not self._is_open:
            return
        self._beginning += data[: _STATUS_BYTES - len(self._beginning)]
        if not _BEGINNING.startswith(self._beginning[: len(_BEGINNING)]):
            raise BodyUnreadable(NO_HTTP)
        joined = self._tail + data  # the head's end may come in two pieces
        self._bytes += len(data)
        self._lines += joined.partition(_END)[0].count(b"\n") - self._tail.count(b"\n")
        self._tail = joined[1 - len(_END) :]
        if self._bytes > MAX_BYTES or self._lines > MAX_LINES:
            raise BodyUnreadable(f"The answer's head has more than {MAX_BYTES} bytes or {MAX_LINES} lines.")
