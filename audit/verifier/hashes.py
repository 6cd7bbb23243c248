"""Hashes of a log's tree (RFC 6962), computed from its leaves up."""

import hashlib
from collections.abc import Iterable


def hash_leaf(data: bytes) -> bytes:
    """Hash a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_pair(left: bytes, right: bytes) -> bytes:
    """Hash a node of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def hash_full(row: list[bytes]) -> bytes:
    """Hash a full subtree: a power of two of hashes."""
    while len(row) > 1:
        row = [hash_pair(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def hash_all(rows: Iterable[list[bytes]]) -> bytes:
    """Hash a whole log out of the rows of its partial tiles, from level 0 up."""
    root = b""
    for row in rows:
        end = len(row)
        while end:
            begin = end - (end & -end)
            full = hash_full(row[begin:end])
            root = hash_pair(full, root) if root else full
            end = begin
    return root or hashlib.sha256(b"").digest()


def leads_to(root: bytes, n: int, size: int, found: bytes, proof: Iterable[bytes]) -> bool:
    """Whether an inclusion proof leads from the hash of leaf ``n`` to a root."""
    last = size - 1
    if not 0 <= n <= last:
        return False
    for one in proof:
        while n == last and n and not n % 2:  # no sibling on this level
            n, last = n // 2, last // 2
        if not last:
            return False
        found = hash_pair(one, found) if n % 2 else hash_pair(found, one)
        n, last = n // 2, last // 2
    return not last and found == root
