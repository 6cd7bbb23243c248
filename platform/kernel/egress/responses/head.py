"""Response head: 1xx responses, the final head, framing of its body."""

import re
from typing import Final

from kernel.egress.errors import BodyUnreadable
from kernel.egress.responses.framing import Body, BodyToTheEnd, body_framing
from kernel.egress.responses.head_lines import lines_of, without_malformed_lines

MAX_BYTES: Final = 64 * 1024
MAX_LINES: Final = 512
READ_BYTES: Final = 4 * 1024
"""Bytes that are read at once until the head is complete: parsing so much takes milliseconds at most."""

_END: Final = re.compile(rb"\n\r?\n")
_BEGINNING: Final = b"HTTP/"
_STATUS: Final = re.compile(rb"HTTP/[0-9](?:\.[0-9])? +([1-5][0-9]{2})(?=[^0-9])")
_STATUS_BYTES: Final = 64
_FIRST_OF_ANSWERS: Final = 200
"""Least status of an answer; what has a lesser one comes before it."""
_SWITCHING: Final = 101
_BODILESS: Final = (204, 304)
_TLS_ALERT: Final = b"\x15\x03"
"""Beginning of what a server says that was spoken to otherwise than by TLS."""
IS_TLS: Final = "The host speaks TLS at that port; try https."
NO_HTTP: Final = "The answer is not HTTP."
ODD_LINE: Final = "The answer's head has a line that is not HTTP."
SWITCHED: Final = "The host switches to another protocol, which nobody asked for (status 101)."


class HeadReader:
    """Holds an answer's head back until it is complete; bounds it, and mends it where it may be (``head_lines``).

    Attributes:
        body: What stands behind the head that came last.
    """

    def __init__(self) -> None:
        self.body: Body = BodyToTheEnd()
        self._method = b""
        self._is_open = False
        self._bytes = self._lines = 0
        self._held = bytearray()
        self._named: int | None = None

    @property
    def status(self) -> int | None:
        """The status that the head names; None before it came."""
        return None if self._is_early else self._named

    @property
    def _is_early(self) -> bool:
        return self._named is not None and self._named < _FIRST_OF_ANSWERS

    def begin(self, written: bytes = b"") -> None:
        """Say that a request is being written; its first piece begins with the method."""
        if not self._is_open:
            self._method = written.partition(b" ")[0]
        self._is_open = True
        self._bytes = self._lines = 0
        self._held.clear()
        self._named = None

    def at_most(self, wanted: int) -> int:
        """Give how many bytes to read next.

        Raises:
            BodyUnreadable: What was taken last is no body.
        """
        return min(wanted, READ_BYTES) if self._is_open else self.body.at_most(wanted)

    def take(self, data: bytes) -> bytes:
        """Take what was read; returns what can be passed on, which is nothing while a head is not complete.

        Where nothing was read, the other side has ended: what was held goes on as it is.

        Raises:
            BodyUnreadable: The head is too long, or has too many lines, or lines that are none of HTTP.
        """
        if not self._is_open:
            return self.body.take(data) if data else data
        if not data:
            held = bytes(self._held)
            self._held.clear()
            return held
        return self._passed(data)

    def _passed(self, data: bytes) -> bytes:
        passed = b""
        seen = len(self._held)
        self._held += data
        self._bytes += len(data)
        while self._is_open and self._held:
            if self._named is None:
                del self._held[: len(self._held) - len(self._held.lstrip(b"\r\n"))]
            self._look_at_beginning()
            end = _END.search(self._held, max(0, seen - 2))
            self._lines += self._held.count(b"\n", seen, end.end() if end else len(self._held))
            self._check_bounds()
            if end is None:
                return passed
            head = without_malformed_lines(bytes(self._held[: end.end()]))
            if head is None:
                raise self._unreadable(ODD_LINE)
            del self._held[: end.end()]
            if self._named == _SWITCHING:
                raise self._unreadable(SWITCHED)
            self._is_open = self._is_early
            passed += head if self._is_early else self._framed(head)
            seen = 0
        if not self._is_open and self._held:
            passed += self.body.take(bytes(self._held))
            self._held.clear()
        return passed

    def _framed(self, head: bytes) -> bytes:
        is_bodiless = self._method == b"HEAD" or self._named in _BODILESS
        try:
            head, self.body = body_framing(head, lines_of(head), is_bodiless=is_bodiless)
        except BodyUnreadable as error:
            raise self._unreadable(error.detail) from None
        return head

    def _look_at_beginning(self) -> None:
        beginning = bytes(self._held[:_STATUS_BYTES])
        if not _BEGINNING.startswith(beginning[: len(_BEGINNING)]):
            raise BodyUnreadable(IS_TLS if beginning.startswith(_TLS_ALERT) else NO_HTTP)
        found = _STATUS.match(beginning)
        self._named = int(found[1]) if found else None

    def _check_bounds(self) -> None:
        if self._bytes > MAX_BYTES or self._lines > MAX_LINES:
            raise self._unreadable(f"The answer's head has more than {MAX_BYTES} bytes or {MAX_LINES} lines.")

    def _unreadable(self, why: str) -> BodyUnreadable:
        error = BodyUnreadable(why)
        error.answered_with = self._named if self._named == _SWITCHING else self.status
        return error
