"""Reading an answer's body under a bound: decompression that cannot be made to explode."""

import zlib
from collections.abc import Iterator

from kernel.egress.errors import BodyTooLarge, BodyUnreadable

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_PIECES = 64 * 1024
"""How often bytes of one body may come: each time costs tens of microseconds, however few they are."""
MAX_MEMBERS = 1_000
"""Of a compressed body: each costs microseconds, however small it is."""
ACCEPT_ENCODING = "gzip, deflate"

_MAX_ENCODINGS = 2
_SLICE_BYTES = 64 * 1024
"""What is decompressed at once; a fraction of a millisecond."""
_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15
_RAW_WINDOW = -15


class BodyReader:
    """Turns the bytes of one answer, chunk by chunk, into its content.

    No more than `limit` bytes are ever held or handed out, however small the compressed form is.
    """

    def __init__(self, content_encoding: str, limit: int = MAX_BODY_BYTES) -> None:
        """Prepare for one body."""
        names = [name.strip().lower() for name in content_encoding.split(",")]
        self._encodings = [name for name in names if name not in ("", "identity")]
        self._stages: list[_Inflater] = []
        self._limit = limit
        self._pieces = 0
        self._received = 0
        self._produced = 0

    @property
    def decodes(self) -> bool:
        """Whether the content differs from the bytes on the wire."""
        return bool(self._encodings)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes from the wire and give the content they make, in slices of at most 64 KiB if compressed.

        Raises:
            BodyTooLarge: The content, or its compressed form, is over the limit.
            BodyUnreadable: The bytes are not what the encoding says, or come in too many pieces; the encoding is one
                we did not ask for, or there are too many of them.
        """
        if not self._pieces:
            self._open()
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise BodyUnreadable(f"The answer comes in more than {MAX_PIECES} pieces.")
        self._received += len(chunk)
        if self._received > self._limit:
            raise _too_large(self._limit)
        for content in _through(self._stages, chunk):
            self._produced += len(content)
            if self._produced > self._limit:
                raise _too_large(self._limit)
            yield content

    def _open(self) -> None:
        if len(self._encodings) > _MAX_ENCODINGS:
            raise BodyUnreadable("The answer is compressed more than twice.")
        self._stages = [_Inflater(name, self._limit) for name in reversed(self._encodings)]

    def finish(self) -> None:
        """Say that the wire has no more.

        Raises:
            BodyUnreadable: The compressed body was cut short.
        """
        if self._received and not all(stage.complete for stage in self._stages):
            raise BodyUnreadable("The compressed answer was cut short.")


class _Inflater:
    """One compression taken off."""

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise BodyUnreadable("The answer is compressed in a way that was not asked for.")
        self._deflate = encoding == "deflate"
        self._limit = limit
        self._produced = 0
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
            self._produced += len(content)
            if self._produced > self._limit:
                raise _too_large(self._limit)
            yield content
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
            return self._object.decompress(chunk, _SLICE_BYTES)
        except zlib.error:
            if not (first and self._deflate):
                raise
            # "deflate" means zlib by the letter; some servers send it without zlib's frame.
            self._object = zlib.decompressobj(_RAW_WINDOW)
            return self._object.decompress(chunk, _SLICE_BYTES)


def _through(stages: list[_Inflater], chunk: bytes) -> Iterator[bytes]:
    if not stages:
        yield chunk
        return
    for content in stages[0].feed(chunk):
        yield from _through(stages[1:], content)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The answer is larger than {limit} bytes.", extra={"limit": limit})
