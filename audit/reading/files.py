"""Files of a stored log, by the paths of tlog-tiles: its checkpoint, its tiles, its entries; and proofs made of them.

Everything is to be called in a scope that sees the log (``scope_of``). A log only grows: what was read once stays so.
"""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from audit.errors import LogEmpty, LogFileNotFound, NotSealed
from audit.log.proofs import LogProof
from audit.log.tiles import ENTRIES, HEIGHT, WIDTH, Tile, TileMalformed, bundle_bytes, parse_path, tile_reader
from audit.log.tree import inclusion_proof
from audit.models import AuditLog, Entry, LogCheckpoint, LogPruning, SealedEntry, TreeNode, UnsealedEntry
from audit.sealing.growth import log_name
from audit.verifier.examination import SKEW_SECONDS
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now

CHECKPOINT: Final = "checkpoint"


def scope_of(tenant_id: UUID | None) -> AbstractContextManager[None]:
    """Open the scope in which the log of a tenant, or of the installation, is read."""
    return unscoped("the installation's log") if tenant_id is None else tenant_scope(tenant_id)


def leaves_of(tenant_id: UUID | None) -> QuerySet[SealedEntry]:
    """Give the leaves of the log of a tenant, or of the installation: rows that name another log are none."""
    return SealedEntry.objects.filter(Q(tenant_id=tenant_id), log_id=log_name(tenant_id), n__gte=0)


def entries_of(tenant_id: UUID | None) -> QuerySet[Entry]:
    """Give the entries that a log has or that wait for it; one that is in no log says nothing.

    Neither does one whose leaf is below a pruning, or that would have to wait for its own time to come.
    """
    kept = leaves_of(tenant_id).filter(entry_id=OuterRef("id"), n__gte=first_leaf(log_name(tenant_id)))
    is_of_now = Q(created_at__lte=latest_now())
    return Entry.objects.filter(Q(Exists(kept)) | Q(is_waiting(tenant_id)) & is_of_now, Q(tenant_id=tenant_id))


def latest_now() -> datetime:
    """Give the latest time that an entry of now can have: clocks of several machines differ."""
    return utc_now() + timedelta(seconds=SKEW_SECONDS)


def is_sealed(tenant_id: UUID | None) -> Exists:
    """Ask of entries whether a log has them."""
    return Exists(leaves_of(tenant_id).filter(entry_id=OuterRef("id")))


def is_waiting(tenant_id: UUID | None) -> Exists:
    """Ask of entries whether they wait for a log."""
    return Exists(UnsealedEntry.objects.filter(Q(tenant_id=tenant_id), entry_id=OuterRef("id")))


def first_leaf(log_id: UUID) -> int:
    """Give the number of the first leaf that no pruning has taken."""
    newest = LogPruning.objects.filter(log_id=log_id).aggregate(Max("minimum"))["minimum__max"]
    return newest or 0


def stored_leaves(tenant_id: UUID | None) -> int:
    """Count the leaves that a log has, without those that were pruned; 0 where nothing is sealed yet."""
    with scope_of(tenant_id):
        try:
            files = LogFiles(tenant_id)
        except LogEmpty:
            return 0
        return files.last.size - files.first


class LogFiles:
    """Files of the log of a tenant, or of the installation, up to its last checkpoint.

    Attributes:
        log: The log.
        last: Its last checkpoint.
        first: The first leaf that was not pruned.

    Raises:
        LogEmpty: Nothing is sealed yet.
    """

    def __init__(self, tenant_id: UUID | None) -> None:
        log_id = log_name(tenant_id)
        self.first = first_leaf(log_id)  # before the checkpoint: that has the leaf which tells of this pruning
        log = AuditLog.objects.filter(id=log_id).first()
        last = LogCheckpoint.objects.filter(log_id=log_id).order_by("-id").first()
        if log is None or last is None:
            raise LogEmpty
        self.log = log
        self.last = last

    def read(self, path: str) -> bytes | None:
        """Give a file; None where the log has none of this path."""
        if path == CHECKPOINT:
            return self.last.note.encode()
        try:
            tile = parse_path(path)
        except TileMalformed:
            return None
        return self._tile(tile)

    def require(self, path: str) -> bytes:
        """Give a file.

        Raises:
            LogFileNotFound: The log has none of this path.
        """
        found = self.read(path)
        if found is None:
            raise LogFileNotFound
        return found

    def proof(self, n: int) -> str:
        """Prove that the log has leaf ``n``, by its last checkpoint.

        Raises:
            NotSealed: The log has no such leaf.
        """
        leaf = SealedEntry.objects.filter(log_id=self.log.id, n=n).first()
        if leaf is None or not self.first <= n < self.last.size:
            raise NotSealed
        hashes = inclusion_proof(n, self.last.size, tile_reader(self.last.size, lambda tile: self.require(tile.path)))
        return LogProof(n, tuple(hashes), self.last.note, extra=bytes(leaf.data)).text

    def _tile(self, tile: Tile) -> bytes | None:
        height = HEIGHT * max(tile.level, 0)
        first = tile.index * WIDTH
        if first + tile.width > self.last.size >> height:
            return None
        if tile.level > 0:
            nodes = TreeNode.objects.filter(log_id=self.log.id, level=tile.level, index__gte=first)
            hashes = list(nodes.order_by("index").values_list("hash", flat=True)[: tile.width])
            return b"".join(map(bytes, hashes)) if len(hashes) == tile.width else None
        leaves = SealedEntry.objects.filter(log_id=self.log.id, n__gte=first, n__lt=first + tile.width).order_by("n")
        wanted = "data" if tile.level == ENTRIES else "hash"
        found = [bytes(one) for one in leaves.values_list(wanted, flat=True)]
        if len(found) != tile.width:
            return None
        return bundle_bytes(found) if tile.level == ENTRIES else b"".join(found)


def first_entry_at(files: LogFiles) -> datetime | None:
    """Tell when the first entry that is left was written, in a scope that sees the log; None where none was pruned."""
    if not files.first:
        return None
    first = SealedEntry.objects.filter(log_id=files.log.id, n=files.first).values("entry_id")
    at = Entry.objects.filter(id__in=first).values_list("created_at", flat=True).first()
    return at or files.last.created_at
