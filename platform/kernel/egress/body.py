"""Reading an answer's body under a bound: decompression that cannot be made to explode."""

import zlib

from kernel.egress.errors import BodyTooLarge, BodyUnreadable

MAX_BODY_BYTES = 5 * 1024 * 1024
ACCEPT_ENCODING = "gzip, deflate"

_MAX_ENCODINGS = 2
_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15
_RAW_WINDOW = -15


class BodyReader:
    """Turns the bytes of one answer, chunk by chunk, into its content.

    No more than `limit` bytes are ever held or handed out, however small the compressed form is.
    """

    def __init__(self, content_encoding: str, limit: int = MAX_BODY_BYTES) -> None:
        """Prepare for one body.

        Raises:
            BodyUnreadable: An encoding we did not ask for, or too many of them.
        """
        names = [name.strip().lower() for name in content_encoding.split(",")]
        encodings = [name for name in names if name not in ("", "identity")]
        if len(encodings) > _MAX_ENCODINGS:
            raise BodyUnreadable("The answer is compressed more than twice.")
        self._stages = [_Inflater(name, limit) for name in reversed(encodings)]
        self._limit = limit
        self._received = 0
        self._produced = 0

    @property
    def decodes(self) -> bool:
        """Whether the content differs from the bytes on the wire."""
        return bool(self._stages)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes from the wire and return the content they give.

        Raises:
            BodyTooLarge: The content, or its compressed form, is over the limit.
            BodyUnreadable: The bytes are not what the encoding says.
        """
        self._received += len(chunk)
        if self._received > self._limit:
            raise self._too_large()
        for stage in self._stages:
            chunk = stage.feed(chunk)
        self._produced += len(chunk)
        if self._produced > self._limit:
            raise self._too_large()
        return chunk

    def finish(self) -> None:
        """Say that the wire has no more.

        Raises:
            BodyUnreadable: The compressed body was cut short.
        """
        if self._received and not all(stage.complete for stage in self._stages):
            raise BodyUnreadable("The compressed answer was cut short.")

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The answer is larger than {self._limit} bytes.", extra={"limit": self._limit})


class _Inflater:
    """One compression taken off."""

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise BodyUnreadable("The answer is compressed in a way that was not asked for.")
        self._deflate = encoding == "deflate"
        self._limit = limit
        self._object = zlib.decompressobj(_ZLIB_WINDOW if self._deflate else _GZIP_WINDOW)
        self._started = False

    @property
    def complete(self) -> bool:
        return self._object.eof

    def feed(self, chunk: bytes) -> bytes:
        if not chunk:
            return b""
        try:
            content = self._inflate(chunk)
        except zlib.error as error:
            raise BodyUnreadable from error
        if self._object.unused_data:
            raise BodyUnreadable("The compressed answer is followed by other data.")
        if self._object.unconsumed_tail:
            raise BodyTooLarge(f"The answer is larger than {self._limit} bytes.", extra={"limit": self._limit})
        return content

    def _inflate(self, chunk: bytes) -> bytes:
        first, self._started = not self._started, True
        try:
            return self._object.decompress(chunk, self._limit + 1)
        except zlib.error:
            if not (first and self._deflate):
                raise
            # "deflate" means zlib by the letter; some servers send it without zlib's frame.
            self._object = zlib.decompressobj(_RAW_WINDOW)
            return self._object.decompress(chunk, self._limit + 1)
