"""The verification of a whole log: every leaf, every tile, the root, and older checkpoints."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from audit.verifier.hashes import hash_all, hash_full, hash_leaf
from audit.verifier.signatures import Flaw, Head, LogKey, open_checkpoint, time_text
from audit.verifier.stored import TILE_WIDTH, ReadFile, StoredLog, path_of

LOST: Final = "audit_entry.missing"
"""Action of the entry that a log has in the place of one that was deleted before it could be sealed."""
SKEW_SECONDS: Final = 60
"""Seconds that an entry's time may lie behind the signed one: clocks of several machines wrote them."""
SALT_BYTES: Final = 16
"""Length of what stands before a person's value in what its commitment hashes."""
LEAF_FIELDS: Final = frozenset(
    (
        "v", "n", "log", "id", "at", "action", "actor", "object_type", "object_id", "before", "after", "outcome",
        "request_id", "source",
    )
)  # fmt: skip
_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
Verdict: TypeAlias = "dict[str, Any]"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


_LEAVES: Final = json.JSONDecoder(object_pairs_hook=_once)  # made once: that costs as much as reading a leaf


def verify_log(
    read: ReadFile,
    keys: list[LogKey],
    *,
    start: int = 0,
    since: Iterable[bytes] = (),
    entries: Iterable[bytes] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Verify a whole log.

    Args:
        read: Gives a file by its path (``checkpoint``, ``tile/0/000``).
        keys: The log's keys, old ones too.
        start: First leaf that was not pruned; the look begins with its bundle.
        since: Older checkpoints, which the log has to extend.
        entries: Lines of entries.ndjson, each with its end, from the first leaf of that bundle on.
        progress: Is told how many leaves there are up to where the look has come.
    """
    began, head, flaw = time.monotonic(), None, None
    try:
        head = open_checkpoint(read("checkpoint") or b"", keys)
        log = StoredLog(read, head.size)
        examination = Examination(log, head, start, entries)
        flaw = examination.flaw_found(progress)
        if flaw is None or flaw.kind == "root":
            flaw = _against(log, head, [open_checkpoint(one, keys) for one in since], flaw)
        lost = examination.lost
        if lost is not None and (flaw is None or lost.n < flaw.n):
            flaw = lost
    except Flaw as refusal:
        flaw = refusal
    return verdict_on(head, flaw, began)


def verdict_on(head: Head | None, flaw: Flaw | None, began: float) -> Verdict:
    """Say what was found, as JSON has it; ``began`` is by the steady clock."""
    return {
        "ok": flaw is None,
        "log": head and head.log,
        "size": head and head.size,
        "root": head and head.root.hex(),
        "signed_at": head and time_text(head.signed_at) + "Z",
        "first_bad": flaw and {"n": flaw.n, "kind": flaw.kind, "detail": flaw.detail},
        "checked_seconds": round(time.monotonic() - began, 3),
    }


class Examination:
    """One look at every leaf and tile, from the first leaf up, which keeps the flaw of the first bad leaf.

    Attributes:
        lost: The first leaf that tells of an entry which was deleted before it was sealed. It is what was signed, so
            it keeps nothing else from being looked at.
    """

    def __init__(self, log: StoredLog, head: Head, start: int, entries: Iterable[bytes] | None) -> None:
        """Take the log, what was signed of it, the first leaf that was not pruned, and lines of entries.ndjson.

        Raises:
            Flaw: A tile that pruning leaves is missing, or the log has no leaf from ``start`` on.
        """
        if start > head.size:
            raise Flaw(head.size, "shrunk", f"the log has {head.size} leaves, and none from {start} on")
        self._log = log
        self._head = head
        self._first = start // TILE_WIDTH
        self._entries = None if entries is None else iter(entries)
        self._latest = latest_time(head)
        self._flaw: Flaw | None = None
        self.lost: Flaw | None = None
        self._rows: list[list[bytes]] = [[]]
        place = self._first
        while head.size >> 8 * len(self._rows):  # what was pruned is vouched for by the root alone
            place, width = divmod(place, TILE_WIDTH)
            self._rows.append(log.hashes(len(self._rows), place)[:width] if width else [])

    def flaw_found(self, progress: Callable[[int], None] | None = None) -> Flaw | None:
        """Look at all leaves, then hold the root against the signed one; give the flaw of the first bad leaf."""
        try:
            for index in range(self._first, -(-self._head.size // TILE_WIDTH)):
                self._bundle(index)
                if progress:
                    progress(min(self._head.size, (index + 1) * TILE_WIDTH))
            self._edge()
        except Flaw as flaw:
            self._note(flaw)
            return self._flaw
        is_signed = hash_all(self._rows) == self._head.root
        if self._flaw and self._flaw.kind == "hash":
            self._flaw.kind = "tile" if is_signed else "leaf"
        if self._flaw is None and not is_signed:
            self._note(Flaw(self._first * TILE_WIDTH, "root", "the leaves have another root than the signed one"))
        return self._flaw

    def _note(self, flaw: Flaw) -> None:
        if self._flaw is None or flaw.n < self._flaw.n:
            self._flaw = flaw

    def _bundle(self, index: int) -> None:
        leaves = self._rows[0]
        for n, data in enumerate(self._log.leaves(index), index * TILE_WIDTH):
            leaves.append(hash_leaf(data))
            try:
                leaf = check_leaf(n, data, self._head.log, self._latest)
                if leaf["action"] == LOST and self.lost is None:
                    self.lost = Flaw(n, "lost", f"leaf {n} tells that an entry was deleted before it was sealed")
                if self._entries is not None:
                    check_line(n, data, next(self._entries, b""))
            except Flaw as flaw:
                self._note(flaw)
        level, place = 0, index
        while len(self._rows[level]) == TILE_WIDTH:
            self._compare(level, place, self._rows[level])
            self._rows[level + 1].append(hash_full(self._rows[level]))
            self._rows[level] = []
            level, place = level + 1, place // TILE_WIDTH

    def _edge(self) -> None:
        """Look at the partial tiles, and for lines beyond the last leaf."""
        for level, row in enumerate(self._rows):
            if row:
                self._compare(level, self._head.size >> 8 * (level + 1), row)
        if self._entries is not None and next(self._entries, b""):
            self._note(Flaw(self._head.size, "entries", "entries.ndjson has more lines than the log has leaves"))

    def _compare(self, level: int, place: int, row: list[bytes]) -> None:
        """Hold hashes that the leaves make against those of their tile."""
        try:
            stored = self._log.hashes(level, place)
        except Flaw as flaw:
            self._note(flaw)
            return
        for at, (one, other) in enumerate(zip(row, stored, strict=True)):
            if one != other:
                n, path = (place * TILE_WIDTH + at) << 8 * level, path_of(level, place, len(row))
                known = self._flaw
                if known and known.n < n + (1 << 8 * level) and (known.n, known.kind) != (n, "entries"):
                    return  # it is known more exactly
                self._flaw = Flaw(n, "hash", f"the leaves from {n} on have another hash than {path} says")
                return


def latest_time(head: Head) -> str:
    """The second, as text, that no entry under a checkpoint may be later than."""
    return time_text(head.signed_at + SKEW_SECONDS)


def check_leaf(n: int, data: bytes, log: str, latest: str) -> Any:
    """Hold the fields of a leaf against its place, its log and the signed time; give them.

    Raises:
        Flaw: One of them does not hold.
    """
    try:
        leaf = _LEAVES.decode(data.decode())
    except (ValueError, RecursionError):
        raise Flaw(n, "form", f"leaf {n} is no JSON, or has a key twice") from None
    if not isinstance(leaf, dict) or leaf.keys() != LEAF_FIELDS or leaf["v"] != 1:
        raise Flaw(n, "form", f"leaf {n} has not the fields of an entry")
    if type(leaf["n"]) is not int or leaf["n"] != n:
        raise Flaw(n, "number", f"leaf {n} says that it is another leaf")
    if leaf["log"] != log:
        raise Flaw(n, "log", f"leaf {n} says that it is of another log")
    if not isinstance(leaf["at"], str) or not _AT.fullmatch(leaf["at"]):
        raise Flaw(n, "form", f"leaf {n} has no time in UTC")
    if leaf["at"][:19] > latest:
        raise Flaw(n, "time", f"leaf {n} is of {leaf['at']}, after the checkpoint was signed")
    return leaf


def check_line(n: int, data: bytes, line: bytes) -> None:
    """Hold a line of entries.ndjson against its leaf, and what it opens against the hashes in the leaf.

    Raises:
        Flaw: It has not the leaf's bytes, or a value in it is not the one that was hashed.
    """
    begin = b'{"leaf":' + data
    if line == begin + b"}\n":
        return
    try:
        beside: dict[str, Any] = json.loads(b"{" + line[len(begin) :].removeprefix(b","))
        told = [(f'"sha256":"{key}"', key, text.encode()) for key, text in beside.pop("long", {}).items()]
        for key, opened in beside.pop("personal", {}).items():
            if opened != "erased":
                told.append((f'"{key}"', key.removeprefix("sha256:"), _opening(opened)))
        is_true = all(place.encode() in data and hashlib.sha256(text).hexdigest() == key for place, key, text in told)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        is_true, beside = False, {}
    if not is_true or beside or not line.startswith(begin):
        raise Flaw(n, "entries", f"the line of leaf {n} in entries.ndjson does not tell what was sealed")


def _opening(opened: dict[str, str]) -> bytes:
    """Read what a commitment hashes; a salt of another length has taken some of the value, or given some."""
    salt = bytes.fromhex(opened["salt"])
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has another length")
    return salt + opened["value"].encode()


def _against(log: StoredLog, head: Head, old: list[Head], flaw: Flaw | None) -> Flaw | None:
    """Hold a log against older checkpoints. Leaves before the longest one that it extends are vouched for."""
    vouched = 0
    for one in sorted(old, key=lambda known: known.size):
        if one.log != head.log:
            return Flaw(0, "log", f"the old checkpoint is of the log {one.log}")
        if one.size > head.size:
            return flaw or Flaw(head.size, "shrunk", f"the log had {one.size} leaves, and has {head.size}")
        try:
            is_extended = log.root_at(one.size) == one.root
        except Flaw as gone:
            return Flaw(gone.n, "missing", f"the log was pruned beyond the old checkpoint of {one.size} leaves")
        if not is_extended:
            return Flaw(vouched, "history", f"the first {one.size} leaves are not those of the old checkpoint")
        if one.signed_at > head.signed_at:
            return flaw or Flaw(one.size, "time", "the checkpoint was signed before the old, shorter one")
        vouched = one.size
    return flaw and Flaw(max(vouched, flaw.n), flaw.kind, flaw.detail)
