"""Zips written forwards only, in pieces: the memory of a piece, however large the zip becomes."""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Final, cast

PIECE_BYTES: Final = 1 << 20


class PieceFile:
    """A file that can only be written: hands on what it is given in pieces of ``PIECE_BYTES``."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        """Say who takes the pieces, one after the other; each has ``PIECE_BYTES`` but the last."""
        self._take = take
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._held += data
        while len(self._held) >= PIECE_BYTES:
            piece = bytes(self._held[:PIECE_BYTES])
            del self._held[:PIECE_BYTES]
            self._take(piece)
        return len(data)

    def flush(self) -> None:
        """Do nothing: a piece goes when it is full."""

    def abandon(self) -> None:
        """Take nothing any more: a zip that is dropped half way writes its end all the same."""
        self._take = lambda _: None

    def end(self) -> None:
        """Hand on the last piece."""
        if self._held:
            self._take(bytes(self._held))
            self._held.clear()


def zip_to(pieces: PieceFile) -> zipfile.ZipFile:
    """Open a zip that is written to pieces."""
    return zipfile.ZipFile(cast("IO[bytes]", pieces), "w", zipfile.ZIP_DEFLATED)


def zip_of(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """Write files as a zip, each read when its turn comes; give the pieces as they are full.

    Args:
        files: Names and contents, in parts.
    """
    ready: list[bytes] = []
    pieces = PieceFile(ready.append)
    with zip_to(pieces) as archive:
        for name, parts in files:
            with archive.open(name, "w", force_zip64=True) as file:
                for part in parts:
                    file.write(part)
                    yield from ready
                    ready.clear()
    pieces.end()
    yield from ready
