"""Values in paths and URLs: each is escaped as one segment, so that it adds no segment, query or host."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from segments.expressions.errors import AddressRefused

Piece = tuple[str, bool]
"""A piece of an address, and whether it is a value to be escaped."""
LONGEST: Final = 64 * 1024

_IN_HOST: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_PATH_END: Final = re.compile(r"[?#]")
_SEPARATOR: Final = re.compile(r"/|\\|%2f|%5c", re.IGNORECASE)
_DOTS: Final = frozenset({".", ".."})
_HINT: Final = "check the value before this step"


def joined(pieces: Iterable[Piece], *, is_url: bool) -> str:
    """Put an address together.

    A URL that begins with a value has that value as it is: it says where the call goes. Where a URL's host stands, a
    value is a host with its port.

    Raises:
        AddressRefused: A segment with a value in it is empty or consists of dots; or the address is too long.
    """
    address = _Address(is_url)
    for piece, is_value in pieces:
        if is_value:
            address.add_value(piece)
        else:
            address.add(piece)
    address.check_segments()
    return address.text


def climbs(path: str) -> bool:
    """Whether a segment is of dots: as it is, once a server has decoded it, or has cut off what follows a semicolon."""
    return any(unquote(segment).partition(";")[0] in _DOTS for segment in _SEPARATOR.split(path))


@dataclass(slots=True)
class _Address:
    """An address as far as it is put together.

    ``filled`` has the numbers of the path's segments with a value; ``base`` is the value a URL begins with.
    """

    is_url: bool
    text: str = ""
    is_in_path: bool = True
    slashes: int = 0
    filled: set[int] = field(default_factory=set)
    base: str = ""

    def add(self, piece: str) -> None:
        """Add a piece as it is."""
        if len(self.text) + len(piece) > LONGEST:
            raise AddressRefused(f"The address would be longer than {LONGEST} characters.")
        if self.base == self.text:
            self._check_behind_base(piece)
        self.text += piece
        if self.is_in_path:
            in_path, *_ = _PATH_END.split(piece, maxsplit=1)
            self.slashes += in_path.count("/")
            self.is_in_path = in_path == piece

    def add_value(self, value: str) -> None:
        """Add a value, escaped for its place."""
        if self.is_url and not self.text:
            self.add(value)
            self.base = value
        elif self.is_url and self.slashes == 2 and _IN_HOST.fullmatch(self.text):
            self.add(_escaped(value, kept=":[]"))
        else:
            self.add(_escaped(value))
            if self.is_in_path:
                self.filled.add(self.slashes)

    def _check_behind_base(self, piece: str) -> None:
        """Refuse what would be no path behind the value that a URL begins with, but a part of its query or fragment."""
        if piece and ("#" in self.base or ("?" in self.base and piece[0] in "/?")):
            raise AddressRefused("The URL that the address begins with has a ? or #, so no path can follow", hint=_HINT)

    def check_segments(self) -> None:
        """Refuse a segment that a value has made empty, or climb."""
        segments = _PATH_END.split(self.text, maxsplit=1)[0].split("/") if self.filled else []
        for number in self.filled:
            if not segments[number]:
                raise AddressRefused("A value in the path is empty", hint=_HINT)
            if climbs(segments[number]):
                raise AddressRefused("A value in the path makes a segment of dots", hint=_HINT)


def _escaped(value: str, kept: str = "") -> str:
    if len(value) > LONGEST:
        raise AddressRefused(f"A value in the address is longer than {LONGEST} characters.")
    return quote(value, safe=kept, errors="replace")
