"""The Merkle tree as RFC 6962 defines it, by recursion over all leaves: slow, plain, and nothing of the product's."""

import hashlib
from collections.abc import Callable, Sequence


def plain_root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    middle = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + plain_root(leaves[:middle]) + plain_root(leaves[middle:])).digest()


def plain_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = largest_power_below(len(leaves))
    if index < middle:
        return [*plain_path(index, leaves[:middle]), plain_root(leaves[middle:])]
    return [*plain_path(index - middle, leaves[middle:]), plain_root(leaves[:middle])]


def plain_consistency(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [plain_root(leaves)]
    middle = largest_power_below(len(leaves))
    if old <= middle:
        return [*plain_consistency(old, leaves[:middle], whole=whole), plain_root(leaves[middle:])]
    return [*plain_consistency(old - middle, leaves[middle:], whole=False), plain_root(leaves[:middle])]


def plain_reader(leaves: Sequence[bytes]) -> Callable[[int, int], bytes]:
    """Full subtrees of these leaves, each computed anew; asking for one that is not full fails."""

    def read(level: int, index: int) -> bytes:
        found = leaves[index << level : (index + 1) << level]
        assert len(found) == 1 << level, f"({level}, {index}) is not full"
        return plain_root(found)

    return read


def largest_power_below(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)
