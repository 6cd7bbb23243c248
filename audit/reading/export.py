"""Export of a log: a folder that verifies by itself, as files that are read when their turn comes."""

import json
from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from audit.log.leaves import digest, entry_line, written
from audit.log.tiles import Tile, entry_bundles, hash_tiles
from audit.models import Entry, PersonalValue, SealedEntry
from audit.personal import ERASED, commitments_in, kept_values
from audit.reading.files import CHECKPOINT, LogFiles, scope_of
from audit.sealing.keys import keys_of
from audit.services import record
from audit.verifier.standalone import verify_py
from kernel.types import Json

FOLDER: Final = "log"
"""Folder of the log itself; key and verifier stand beside it, as the commands of the howto have them."""
PIECE: Final = 1_000
"""Entries read at once."""


def export_log(tenant_id: UUID | None, *, actor: str) -> tuple[LogFiles, Iterator[tuple[str, Iterable[bytes]]]]:
    """Give the files of the log of a tenant, or of the installation, up to its last checkpoint.

    Their contents are read in parts, each in a transaction of its own. What is sealed meanwhile is not in them.

    Args:
        tenant_id: The tenant; None for the installation.
        actor: For the audit, which tells who took it and how long it was.

    Returns:
        The log, and the files: their names and contents.

    Raises:
        LogEmpty: Nothing is sealed yet.
    """
    with scope_of(tenant_id):
        files = LogFiles(tenant_id)
        keys = "".join(f"{key.verifier}\n" for key in keys_of(files.log.id))
        record("audit_log.exported", files.log, actor=actor, after={"size": files.last.size})
    return files, _files(files, tenant_id, keys)


def _files(files: LogFiles, tenant_id: UUID | None, keys: str) -> Iterator[tuple[str, Iterable[bytes]]]:
    yield "verify.py", [verify_py().encode()]
    yield "key", [keys.encode()]
    yield f"{FOLDER}/{CHECKPOINT}", [files.last.note.encode()]
    for tile in (*hash_tiles(0, files.last.size), *entry_bundles(0, files.last.size)):
        if tile.end <= files.first:  # pruned, or nothing hangs on it any more
            continue
        data = _tile(files, tenant_id, tile)
        if data is not None:  # of a damaged log all that is left is given: what is missing, verify.py says
            yield f"{FOLDER}/{tile.path}", [data]
    yield f"{FOLDER}/entries.ndjson", _lines(files, tenant_id)


def _tile(files: LogFiles, tenant_id: UUID | None, tile: Tile) -> bytes | None:
    with scope_of(tenant_id):
        return files.read(tile.path)


def _lines(files: LogFiles, tenant_id: UUID | None) -> Iterator[bytes]:
    for first in range(files.first, files.last.size, PIECE):
        beyond = min(first + PIECE, files.last.size)
        with scope_of(tenant_id):
            leaves = list(SealedEntry.objects.filter(log_id=files.log.id, n__gte=first, n__lt=beyond).order_by("n"))
            entries = Entry.objects.in_bulk([leaf.entry_id for leaf in leaves])
            kept = kept_values(entries.values())
        yield b"".join(_line(bytes(leaf.data), entries.get(leaf.entry_id), kept) for leaf in leaves)


def _line(data: bytes, entry: Entry | None, kept: dict[str, PersonalValue]) -> bytes:
    """Write the line of a leaf, with what opens the hashes in it as far as that is kept."""
    leaf = json.loads(data)
    told = (leaf["before"], leaf["after"], leaf["source"])
    values = () if entry is None else (entry.before, entry.after)
    long = {_sha256(value): written(value).decode() for value in values if digest(value) in told}
    personal: dict[str, Json] = {one: _opened(kept.get(one)) for one in commitments_in(*told)}
    return entry_line(data, long=long, personal=personal)


def _sha256(value: Json) -> str:
    return str(digest(value)["sha256"])


def _opened(row: PersonalValue | None) -> Json:
    return ERASED if row is None else {"salt": bytes(row.salt).hex(), "value": row.value}
