"""Tiles of a log (c2sp.org/tlog-tiles): its hashes and entries as files that never change.

A tile holds up to 256 consecutive hashes of full subtrees of ``256**level`` leaves; an entry bundle holds the bytes of
up to 256 leaves. Those at the right edge are partial, and named by their width; a longer log has wider ones.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from audit.log.tree import HASH_BYTES, Read, node_hash

WIDTH: Final = 256
"""Hashes of a full tile, entries of a full bundle."""
HEIGHT: Final = 8
"""Levels of the tree that a tile spans: 256 is 2**8."""
ENTRIES: Final = -1
"""Level of entry bundles."""
MAX_ENTRY_BYTES: Final = 0xFFFF
_MAX_LEVEL: Final = 63
_PATH: Final = re.compile(r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class TileMalformed(ValueError):
    """A path or bytes that are no tile's."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Place of a tile or, at level ``ENTRIES``, of an entry bundle.

    Attributes:
        level: Level of the tile, from 0 (hashes of leaves) on.
        index: Its number within the level.
        width: How many hashes or entries it holds, 1 to ``WIDTH``.
    """

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Path below the log's address: ``tile/0/x001/067.p/8``."""
        digits = f"{self.index:03}"
        groups = [digits[max(0, end - 3) : end].zfill(3) for end in range(len(digits), 0, -3)][::-1]
        place = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{place}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @property
    def start(self) -> int:
        """First leaf that it tells of."""
        return self.index << (HEIGHT * (max(self.level, 0) + 1))

    @property
    def end(self) -> int:
        """The leaf behind the last that it tells of when it is full."""
        return (self.index + 1) << (HEIGHT * (max(self.level, 0) + 1))


def parse_path(path: str) -> Tile:
    """Read the path of a tile or entry bundle, in its one spelling.

    Raises:
        TileMalformed: It is none.
    """
    found = _PATH.fullmatch(path)
    if not found:
        raise TileMalformed("No tile has this path.")
    level, place, width = found.groups()
    index = int(place.replace("x", "").replace("/", ""))
    tile = Tile(ENTRIES if level == "entries" else int(level), index, int(width) if width else WIDTH)
    if tile.path != path:
        raise TileMalformed(
            "No tile has this path: its number has a group of zeroes too many, or its width is over 255."
        )
    return tile


def hash_tiles(old: int, new: int) -> Iterator[Tile]:
    """Name the hash tiles that a log of ``new`` leaves has and one of ``old`` had not, partial ones included."""
    for level in range(_MAX_LEVEL + 1):
        if not new >> HEIGHT * level:
            return
        yield from _row(level, old >> HEIGHT * level, new >> HEIGHT * level)


def entry_bundles(old: int, new: int) -> Iterator[Tile]:
    """Name the entry bundles that a log of ``new`` leaves has and one of ``old`` had not, partial ones included."""
    yield from _row(ENTRIES, old, new)


def tile_at(level: int, index: int, size: int) -> Tile:
    """Name a tile as a log of this size has it.

    Raises:
        ValueError: It has none there.
    """
    width = min(WIDTH, (size >> HEIGHT * max(level, 0)) - index * WIDTH)
    if width <= 0 or index < 0:
        raise ValueError(f"a log of {size} has no tile {index} of level {level}")
    return Tile(level, index, width)


def tile_bytes(tile: Tile, read: Read) -> bytes:
    """Write a hash tile.

    Args:
        tile: Which one; its level is not ``ENTRIES``.
        read: Gives the hashes of full subtrees, of levels that are multiples of ``HEIGHT``.
    """
    first = tile.index * WIDTH
    return b"".join(read(tile.level * HEIGHT, index) for index in range(first, first + tile.width))


def hashes_of(tile: Tile, data: bytes) -> list[bytes]:
    """Read the bytes of a hash tile; they may be of a wider tile at the same place.

    Raises:
        TileMalformed: There are fewer hashes than the tile has, or a part of one.
    """
    if len(data) % HASH_BYTES or len(data) < tile.width * HASH_BYTES:
        raise TileMalformed(f"{tile.path} has {len(data)} bytes, which are not its {tile.width} hashes.")
    return [data[at : at + HASH_BYTES] for at in range(0, tile.width * HASH_BYTES, HASH_BYTES)]


def bundle_bytes(entries: Sequence[bytes]) -> bytes:
    """Write an entry bundle: each entry behind its length in two bytes.

    Raises:
        TileMalformed: There is none, there are over ``WIDTH``, or one is over ``MAX_ENTRY_BYTES``.
    """
    if not 0 < len(entries) <= WIDTH or any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise TileMalformed(f"A bundle has 1 to {WIDTH} entries of at most {MAX_ENTRY_BYTES:,} bytes.")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def entries_of(tile: Tile, data: bytes) -> list[bytes]:
    """Read the bytes of an entry bundle; they may be of a wider bundle at the same place.

    Raises:
        TileMalformed: An entry is cut off, or there are fewer than the bundle has.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        begin, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at > len(data) or begin > len(data):
            raise TileMalformed(f"Entry {len(entries)} of {tile.path} is cut off.")
        entries.append(data[begin:at])
    if len(entries) < tile.width:
        raise TileMalformed(f"{tile.path} has {len(entries)} entries, not {tile.width}.")
    return entries[: tile.width]


def tile_reader(size: int, load: Callable[[Tile], bytes]) -> Read:
    """Read the hashes of full subtrees out of the tiles of a log.

    Each tile is loaded once and kept as long as the reader: make one for each question.

    Args:
        size: Number of leaves; a tile at the right edge is asked for as this log has it.
        load: Gives the bytes of a hash tile, or of a wider one at its place.

    Returns:
        What the functions of ``audit.log.tree`` ask; it raises ``TileMalformed`` for bytes that are no tile's.
    """
    rows: dict[tuple[int, int], list[bytes]] = {}

    def read(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, HEIGHT)
        number, place = divmod(index << above, WIDTH)
        if (tile_level, number) not in rows:
            tile = tile_at(tile_level, number, size)
            rows[tile_level, number] = hashes_of(tile, load(tile))
        row = rows[tile_level, number][place : place + (1 << above)]
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    return read


def _row(level: int, old: int, new: int) -> Iterator[Tile]:
    if new > old:
        for index in range(old // WIDTH, -(-new // WIDTH)):
            yield Tile(level, index, min(WIDTH, new - index * WIDTH))
