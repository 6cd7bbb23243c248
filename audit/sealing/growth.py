"""Growth of one log by a batch of entries: leaves, nodes and the next checkpoint. Asks no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from audit.log.checkpoints import Checkpoint, sign_checkpoint
from audit.log.leaves import LEAF_VERSION, leaf_bytes
from audit.log.tiles import HEIGHT
from audit.log.tree import HASH_BYTES, full_subtrees, grown, leaf_hash, root
from audit.models import AuditLog, Entry, LogCheckpoint, SealedEntry, TreeNode
from kernel.signed_notes import NoteSigner
from kernel.types import Json

Hashes = dict[tuple[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Growth:
    """Rows by which a log grows."""

    leaves: list[SealedEntry]
    nodes: list[TreeNode]
    checkpoint: LogCheckpoint


def grow(
    log: AuditLog, last: LogCheckpoint | None, entries: Sequence[Entry], signer: NoteSigner, *, now: float
) -> Growth:
    """Append entries to a log.

    Args:
        log: The log.
        last: Its last checkpoint; None before the first.
        entries: In their order; at least one.
        signer: The log's key.
        now: Second since 1970. The checkpoint is signed with it, or with a later one that an entry or ``last`` has.
    """
    size = 0 if last is None else last.size
    data = [leaf_of(entry, log.origin, size + place) for place, entry in enumerate(entries)]
    hashes = [leaf_hash(one) for one in data]
    known = peaks_of(last)
    made = grown(size, hashes, lambda level, index: known[level, index])
    known.update(made)
    new_size = size + len(entries)
    state = Checkpoint(log.origin, new_size, root(new_size, lambda level, index: known[level, index]))
    signed_at = max(int(now), 0 if last is None else last.signed_at, *(_second_after(entry) for entry in entries))
    of_log = {"tenant_id": log.tenant_id, "log_id": log.id}
    return Growth(
        leaves=[
            SealedEntry(**of_log, n=size + place, entry_id=entry.id, hash=hashes[place], data=data[place])
            for place, entry in enumerate(entries)
        ],
        nodes=[
            TreeNode(**of_log, level=level // HEIGHT, index=index, hash=found)
            for (level, index), found in made.items()
            if level and not level % HEIGHT
        ],
        checkpoint=LogCheckpoint(
            **of_log,
            size=new_size,
            root=state.root,
            note=sign_checkpoint(state, signer, signed_at=signed_at),
            peaks=b"".join(known[place] for place in full_subtrees(0, new_size)),
            signed_at=signed_at,
        ),
    )


def peaks_of(checkpoint: LogCheckpoint | None) -> Hashes:
    """Read the peaks of a checkpoint: hashes of full subtrees by level and index."""
    if checkpoint is None:
        return {}
    kept = bytes(checkpoint.peaks)
    hashes = (kept[at : at + HASH_BYTES] for at in range(0, len(kept), HASH_BYTES))
    return dict(zip(full_subtrees(0, checkpoint.size), hashes, strict=True))


def leaf_of(entry: Entry, origin: str, n: int) -> bytes:
    """Write the leaf of an entry."""
    return leaf_bytes(_fields(entry, origin, n))


def _fields(entry: Entry, origin: str, n: int) -> dict[str, Json]:
    return {
        "v": LEAF_VERSION,
        "n": n,
        "log": origin,
        "id": str(entry.id),
        "at": told_time(entry.created_at),
        "action": entry.action,
        "actor": entry.actor,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "before": entry.before,
        "after": entry.after,
        "outcome": entry.outcome,
        "request_id": entry.request_id,
        "source": entry.source or None,
    }


def told_time(at: datetime) -> str:
    """Write a time as leaves have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def log_name(tenant_id: UUID | None) -> UUID:
    """Give the id of the log of a tenant, or of the installation."""
    return tenant_id or UUID(int=0)


def _second_after(entry: Entry) -> int:
    return int(entry.created_at.timestamp()) + 1 if entry.created_at.microsecond else int(entry.created_at.timestamp())
