"""The tree is RFC 6962's: published vectors hold, any tree proves any leaf and any prefix, and nothing else passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log.tree import (
    EMPTY_ROOT,
    consistency_proof,
    full_subtrees,
    grown,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.support.merkle import plain_consistency, plain_path, plain_reader, plain_root

# The reference vectors of Certificate Transparency's implementations: eight leaves, the root of each prefix, proofs.
LEAVES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (0, 1): [],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

trees = st.integers(1, 300).map(lambda size: [b"leaf %d" % n for n in range(size)])
"""Any tree below 300 leaves: with fewer and with more than a tile has."""


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_reference_leaves(size: int) -> None:
    assert root(size, plain_reader(LEAVES)).hex() == ROOTS[size]
    assert root(0, plain_reader([])) == EMPTY_ROOT


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_the_reference_inclusion_proofs(index: int, size: int) -> None:
    proof = inclusion_proof(index, size, plain_reader(LEAVES))
    assert [one.hex() for one in proof] == INCLUSION[index, size]
    assert verify_inclusion(index, size, leaf_hash(LEAVES[index]), proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_the_reference_consistency_proofs(old: int, new: int) -> None:
    proof = consistency_proof(old, new, plain_reader(LEAVES))
    assert [one.hex() for one in proof] == CONSISTENCY[old, new]
    assert verify_consistency(old, new, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]), proof)


@given(leaves=trees, data=st.data())
def test_any_tree_proves_any_leaf_as_the_definition_says(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    read, top = plain_reader(leaves), plain_root(leaves)
    proof = inclusion_proof(index, len(leaves), read)
    assert root(len(leaves), read) == top
    assert proof == plain_path(index, leaves)
    assert verify_inclusion(index, len(leaves), leaf_hash(leaves[index]), proof, top)


@given(leaves=trees, data=st.data())
def test_any_tree_extends_any_prefix_as_the_definition_says(leaves: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    proof = consistency_proof(old, len(leaves), plain_reader(leaves))
    assert proof == plain_consistency(old, leaves)
    assert verify_consistency(old, len(leaves), plain_root(leaves[:old]), plain_root(leaves), proof)


@given(leaves=trees, data=st.data())
def test_one_bit_anywhere_fails_an_inclusion(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    leaf, top = leaf_hash(leaves[index]), plain_root(leaves)
    proof = inclusion_proof(index, size, plain_reader(leaves))
    assert verify_inclusion(index, size, leaf, proof, top)
    assert not verify_inclusion(index, size, with_a_bit_changed(leaf, data), proof, top)
    assert not verify_inclusion(index, size, leaf, proof, with_a_bit_changed(top, data))
    assert not verify_inclusion(index, size, leaf, [*proof, top], top)
    other = data.draw(st.integers(-1, size).filter(lambda place: place != index))
    assert not verify_inclusion(other, size, leaf, proof, top)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:place], with_a_bit_changed(proof[place], data), *proof[place + 1 :]]
        assert not verify_inclusion(index, size, leaf, changed, top)
        assert not verify_inclusion(index, size, leaf, proof[:-1], top)
        assert not verify_inclusion(index, size, leaf, [*proof[:-1], proof[-1][:-1]], top)


@given(leaves=trees, data=st.data())
def test_one_bit_anywhere_fails_a_consistency(leaves: list[bytes], data: st.DataObject) -> None:
    new = len(leaves)
    old = data.draw(st.integers(1, new))
    old_root, new_root = plain_root(leaves[:old]), plain_root(leaves)
    proof = consistency_proof(old, new, plain_reader(leaves))
    assert verify_consistency(old, new, old_root, new_root, proof)
    assert not verify_consistency(old, new, with_a_bit_changed(old_root, data), new_root, proof)
    assert not verify_consistency(old, new, old_root, with_a_bit_changed(new_root, data), proof)
    assert not verify_consistency(old, new, old_root, new_root, [*proof, new_root])
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:place], with_a_bit_changed(proof[place], data), *proof[place + 1 :]]
        assert not verify_consistency(old, new, old_root, new_root, changed)
        assert not verify_consistency(old, new, old_root, new_root, proof[:-1])


def test_an_empty_log_is_the_beginning_of_every_log() -> None:
    top = plain_root(LEAVES)
    assert consistency_proof(0, 8, plain_reader(LEAVES)) == []
    assert verify_consistency(0, 8, EMPTY_ROOT, top, [])
    assert not verify_consistency(0, 8, top, top, [])
    assert not verify_consistency(0, 8, EMPTY_ROOT, top, [top])


def test_what_is_not_in_the_log_is_not_proven() -> None:
    read = plain_reader(LEAVES)
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="has no leaf"):
            inclusion_proof(index, size, read)
    for old, new in ((9, 8), (-1, 8)):
        with pytest.raises(ValueError, match="does not extend"):
            consistency_proof(old, new, read)
        assert not verify_consistency(old, new, EMPTY_ROOT, EMPTY_ROOT, [])
    assert not verify_inclusion(8, 8, leaf_hash(b""), [], leaf_hash(b""))


@given(st.lists(st.integers(1, 90), max_size=8))
def test_growth_completes_each_full_subtree_once(growths: list[int]) -> None:
    leaves = [b"leaf %d" % n for n in range(sum(growths))]
    stored: dict[tuple[int, int], bytes] = {}
    asked: list[int] = []

    def read(level: int, index: int) -> bytes:
        asked.append(level)
        return stored[level, index]

    size = 0
    for count in growths:
        asked.clear()
        made = grown(size, [leaf_hash(one) for one in leaves[size : size + count]], read)
        assert not made.keys() & stored.keys()
        assert len(asked) == len(set(asked)), "each level is read at most once"
        stored |= made
        size += count
    plain = plain_reader(leaves)
    full = {(level, index) for level in range(size.bit_length()) for index in range(size >> level)}
    assert stored == {place: plain(*place) for place in full}
    assert root(size, lambda level, index: stored[level, index]) == plain_root(leaves)


@given(st.integers(0, 10_000))
def test_full_subtrees_cover_a_range_once(size: int) -> None:
    covered = [n for level, index in full_subtrees(0, size) for n in range(index << level, (index + 1) << level)]
    assert covered == list(range(size))


def with_a_bit_changed(data: bytes, drawn: st.DataObject) -> bytes:
    bit = drawn.draw(st.integers(0, len(data) * 8 - 1))
    return data[: bit // 8] + bytes([data[bit // 8] ^ (1 << bit % 8)]) + data[bit // 8 + 1 :]
