"""Multipart parser for foreign callers: no part is lost, whatever its name and charset."""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kernel.charsets import decode, label_of
from kernel.errors import Malformed

_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_PARAMETER: Final = re.compile(r';\s*(name|filename)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.IGNORECASE)
_MAX_DISPOSITION_LENGTH: Final = 2_000
_QUOTED: Final = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part; ``name`` is empty where it has none."""

    name: str
    is_file: bool
    content: bytes
    content_type: str

    def text(self, label: str | None) -> str:
        """Read it: in the charset it names, else in that of the form, if that is known.

        Raises:
            Malformed: A file that is not text.
        """
        label = label_of(self.content_type) or label
        found = decode(self.content, label, in_any_case=True)
        if self.is_file and "\0" in found:
            raise Malformed(f"The file of the field `{self.name[:64]}` is not text.")
        return found


def parts_of(body: bytes, content_type: str, *, most: int) -> list[FormPart]:
    """Take a form apart.

    Raises:
        Malformed: It names no boundary, is cut off, or has too many parts.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Malformed("The multipart form cannot be read: its type names no boundary.")
    boundary = re.escape((found[1] or found[2]).encode())
    pieces = re.split(rb"(?:\A|\r?\n)--" + boundary + rb"(--)?[ \t]*(?=\r?\n|\Z)", body, maxsplit=most + 2)
    ends, contents = pieces[1::2], pieces[2::2]
    if len(ends) > most + 1:
        raise Malformed(f"The multipart form has more than {most} fields.")
    if b"--" not in ends:
        raise Malformed("The multipart form cannot be read, or is cut off.")
    return [_part(content) for content in contents[: ends.index(b"--")]]


def _part(piece: bytes) -> FormPart:
    head, _, content = _split(piece)
    headers = dict(_headers(decode(head, None, in_any_case=True)))
    parameters = {
        name.lower(): _QUOTED.sub(r"\1", quoted) or bare for name, quoted, bare in _disposition_parameters(headers)
    }
    coding = headers.get("content-transfer-encoding", "").strip().lower()
    return FormPart(
        parameters.get("name", "").strip(),
        "filename" in parameters,
        _decoded(content, coding),
        headers.get("content-type", ""),
    )


def _split(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a part at its first blank line; one that begins with it has no headers."""
    found = _BLANK_LINE.search(piece)
    return (piece, b"", b"") if found is None else (piece[: found.start()], found[0], piece[found.end() :])


def _headers(head: str) -> Iterator[tuple[str, str]]:
    for line in _FOLD.sub(" ", head.strip("\r\n")).splitlines():
        name, _, value = line.partition(":")
        yield name.strip().lower(), value.strip()


def _disposition_parameters(headers: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return _PARAMETER.findall(headers.get("content-disposition", "")[:_MAX_DISPOSITION_LENGTH])


def _decoded(content: bytes, coding: str) -> bytes:
    if coding == "quoted-printable":
        return quopri.decodestring(content)
    if coding == "base64":
        try:
            return base64.b64decode(b"".join(content.split()), validate=True)
        except binascii.Error:
            return content
    return content
