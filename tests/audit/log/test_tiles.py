"""Tiles are c2sp.org/tlog-tiles': their paths, widths and bytes; roots and proofs are read from them alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log.tiles import (
    ENTRIES,
    MAX_ENTRY_BYTES,
    Tile,
    TileMalformed,
    bundle_bytes,
    entries_of,
    entry_bundles,
    hash_tiles,
    hashes_of,
    parse_path,
    tile_at,
    tile_bytes,
    tile_reader,
)
from audit.log.tree import consistency_proof, grown, inclusion_proof, leaf_hash, root
from tests.support.merkle import plain_root

SIZES = st.integers(0, 70_000)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 999, 17), "tile/1/999.p/17"),
        (Tile(63, 1_000, 255), "tile/63/x001/000.p/255"),
        (Tile(ENTRIES, 67_001, 1), "tile/entries/x067/001.p/1"),
    ],
)
def test_a_path_has_its_number_in_groups_of_three(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000", "tile/00/000", "tile/-1/000", "tile/data/000", "tile/0/00", "tile/0/0000", "tile/0/x000/001",
        "tile/0/001/000", "tile/0/x001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/",
        "tile/0/000/", "/tile/0/000", "tile/0/../000", "tile/0/000\n", "tile/0/\u0660\u0660\u0660", "checkpoint", "",
    ],
)  # fmt: skip
def test_any_other_path_is_refused(path: str) -> None:
    assert parse_path("tile/0/x001/000.p/255") == Tile(0, 1000, 255)
    with pytest.raises(TileMalformed):
        parse_path(path)


@given(st.integers(ENTRIES, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_every_tile_has_one_path(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert parse_path(tile.path) == tile


def test_the_tiles_of_a_log_of_70_000() -> None:
    widths: dict[int, list[int]] = {}
    for tile in hash_tiles(0, 70_000):
        widths.setdefault(tile.level, []).append(tile.width)
    assert widths == {0: [256] * 273 + [112], 1: [256, 17], 2: [1]}
    assert [tile.path for tile in hash_tiles(0, 256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert [tile.path for tile in entry_bundles(0, 257)] == ["tile/entries/000", "tile/entries/001.p/1"]


def test_a_growth_makes_the_tiles_that_change() -> None:
    assert [one.path for one in hash_tiles(255, 257)] == ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]
    assert [one.path for one in hash_tiles(256, 257)] == ["tile/0/001.p/1"]
    assert [one.path for one in entry_bundles(256, 260)] == ["tile/entries/001.p/4"]
    assert list(hash_tiles(256, 256)) == list(entry_bundles(7, 7)) == list(hash_tiles(0, 0)) == []


@given(SIZES, SIZES)
def test_old_tiles_and_those_of_the_growth_are_all_that_a_log_has(one: int, other: int) -> None:
    old, new = sorted((one, other))
    made = set(hash_tiles(old, new))
    kept = {tile for tile in hash_tiles(0, old) if tile.width == 256}
    has = {tile for tile in hash_tiles(0, new) if tile.width == 256}
    assert has == kept | {tile for tile in made if tile.width == 256}
    assert {tile for tile in hash_tiles(0, new) if tile.width < 256} - set(hash_tiles(0, old)) <= made
    assert all(tile == tile_at(tile.level, tile.index, new) for tile in made)


def test_a_tile_tells_of_a_range_of_leaves() -> None:
    assert (Tile(0, 2).start, Tile(0, 2).end) == (512, 768)
    assert (Tile(1, 1, 3).start, Tile(1, 1, 3).end) == (65_536, 131_072)
    assert (Tile(ENTRIES, 2).start, Tile(ENTRIES, 2).end) == (512, 768)


def test_a_log_has_no_tile_beyond_its_leaves() -> None:
    assert tile_at(0, 1, 257) == Tile(0, 1, 1)
    for level, index in ((0, 2), (1, 1), (2, 0), (0, -1)):
        with pytest.raises(ValueError, match="has no tile"):
            tile_at(level, index, 257)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256), st.data())
def test_a_bundle_gives_its_entries_back_and_a_wider_one_serves(entries: list[bytes], data: st.DataObject) -> None:
    width = data.draw(st.integers(1, len(entries)))
    written = bundle_bytes(entries)
    assert entries_of(Tile(ENTRIES, 0, len(entries)), written) == entries
    assert entries_of(Tile(ENTRIES, 0, width), written) == entries[:width]
    with pytest.raises(TileMalformed, match="cut off"):
        entries_of(Tile(ENTRIES, 0, len(entries)), written + b"\x00")
    if len(entries) < 256:
        with pytest.raises(TileMalformed, match="entries, not"):
            entries_of(Tile(ENTRIES, 0, len(entries) + 1), written)


def test_a_bundle_s_bytes_are_lengths_and_entries() -> None:
    assert bundle_bytes([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    assert len(bundle_bytes([bytes(MAX_ENTRY_BYTES)])) == 2 + MAX_ENTRY_BYTES
    for entries in ([], [b"x"] * 257, [bytes(MAX_ENTRY_BYTES + 1)]):
        with pytest.raises(TileMalformed):
            bundle_bytes(entries)
    with pytest.raises(TileMalformed, match="cut off"):
        entries_of(Tile(ENTRIES, 0, 1), b"\x00\x03ab")


def test_a_tile_of_too_few_or_half_a_hash_is_refused() -> None:
    assert hashes_of(Tile(0, 0, 2), bytes(96)) == [bytes(32)] * 2
    for data in (bytes(32), bytes(65), b""):
        with pytest.raises(TileMalformed):
            hashes_of(Tile(0, 0, 2), data)


@pytest.fixture(scope="module")
def hashes() -> dict[tuple[int, int], bytes]:
    """All full subtrees of a log of 66,000 leaves: three levels of tiles."""
    made = grown(0, [leaf_hash(b"leaf %d" % n) for n in range(66_000)], no_read)
    assert made[16, 0] == plain_root([b"leaf %d" % n for n in range(65_536)])
    return made


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 66_000])
def test_tiles_alone_serve_roots_and_proofs(hashes: dict[tuple[int, int], bytes], size: int) -> None:
    def stored(level: int, index: int) -> bytes:
        return hashes[level, index]

    tiles = {tile: tile_bytes(tile, stored) for tile in hash_tiles(0, size)}
    loaded: list[Tile] = []

    def load(tile: Tile) -> bytes:
        loaded.append(tile)
        return tiles[tile]

    assert root(size, tile_reader(size, load)) == root(size, stored)
    assert len(loaded) == len(set(loaded)) <= 3
    for index in {0, size // 2, size - 1}:
        read = tile_reader(size, load)
        assert inclusion_proof(index, size, read) == inclusion_proof(index, size, stored)
        assert consistency_proof(index + 1, size, read) == consistency_proof(index + 1, size, stored)
        grows = grown(size, [b"\x01" * 32] * 3, read)
        assert grows == grown(size, [b"\x01" * 32] * 3, stored)


def no_read(level: int, index: int) -> bytes:
    raise AssertionError((level, index))
