"""What the sealer keeps in the database is a log that the stand-alone verifier accepts, and no row of it may change."""

import pytest

from audit.log.tiles import bundle_bytes, entry_bundles, hash_tiles, tile_bytes
from audit.models import AuditLog, LogCheckpoint, SealedEntry, TreeNode
from audit.sealing.keys import verifiers_of
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope
from tests.conftest import Customer
from tests.support.audit_logs import flipped, verifier

pytestmark = pytest.mark.django_db(transaction=True)


def files_of(customer: Customer) -> tuple[dict[str, bytes], str]:
    """The files of a tenant's log, made of its rows as they are, and its keys."""
    with tenant_scope(customer.tenant.id):
        rows = list(SealedEntry.objects.order_by("n"))
        stored = {(8 * node.level, node.index): bytes(node.hash) for node in TreeNode.objects.all()}
        note = LogCheckpoint.objects.latest("id").note
        keys = "\n".join(key.text for key in verifiers_of(AuditLog.objects.get().id))
    stored |= {(0, row.n): bytes(row.hash) for row in rows}
    files = {tile.path: tile_bytes(tile, lambda *place: stored[place]) for tile in hash_tiles(0, len(rows))}
    for tile in entry_bundles(0, len(rows)):
        first = tile.index * 256
        files[tile.path] = bundle_bytes([bytes(row.data) for row in rows[first : first + tile.width]])
    return {**files, "checkpoint": note.encode()}, keys


def test_the_rows_of_a_log_verify_and_extend_what_it_was(acme: Customer) -> None:
    old = []
    for _ in range(2):
        with tenant_scope(acme.tenant.id):
            for number in range(300):
                thing = AuditObject("segment", f"s{number}", acme.tenant.id)
                record("segment.saved", thing, actor="system", after={"number": number})
        seal_entries()
        files, keys = files_of(acme)
        old.append(files["checkpoint"])
    found = verifier().verify_log(files.get, verifier().read_keys(keys), since=old)
    assert found["first_bad"] is None
    assert found["size"] > 600
    files["tile/entries/001"] = files["tile/entries/001"].replace(b'"number":', b'"numbex":', 1)
    found = verifier().verify_log(files.get, verifier().read_keys(keys), since=old)
    assert (found["first_bad"]["n"], found["first_bad"]["kind"]) == (256, "leaf")
    files["checkpoint"] = flipped(files["checkpoint"], 0)
    assert not verifier().verify_log(files.get, verifier().read_keys(keys))["ok"]
