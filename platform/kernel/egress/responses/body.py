"""Response bodies: read and decompressed within a bound."""

from collections.abc import Iterator

from kernel.egress.errors import BodyUnreadable, ConnectionFailed
from kernel.egress.responses.decompression import Allowance, Decompressor, open_decompressor

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_PIECES = 64 * 1024
"""Most times bytes of one body may come: each costs tens of microseconds, however few they are."""
_MAX_ENCODINGS = 2
_NO_ENCODINGS = frozenset(
    ("", "identity", "none", "null", "utf-8", "utf8", "iso-8859-1", "binary", "7bit", "8bit", "aws-chunked")
)
"""Words that servers write into ``Content-Encoding`` of a body that is not compressed."""


class BodyReader:
    """Turns the bytes of one answer, chunk by chunk, into its content.

    No more than `limit` bytes are ever held or handed out, however small the compressed form is.
    """

    def __init__(self, content_encoding: str, limit: int = MAX_BODY_BYTES, *, ends_by_close: bool = False) -> None:
        """Prepare for one body; ``ends_by_close``: only the end of its connection says that it has ended."""
        names = [name.strip().lower() for name in content_encoding.split(",")]
        self._encodings = [name for name in names if name not in _NO_ENCODINGS]
        self._stages: list[Decompressor] = []
        self._limit = limit
        self._ends_by_close = ends_by_close
        self._pieces = 0
        self._received = Allowance(limit)
        self._produced = Allowance(limit)

    @property
    def decodes(self) -> bool:
        """Whether the content differs from the bytes on the wire."""
        return bool(self._encodings)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes from the wire and give the content they make, in slices of some 64 KiB if compressed.

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
        for content in _through(self._stages, self._received.take(chunk)):
            yield self._produced.take(content)

    def _open(self) -> None:
        if len(self._encodings) > _MAX_ENCODINGS:
            raise BodyUnreadable("The answer is compressed more than twice.")
        self._stages = [open_decompressor(name, self._limit) for name in reversed(self._encodings)]

    def finish(self) -> None:
        """Say that the wire has no more.

        Raises:
            BodyUnreadable: The compressed body was cut short.
            ConnectionFailed: It was, and nothing but its compression tells so: the connection broke off.
        """
        if self._received.taken and not all(stage.complete for stage in self._stages):
            if self._ends_by_close:
                raise ConnectionFailed
            raise BodyUnreadable("The compressed answer was cut short.")


def _through(stages: list[Decompressor], chunk: bytes) -> Iterator[bytes]:
    if not stages:
        yield chunk
        return
    for content in stages[0].feed(chunk):
        yield from _through(stages[1:], content)
