"""Response body framing (RFC 9112, 6): end of the body, surplus bytes, small chunks."""

import re
from collections.abc import Sequence
from typing import Final, Protocol

from kernel.egress.errors import BodyUnreadable
from kernel.egress.responses.body import MAX_PIECES

CLOSE: Final = b"Connection: close"
IS_CUT: Final = "llmteam.is_cut"
"""Name under which a connection's stream tells of the answer that has just been read (``Body.is_cut``)."""
ODD_LENGTH: Final = "The answer's head has a Content-Length that is none, or several that differ."
ODD_CODING: Final = "The answer's head has a Transfer-Encoding that is not known."
ODD_PIECE: Final = "The answer's body has a piece that is not HTTP."
TOO_MANY_PIECES: Final = f"The answer comes in more than {MAX_PIECES} pieces."

_LENGTH_NAME: Final = b"content-length:"
_CODING_NAME: Final = b"transfer-encoding:"
_CHUNKED: Final = b"chunked"
_LENGTH: Final = re.compile(rb"[0-9]{1,20}")
_COMPRESSIONS: Final = frozenset((b"gzip", b"x-gzip", b"deflate"))
_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(?:;[^\r\n]*)?\r\n")
_NEXT_LINE: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,20})[ \t]*(?:;[^\r\n]*)?\r\n")
_MAX_LINE: Final = 4 * 1024
_MAX_LINES_BYTES: Final = 1024 * 1024
_TRAILERS_END: Final = re.compile(rb"\A\r?\n|\n\r?\n")
_MAX_TRAILERS: Final = 64 * 1024
_SMALL: Final = 64
"""Average bytes of a body's pieces below which less is read at once: each costs a microsecond."""
READ_BYTES: Final = 8 * 1024


class Body(Protocol):
    """A body while it comes."""

    @property
    def has_surplus(self) -> bool:
        """Whether more came than belongs to it."""

    @property
    def is_cut(self) -> bool:
        """Whether that may belong to it all the same: its length is less than what came, which is more than blanks."""

    @property
    def ends_by_close(self) -> bool:
        """Whether only the end of its connection ends it."""

    def at_most(self, wanted: int) -> int:
        """Give how many bytes to read next.

        Raises:
            BodyUnreadable: What was taken last is no body of this kind; what came before that was passed on.
        """

    def take(self, data: bytes) -> bytes:
        """Take what was read; returns what can be passed on, which is nothing where no piece has begun."""


class BodyToTheEnd:
    """A body that ends with its connection."""

    has_surplus = is_cut = False
    ends_by_close = True

    def at_most(self, wanted: int) -> int:
        """Give how many bytes to read next."""
        return wanted

    def take(self, data: bytes) -> bytes:
        """Pass all on."""
        return data


class BodyOfLength:
    """A body of so many bytes."""

    ends_by_close = False

    def __init__(self, length: int) -> None:
        self._left = length
        self._is_empty = not length
        self.has_surplus = self.is_cut = False

    def at_most(self, wanted: int) -> int:
        """Give how many bytes to read next."""
        return wanted

    def take(self, data: bytes) -> bytes:
        """Pass on what belongs to it."""
        passed, surplus = data[: self._left], data[self._left :]
        self.has_surplus = self.has_surplus or bool(surplus)
        self.is_cut = self.is_cut or (bool(surplus.strip()) and not self._is_empty)
        self._left -= len(passed)
        return passed


