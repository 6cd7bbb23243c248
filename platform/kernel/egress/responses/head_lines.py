"""Malformed header lines of a response: dropped where nothing depends on them, as browsers do."""

import re
from collections.abc import Iterator
from typing import Final

from kernel.egress.responses.framing import CLOSE

_STATUS_LINE: Final = re.compile(rb"HTTP/[0-9]\.[0-9] [0-9]{3}(?: [^\x00\r\n\f\v]*)?")
_STATUS_ALONE: Final = re.compile(rb"(HTTP/[0-9]\.[0-9] [0-9]{3})(?![0-9])")
_NAME: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?")
_BLANKS: Final = b" \t"
_OF_THE_LENGTH: Final = re.compile(rb"content[^a-z0-9]*length|transfer[^a-z0-9]*encoding|^HTTP/", re.IGNORECASE)
"""Lines on which two readers may differ: they would differ on where the answer ends, so nothing is mended there."""
_OF_THE_BODY: Final = re.compile(rb"content[^a-z0-9]*(?:type|encoding)", re.IGNORECASE)


def without_malformed_lines(head: bytes) -> bytes | None:
    """Leave out the lines of a head that are none of HTTP.

    Blanks before a colon go (RFC 9112, 5.1), and what stands behind the status where it cannot be read. Where a line
    may be about the body's length, its type or its coding, or is a second status, nothing is mended. A head that was
    mended says that its connection ends: what follows is not read on it. Takes linear time.

    Args:
        head: Status line, lines, and the empty line behind them, which may end in LF alone.

    Returns:
        The head, as it was if nothing is odd; None where it cannot be read.
    """
    first, *fields = lines_of(head)
    status = first if _STATUS_LINE.fullmatch(first) else _status_of(first)
    kept = [_mended_line(field) for field in fields]
    if status is None or None in kept:
        return None
    if status == first and kept == fields:
        return head
    return b"\r\n".join((status, *filter(None, kept), CLOSE, b"", b""))


def lines_of(head: bytes) -> list[bytes]:
    """Give the status line of a head, and its fields, each a line."""
    first, *lines = [line.removesuffix(b"\r") for line in head.split(b"\n")[:-2]]
    return [first, *_fields(lines)]


def _status_of(line: bytes) -> bytes | None:
    found = _STATUS_ALONE.match(line)
    return found[1] if found else None


def _fields(lines: list[bytes]) -> Iterator[bytes]:
    """Give each field with the lines that go on with it."""
    pieces: list[bytes] = []
    for line in lines:
        if pieces and line.startswith((b" ", b"\t")):
            pieces.append(line.lstrip(_BLANKS))
            continue
        if pieces:
            yield b" ".join(pieces)
        pieces = [line]
    if pieces:
        yield b" ".join(pieces)


def _mended_line(line: bytes) -> bytes | None:
    """Give a field as it is read, empty where it is left out; None where nothing may be mended."""
    name, colon, value = line.partition(b":")
    is_value = bool(colon) and _VALUE.fullmatch(value.strip(_BLANKS)) is not None
    if is_value and _NAME.fullmatch(name):
        return line
    if _OF_THE_LENGTH.search(line):
        return None
    bare = name.rstrip(_BLANKS)
    if is_value and _NAME.fullmatch(bare):
        return bare + colon + value
    return None if _OF_THE_BODY.search(line) else b""
