"""Verification of a stored log: its leaves, tiles and checkpoint, and the entries and runs held against them."""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from audit.errors import LogEmpty
from audit.models import AuditLog, Entry, SealedEntry
from audit.reading.checkpoints_held import flaw_of_empty, flaws_of_last, flaws_of_older
from audit.reading.files import LogFiles, first_entry_at, scope_of
from audit.reading.personal_held import bad_values
from audit.reading.prunings_held import bad_pruning
from audit.reading.runs_held import RunsHeld
from audit.reading.unsealed_held import flaw_of_unsealed
from audit.sealing.growth import leaf_of
from audit.sealing.keys import trusted_verifiers
from audit.verifier.examination import Verdict, verdict_on, verify_log
from audit.verifier.signatures import Flaw, read_keys

MISSING: Final = "missing"
PIECE: Final = 1_000
"""Entries read at once."""


def verify_stored(
    tenant_id: UUID | None,
    progress: Callable[[int], None] | None = None,
    kept: Mapping[int, bytes] = MappingProxyType({}),
) -> Verdict:
    """Verify the log of a tenant, or of the installation: its entries are what it sealed, its runs what they say.

    Args:
        tenant_id: The tenant; None for the installation.
        progress: Is told how many looks at a leaf are done: each is looked at twice, from the first of the log on.
        kept: Roots by size, of checkpoints that were kept elsewhere, which the log has to extend.

    Returns:
        What ``verify.py`` says of the log, and its first leaf that was not pruned; the flaw is that of the first
        bad leaf.

    Raises:
        LogEmpty: Nothing is sealed yet.
    """
    began = time.monotonic()
    try:
        with scope_of(tenant_id):
            files = LogFiles(tenant_id)
    except LogEmpty:
        flaw = flaw_of_empty(tenant_id) or (
            Flaw(0, "shrunk", f"the log had {max(kept)} leaves, and has none") if kept else None
        )
        if flaw is None:
            raise
        return {**verdict_on(None, flaw, began), "first": 0}
    keys = read_keys("\n".join(key.text for key in trusted_verifiers(files.log.origin)))
    verdict = verify_log(lambda path: _read(files, tenant_id, path), keys, start=files.first, progress=progress)
    with scope_of(tenant_id):
        unsaid = bad_pruning(files, keys)
    flaws = chain([unsaid] if unsaid else [], flaws_of_last(files, tenant_id), _flaws(files, tenant_id, progress))
    found = next(flaws, None) or (next(flaws_of_older(files, tenant_id, kept), None) if verdict["ok"] else None)
    if found is not None and (verdict["ok"] or _is_more_exact(found, verdict["first_bad"])):
        told = verdict_on(None, found, began)
        verdict = {**verdict, "ok": False, "first_bad": told["first_bad"]}
    return {**verdict, "first": files.first, "checked_seconds": round(time.monotonic() - began, 3)}


def _is_more_exact(found: Flaw, known: Mapping[str, Any]) -> bool:
    """Whether a flaw is of an earlier leaf than the known one, or tells the leaf where that tells its file only."""
    return bool(found.n < known["n"] or (found.kind == known["kind"] == MISSING))


def verify_if_sealed(tenant_id: UUID | None, kept: Mapping[int, bytes]) -> "Verdict | None":
    """Verify a log as ``verify_stored`` does; None where nothing is sealed yet."""
    try:
        return verify_stored(tenant_id, kept=kept)
    except LogEmpty:
        return None


def _read(files: LogFiles, tenant_id: UUID | None, path: str) -> bytes | None:
    with scope_of(tenant_id):
        return files.read(path)


def _flaws(files: LogFiles, tenant_id: UUID | None, progress: Callable[[int], None] | None) -> Iterator[Flaw]:
    """Find leaves whose entries or runs are gone or changed, then entries that no leaf has, and runs no entry has."""
    with scope_of(tenant_id):
        first_at = first_entry_at(files)
    held = None if tenant_id is None else RunsHeld(tenant_id, first_at)
    for first in range(files.first, files.last.size, PIECE):
        if progress:
            progress(files.last.size + first)
        yield from _flaws_of_piece(files, tenant_id, held, first)
    with scope_of(tenant_id):
        unsealed = flaw_of_unsealed(tenant_id, files.last.size)
    if unsealed is not None:
        yield unsealed
    for said in () if held is None else held.unrecorded():
        yield Flaw(files.last.size, "run", said)


def _flaws_of_piece(files: LogFiles, tenant_id: UUID | None, held: RunsHeld | None, first: int) -> Iterator[Flaw]:
    with scope_of(tenant_id):
        rows = SealedEntry.objects.filter(log_id=files.log.id, n__gte=first, n__lt=first + PIECE).order_by("n")
        leaves = list(rows)
        entries = Entry.objects.in_bulk([leaf.entry_id for leaf in leaves])
        bad_people = dict(bad_values(tenant_id, entries.values(), is_pruned=files.first > 0))
    bad_runs = {} if held is None else held.bad_entries(entries.values())
    expected = range(first, min(first + PIECE, files.last.size))
    if gone := set(expected) - {leaf.n for leaf in leaves}:
        yield Flaw(min(gone), MISSING, f"leaf {min(gone)} is gone")
    for leaf in leaves:
        yield from _flaws_of(leaf, entries.get(leaf.entry_id), files.log)
        if leaf.entry_id in bad_people:
            yield Flaw(leaf.n, "personal", bad_people[leaf.entry_id])
        if leaf.entry_id in bad_runs:
            yield Flaw(leaf.n, *bad_runs[leaf.entry_id])


def _flaws_of(leaf: SealedEntry, entry: Entry | None, log: AuditLog) -> Iterator[Flaw]:
    if entry is None:
        yield Flaw(leaf.n, "entry", f"the entry {leaf.entry_id} of leaf {leaf.n} is gone")
    elif {leaf.tenant_id, entry.tenant_id} != {log.tenant_id}:
        yield Flaw(leaf.n, "entry", f"the entry {leaf.entry_id} of leaf {leaf.n} is given to another tenant")
    elif leaf_of(entry, log.origin, leaf.n) != bytes(leaf.data):
        yield Flaw(leaf.n, "entry", f"the entry {leaf.entry_id} is not what leaf {leaf.n} sealed")
