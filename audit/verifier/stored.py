"""Files of a log (c2sp.org/tlog-tiles), read as its checkpoint says that they are."""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from audit.verifier.hashes import hash_all
from audit.verifier.signatures import Flaw

TILE_WIDTH: Final = 256
BUNDLES: Final = "entries"
ReadFile: TypeAlias = "Callable[[str], bytes | None]"
"""Gives a file of a log by its path, or None where there is none."""


def path_of(level: int | str, index: int, width: int) -> str:
    """Path of a tile or an entry bundle."""
    *groups, last = f"{index:,}".split(",")
    place = "/".join([*(f"x{group.zfill(3)}" for group in groups), last.zfill(3)])
    return f"tile/{level}/{place}" + (f".p/{width}" if width < TILE_WIDTH else "")


class StoredLog:
    """Tiles and entry bundles of a log. A wider tile serves where the one of the checkpoint's size is gone."""

    def __init__(self, read: ReadFile, size: int) -> None:
        """Take what gives a file, and the number of leaves."""
        self._read = read
        self._size = size
        self._row: tuple[int, int, list[bytes]] = (-1, -1, [])

    def hashes(self, level: int, index: int) -> list[bytes]:
        """Give the hashes of a tile.

        Raises:
            Flaw: It is missing, or has another length.
        """
        if self._row[:2] != (level, index):
            width, path, data = self._file(level, index, self._size >> 8 * level)
            if len(data) != width * 32:
                raise Flaw(index << 8 * (level + 1), "tile", f"{path} has {len(data)} bytes, not {width} hashes")
            self._row = (level, index, [data[at : at + 32] for at in range(0, len(data), 32)])
        row = self._row[2]
        return row[: (self._size >> 8 * level) - index * TILE_WIDTH]

    def leaves(self, index: int) -> Iterator[bytes]:
        """Give the leaves of a bundle.

        Raises:
            Flaw: It is missing, cut off, or has more than its leaves.
        """
        width, path, data = self._file(BUNDLES, index, self._size)
        first, at = index * TILE_WIDTH, 0
        for n in range(first, first + width):
            begin, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
            if max(begin, at) > len(data):
                raise Flaw(n, "bundle", f"{path} ends before leaf {n} does")
            if n < self._size:
                yield data[begin:at]
        if at < len(data):
            raise Flaw(first + width, "bundle", f"{path} has more than its leaves")

    def root_at(self, size: int) -> bytes:
        """Compute the root of the first leaves out of the tiles."""
        rows: list[list[bytes]] = []
        while count := size >> 8 * len(rows):
            index, width = divmod(count, TILE_WIDTH)
            rows.append(self.hashes(len(rows), index)[:width] if width else [])
        return hash_all(rows)

    def _file(self, level: int | str, index: int, count: int) -> tuple[int, str, bytes]:
        """Give the width, path and bytes of a tile or bundle."""
        width = min(TILE_WIDTH, count - index * TILE_WIDTH)
        for one in dict.fromkeys((width, TILE_WIDTH)):
            path = path_of(level, index, one)
            data = self._read(path)
            if data is not None:
                return one, path, data
        height = level + 1 if isinstance(level, int) else 1
        raise Flaw(index << 8 * height, "missing", f"{path_of(level, index, width)} is not there")
