"""Decompressors of an answer's body, each bounded in what it gives out."""

import zlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from kernel.egress.errors import BodyTooLarge, BodyUnreadable

try:
    import brotli
except ImportError:
    brotli = None

MAX_MEMBERS: Final = 1_000
"""Of a compressed body: each costs microseconds, however small it is."""
SLICE_BYTES: Final = 64 * 1024
"""Bytes that are decompressed at once; a fraction of a millisecond."""
MAX_BROTLI_WINDOW: Final = 22
"""Bits of the largest window, 4 MiB, and the usual default: a decoder fills it before it gives anything out."""
_GZIP_WINDOW: Final = 31
_ZLIB_WINDOW: Final = 15
_RAW_WINDOW: Final = -15


class Decompressor(Protocol):
    """One compression taken off."""

    @property
    def complete(self) -> bool:
        """Whether the compressed body has ended."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes and give what they make, in slices.

        Raises:
            BodyTooLarge: It is more than the limit.
            BodyUnreadable: It is not compressed so.
        """


def accepted_encodings() -> str:
    """Name what answers may be compressed by, as ``Accept-Encoding`` has it; ``br`` where its library is installed."""
    return "gzip, deflate" if brotli is None else "gzip, deflate, br"


def open_decompressor(encoding: str, limit: int) -> Decompressor:
    """Make what takes an encoding off.

    Raises:
        BodyUnreadable: It is one we do not ask for.
    """
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return _Inflater(encoding, limit)
    if encoding == "br" and brotli is not None:
        return _Brotli(limit)
    raise BodyUnreadable("The answer is compressed in a way that was not asked for.")


class Allowance:
    """The bytes one body may give, counted in ``taken``; ``limit`` is the most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0

    def take(self, content: bytes) -> bytes:
        """Count a piece and give it back.

        Raises:
            BodyTooLarge: All together are more than the limit.
        """
        self.taken += len(content)
        if self.taken > self._limit:
            raise BodyTooLarge(f"The answer is larger than {self._limit} bytes.", extra={"limit": self._limit})
        return content


def brotli_window(first: int) -> int:
    """Read the bits of the window off the first byte of a stream (RFC 7932, 9.1); a large window counts as 25."""
    if not first & 1:
        return 16
    if upper := first >> 1 & 7:
        return 17 + upper
    lower = first >> 4 & 7
    return (17, 25)[lower] if lower < 2 else 8 + lower


class _Brotli:
    def __init__(self, limit: int) -> None:
        self._allowance = Allowance(limit)
        self._object: Any = brotli.Decompressor()
        self._started = False

    @property
    def complete(self) -> bool:
        return bool(self._object.is_finished())

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if chunk and not self._started:
            self._started = True
            if brotli_window(chunk[0]) > MAX_BROTLI_WINDOW:
                raise BodyUnreadable("The answer is compressed by brotli with a window of more than 4 MiB.")
        left = chunk
        while True:
            try:
                content = self._object.process(left, output_buffer_limit=SLICE_BYTES)
            except brotli.error as error:
                raise BodyUnreadable from error
            yield self._allowance.take(content)
            if len(content) < SLICE_BYTES and self._object.can_accept_more_data():
                return
            left = b""


class _Inflater:
    """gzip or deflate."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._deflate = encoding == "deflate"
        self._allowance = Allowance(limit)
        self._object = zlib.decompressobj(_ZLIB_WINDOW if self._deflate else _GZIP_WINDOW)
        self._started = False
        self._members = 1

    @property
    def complete(self) -> bool:
        return self._object.eof

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        left = chunk
        while left:
            try:
                content = self._inflate(left)
            except zlib.error as error:
                raise BodyUnreadable from error
            yield self._allowance.take(content)
            left = self._object.unconsumed_tail or self._next_member(self._object.unused_data)

    def _next_member(self, rest: bytes) -> bytes:
        """Go on behind the end of a member: gzip may have several, one after the other (RFC 1952, 2.2), and zeros."""
        if self._deflate:
            if rest:
                raise BodyUnreadable("The compressed answer is followed by other data.")
            return rest
        rest = rest.lstrip(b"\0")
        if rest:
            self._members += 1
            if self._members > MAX_MEMBERS:
                raise BodyUnreadable(f"The answer is compressed in more than {MAX_MEMBERS} members.")
            self._object = zlib.decompressobj(_GZIP_WINDOW)
        return rest

    def _inflate(self, chunk: bytes) -> bytes:
        first, self._started = not self._started, True
        try:
            return self._object.decompress(chunk, SLICE_BYTES)
        except zlib.error:
            if not (first and self._deflate):
                raise
            # "deflate" means zlib by the letter; some servers send it without zlib's frame.
            self._object = zlib.decompressobj(_RAW_WINDOW)
            return self._object.decompress(chunk, SLICE_BYTES)