class BodyInChunks:
    """A body in chunks; all that came at once is passed on as one chunk, so that small ones cost little.

    The lines behind the last chunk are left out: nobody reads them. Takes linear time.
    """

    ends_by_close = is_cut = False

    def __init__(self) -> None:
        self.has_ended = self.has_surplus = False
        self._waiting = b""
        self._left = self._pieces = self._bytes = self._line_bytes = 0
        self._is_behind = False
        self._failure: BodyUnreadable | None = None

    def at_most(self, wanted: int) -> int:
        """Give how many bytes to read next.

        Raises:
            BodyUnreadable: What was taken last is no body of this kind; what came before that was passed on.
        """
        if self._failure is not None:
            raise self._failure
        return min(wanted, READ_BYTES) if self._bytes < self._pieces * _SMALL else wanted

    def take(self, data: bytes) -> bytes:
        """Give the chunks that came as one."""
        if self.has_ended:
            self.has_surplus = self.has_surplus or bool(data)
            return b""
        data, self._waiting = self._waiting + data, b""
        content: list[bytes] = []
        end = b""
        try:
            place = 0 if self._is_behind else self._read_chunks(data, content)
            if self._is_behind:
                end = self._read_trailers(data[place:])
        except BodyUnreadable as error:
            self._failure = error
        piece = b"".join(content)
        self._bytes += len(piece)
        return (b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"") + end

    def _read_chunks(self, data: bytes, content: list[bytes]) -> int:
        """Read chunks, of which tens of thousands may come, as far as they came; returns how far it got."""
        place, left = 0, self._left
        line = (_NEXT_LINE if self._pieces else _LINE).match
        while True:
            if left:
                content.append(data[place : place + left])
                place += left
                left = max(0, place - len(data))
            if left or (found := line(data, place)) is None:
                break
            line = _NEXT_LINE.match
            self._pieces += 1
            self._line_bytes += found.end() - place
            place = found.end()
            left = int(found[1], 16)
            if not left:
                self._is_behind = True
                break
        self._left = left
        if self._pieces > MAX_PIECES or self._line_bytes > _MAX_LINES_BYTES:
            raise BodyUnreadable(TOO_MANY_PIECES)
        if not (left or self._is_behind):
            self._wait_with(data[place:])
        return place

    def _wait_with(self, beginning: bytes) -> None:
        """Keep the beginning of a chunk's line, as far as it is one."""
        line = beginning
        if self._pieces:
            if not b"\r\n".startswith(beginning[:2]):
                raise BodyUnreadable(ODD_PIECE)
            line = beginning[2:]
        if b"\n" in line or len(line) > _MAX_LINE:
            raise BodyUnreadable(ODD_PIECE)
        self._waiting = beginning

    def _read_trailers(self, data: bytes) -> bytes:
        end = _TRAILERS_END.search(data)
        if end is None:
            if len(data) > _MAX_TRAILERS:
                raise BodyUnreadable(ODD_PIECE)
            self._waiting = data
            return b""
        self.has_ended = True
        self.has_surplus = end.end() < len(data)
        return b"0\r\n\r\n"


def body_framing(head: bytes, fields: Sequence[bytes], *, is_bodiless: bool) -> tuple[bytes, Body]:
    """Find where the body behind a head ends.

    Compressions among the transfer codings become content codings: they are undone in the same way. Behind a head with
    both a coding and a length, or with neither, the connection is not used again.

    Args:
        head: A head that can be read.
        fields: Its status line, and its fields, each a line.
        is_bodiless: Whether nothing stands behind it, whatever it says.

    Returns:
        The head, in which at most one of ``Transfer-Encoding: chunked`` and a length is left, and the body.

    Raises:
        BodyUnreadable: Two readers would differ on where it ends.
    """
    lengths = {length.strip() for length in _listed(fields, _LENGTH_NAME)}
    codings_listed = _listed(fields, _CODING_NAME)
    codings = [
        name for one in codings_listed if (name := one.partition(b";")[0].strip().lower()) not in (b"", b"identity")
    ]
    compressions = [name for name in codings if name != _CHUNKED]
    chunks = [_CHUNKED] * codings.count(_CHUNKED)
    if codings != compressions + chunks or not _COMPRESSIONS.issuperset(compressions):
        raise BodyUnreadable(ODD_CODING)
    body = _body(lengths, codings, is_bodiless=is_bodiless)
    if body.ends_by_close or (
        codings_listed and ([one.strip().lower() for one in codings_listed] != [_CHUNKED] or lengths or is_bodiless)
    ):
        behind = [b"Content-Encoding: " + b", ".join(compressions)] if compressions else []
        behind += [b"Transfer-Encoding: chunked"] if chunks and not is_bodiless else []
        behind += [CLOSE] if body.ends_by_close or (codings and lengths) else []
        dropped = (_CODING_NAME, _LENGTH_NAME) if codings else (_CODING_NAME,)
        kept = [line for line in fields if not line.lower().startswith(dropped)]
        head = b"\r\n".join((*kept, *behind, b"", b""))
    return head, body


def _body(lengths: set[bytes], codings: Sequence[bytes], *, is_bodiless: bool) -> Body:
    if is_bodiless:
        return BodyOfLength(0)
    if codings:
        return BodyInChunks() if codings[-1] == _CHUNKED else BodyToTheEnd()
    return BodyOfLength(_length(lengths)) if lengths else BodyToTheEnd()


def _listed(fields: Sequence[bytes], name: bytes) -> list[bytes]:
    """Give the members of a field, of all the lines that have it; ``name`` with its colon."""
    return [member for line in fields if line.lower().startswith(name) for member in line[len(name) :].split(b",")]


def _length(lengths: set[bytes]) -> int:
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise BodyUnreadable(ODD_LENGTH)
    return int(length)
