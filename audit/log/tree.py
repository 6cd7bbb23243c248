"""The Merkle tree of a log (RFC 6962): roots, proofs, growth.

A *full subtree* of level ``l`` and index ``i`` is that of the ``2**l`` leaves from ``i * 2**l``. Its hash never changes
once it has all of them, so it is what is stored; ``read(level, index)`` gives it, and all else is computed from such
hashes. Leaves and nodes are hashed with different prefixes, so that neither passes for the other.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of a log without leaves."""
Read: TypeAlias = Callable[[int, int], bytes]
"""Gives the hash of a full subtree by level and index; is asked for none that the log has not."""


def leaf_hash(data: bytes) -> bytes:
    """Hash the bytes of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash a node of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(size: int, read: Read) -> bytes:
    """Compute the root of the first leaves of a log.

    Args:
        size: Number of leaves.
        read: Gives the hashes of full subtrees below ``size``.
    """
    return _hash_of(0, size, read) if size else EMPTY_ROOT


def grown(size: int, new_leaf_hashes: Sequence[bytes], read: Read) -> dict[tuple[int, int], bytes]:
    """Append leaves; give the hash of each full subtree that they complete, by level and index.

    Args:
        size: Number of leaves before.
        new_leaf_hashes: Their hashes in order.
        read: Gives the hashes of full subtrees below ``size``; asked for at most one a level.
    """
    made: dict[tuple[int, int], bytes] = {}
    level, first, row = 0, size, list(new_leaf_hashes)
    while row:
        made.update(((level, index), one) for index, one in enumerate(row, first))
        if first % 2:
            first -= 1
            row.insert(0, read(level, first))
        row = [node_hash(row[place], row[place + 1]) for place in range(0, len(row) - 1, 2)]
        level, first = level + 1, first // 2
    return made


def inclusion_proof(index: int, size: int, read: Read) -> list[bytes]:
    """Prove that a leaf is in the log: the siblings on its way to the root, from the leaf's own.

    Raises:
        ValueError: The log of this size has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a log of {size} has no leaf {index}")
    begin, end = 0, size
    path: list[bytes] = []
    while end - begin > 1:
        middle = _middle(begin, end)
        if index < middle:
            path.append(_hash_of(middle, end, read))
            end = middle
        else:
            path.append(_hash_of(begin, middle, read))
            begin = middle
    return path[::-1]


def consistency_proof(old: int, new: int, read: Read) -> list[bytes]:
    """Prove that a log extends its former self: what the root of each of the two sizes is made of.

    Nothing is to be proven, and the proof is empty, where the old log was empty or is as long as the new one.

    Raises:
        ValueError: The old size is below 0 or beyond the new one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a log of {new} does not extend one of {old}")
    if not old:
        return []
    begin, end = 0, new
    path: list[bytes] = []
    while old != end:
        middle = _middle(begin, end)
        if old <= middle:
            path.append(_hash_of(middle, end, read))
            end = middle
        else:
            path.append(_hash_of(begin, middle, read))
            begin = middle
    if begin:  # else it is the old log itself, and its root is known
        path.append(_hash_of(begin, end, read))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether a proof shows a leaf in a log.

    Args:
        index: Place of the leaf.
        size: Number of leaves of the log.
        leaf: Hash of the leaf.
        proof: What ``inclusion_proof`` gives.
        expected: Root of the log at this size.
    """
    if not 0 <= index < size or not _are_hashes(proof):
        return False
    node, last, found = index, size - 1, leaf
    for one in proof:
        if not last:
            return False
        if node % 2 or node == last:
            found = node_hash(one, found)
            while not node % 2 and node:
                node, last = node // 2, last // 2
        else:
            found = node_hash(found, one)
        node, last = node // 2, last // 2
    return not last and hmac.compare_digest(found, expected)


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the log of the new size begins with that of the old one.

    Args:
        old: Number of leaves of the old log.
        new: Number of leaves of the new log.
        old_root: Root at the old size.
        new_root: Root at the new size.
        proof: What ``consistency_proof`` gives.
    """
    if not 0 <= old <= new or not _are_hashes(proof):
        return False
    if not old:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and hmac.compare_digest(old_root, new_root)
    node, last = old - 1, new - 1
    while node % 2:
        node, last = node // 2, last // 2
    rest = iter(proof)
    first = next(rest, b"") if node else old_root
    return _leads_to_both(node, last, (first, old_root, new_root), rest)


def full_subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cover a range of leaves with full subtrees, by level and index, from left to right.

    Args:
        begin: First leaf; a multiple of the largest power of two that fits into the range.
        end: The leaf behind the last.
    """
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level


def _leads_to_both(node: int, last: int, roots: tuple[bytes, bytes, bytes], rest: Iterator[bytes]) -> bool:
    """Whether the hashes of a consistency proof make the old root and the new one."""
    first, old_root, new_root = roots
    old_found = new_found = first
    for one in rest:
        if not last:
            return False
        if node % 2 or node == last:
            old_found, new_found = node_hash(one, old_found), node_hash(one, new_found)
            while not node % 2 and node:
                node, last = node // 2, last // 2
        else:
            new_found = node_hash(new_found, one)
        node, last = node // 2, last // 2
    return not last and hmac.compare_digest(old_found, old_root) and hmac.compare_digest(new_found, new_root)


def _hash_of(begin: int, end: int, read: Read) -> bytes:
    """Hash of the leaves of a range that is a node of some tree."""
    *before, last = (read(level, index) for level, index in full_subtrees(begin, end))
    for one in reversed(before):
        last = node_hash(one, last)
    return last


def _middle(begin: int, end: int) -> int:
    """The leaf at which RFC 6962 parts a range: behind the largest power of two that is smaller than it."""
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


def _are_hashes(proof: Sequence[bytes]) -> bool:
    return all(len(one) == HASH_BYTES for one in proof)
