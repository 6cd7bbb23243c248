"""The verification of one entry, offline (c2sp.org/tlog-proof)."""

import re
import time
from typing import Final

from audit.verifier.examination import Verdict, check_leaf, latest_time, verdict_on
from audit.verifier.hashes import hash_leaf, leads_to
from audit.verifier.signatures import Flaw, Head, LogKey, open_checkpoint, unbase64

_RECEIPT: Final = re.compile(
    r"c2sp\.org/tlog-proof@v1\n(?:extra ([^\n]+)\n)?index (0|[1-9][0-9]{0,18})\n((?:[^\n]+\n){0,63})\n(.+)", re.DOTALL
)


def verify_receipt(text: str, keys: list[LogKey], entry: bytes | None = None) -> Verdict:
    """Verify a ``.tlog-proof``; the verdict has the entry that it proves.

    Args:
        text: The receipt.
        keys: The log's keys.
        entry: The bytes of the leaf; None takes those that stand in the receipt itself.
    """
    began, head, flaw, proven = time.monotonic(), None, None, None
    try:
        n, proof, carried, note = _parts_of(text)
        leaf = carried if entry is None else entry
        head = open_checkpoint(note, keys)
        _check_inclusion(head, n, leaf, proof)
        proven = check_leaf(n, leaf, head.log, latest_time(head))
    except Flaw as refusal:
        flaw = refusal
    return {**verdict_on(head, flaw, began), "entry": proven}


def _parts_of(text: str) -> tuple[int, list[bytes], bytes, bytes]:
    """Take a receipt apart into the leaf's place, the proof, the bytes it carries, and the checkpoint."""
    parts = _RECEIPT.fullmatch(text)
    if not parts:
        raise Flaw(0, "receipt", "the receipt is no tlog-proof")
    proof = [unbase64(line) for line in parts[3].split("\n")[:-1]]
    return int(parts[2]), proof, unbase64(parts[1] or ""), parts[4].encode()


def _check_inclusion(head: Head, n: int, leaf: bytes, proof: list[bytes]) -> None:
    if any(len(one) != 32 for one in proof) or not leads_to(head.root, n, head.size, hash_leaf(leaf), proof):
        raise Flaw(n, "receipt", f"the entry is not leaf {n} of the log")
