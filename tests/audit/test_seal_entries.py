"""Entries are appended to the log of their tenant, once each and without a gap, and nobody changes what is kept."""

import json
import threading
from base64 import b64encode

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from audit.log.checkpoints import open_checkpoint
from audit.log.leaves import commitment
from audit.log.tree import EMPTY_ROOT, leaf_hash, node_hash
from audit.models import AuditLog, Entry, LogCheckpoint, PersonalValue, SealedEntry, TreeNode, UnsealedEntry
from audit.sealing.keys import verifiers_of
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import REQUEST, AuditObject, RequestContext
from foundation.scope import tenant_scope, unscoped
from tests.conftest import Customer

pytestmark = pytest.mark.django_db(transaction=True)


def record_some(customer: Customer, count: int, **facts: object) -> None:
    with tenant_scope(customer.tenant.id):
        for number in range(count):
            thing = AuditObject("segment", f"s{number}", customer.tenant.id)
            record("segment.saved", thing, actor="system", after={"number": number, **facts})


def leaves_of(customer: Customer) -> list[bytes]:
    with tenant_scope(customer.tenant.id):
        rows = list(SealedEntry.objects.order_by("n"))
    assert [row.n for row in rows] == list(range(len(rows)))
    return [bytes(row.data) for row in rows]


def root_of(leaves: list[bytes]) -> bytes:
    """Compute a root as RFC 6962 writes it, from the definition."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_of(leaves[:middle]), root_of(leaves[middle:]))


def test_each_tenant_has_a_log_of_its_own_and_a_checkpoint_its_key_signed(acme: Customer, globex: Customer) -> None:
    record_some(acme, 3)
    record_some(globex, 1)
    seal_entries()
    for customer in (acme, globex):
        leaves = leaves_of(customer)
        with tenant_scope(customer.tenant.id):
            (log,), last = AuditLog.objects.all(), LogCheckpoint.objects.latest("id")
            signed = open_checkpoint(last.note, verifiers_of(log.id))
            assert Entry.objects.count() == len(leaves)
        assert log.origin.endswith(f"/{customer.tenant.slug}")
        assert (signed.checkpoint.origin, signed.checkpoint.size) == (log.origin, len(leaves))
        assert signed.checkpoint.root == bytes(last.root) == root_of(leaves)
        assert {json.loads(leaf)["log"] for leaf in leaves} == {log.origin}
    with unscoped("the queue of all tenants"):
        assert not UnsealedEntry.objects.exists()


def test_a_log_goes_on_where_it_ended_over_many_batches(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.sealing.sealer.BATCH_ENTRIES", 97)
    for count in (1, 2, 300, 0, 255):
        record_some(acme, count)
        seal_entries()
        leaves = leaves_of(acme)
        with tenant_scope(acme.tenant.id):
            last = LogCheckpoint.objects.latest("id")
        assert (last.size, bytes(last.root)) == (len(leaves), root_of(leaves))
    with tenant_scope(acme.tenant.id):
        (first, second) = TreeNode.objects.order_by("index")
    assert bytes(first.hash) == root_of(leaves[:256])
    assert bytes(second.hash) == root_of(leaves[256:512])


def test_an_entry_is_sealed_once_its_change_is_committed(acme: Customer) -> None:
    seal_entries()
    before = len(leaves_of(acme))
    begun, go_on = threading.Event(), threading.Event()

    def change_slowly() -> None:
        try:
            with tenant_scope(acme.tenant.id):
                record("segment.saved", AuditObject("segment", "slow", acme.tenant.id), actor="system")
                begun.set()
                go_on.wait(30)
        finally:
            connection.close()

    slow = threading.Thread(target=change_slowly)
    slow.start()
    begun.wait(30)
    record_some(acme, 1)
    assert seal_entries() == 1
    go_on.set()
    slow.join()
    assert seal_entries() == 1
    assert [json.loads(leaf)["object_id"] for leaf in leaves_of(acme)[before:]] == ["s0", "slow"]


def test_only_one_seals_at_a_time(acme: Customer) -> None:
    record_some(acme, 1)
    taken, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("select pg_advisory_xact_lock(7021964305127)")
                taken.set()
                go_on.wait(30)
        finally:
            connection.close()

    other = threading.Thread(target=hold)
    other.start()
    taken.wait(30)
    assert seal_entries() == 0
    go_on.set()
    other.join()
    assert seal_entries() > 0


@pytest.mark.parametrize("act", ["update", "delete"])
@pytest.mark.parametrize("model", [Entry, SealedEntry, AuditLog, LogCheckpoint])
def test_what_is_kept_is_neither_changed_nor_deleted(acme: Customer, model: type[Entry], act: str) -> None:
    record_some(acme, 1)
    seal_entries()
    table = model._meta.db_table
    statement = {"update": "update {} set tenant_id = tenant_id", "delete": "delete from {}"}[act].format(table)
    for scope in (tenant_scope(acme.tenant.id), unscoped("as the system"), transaction.atomic()):
        with pytest.raises(DatabaseError, match="inserted only"), scope, connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_person_s_data_stands_in_the_leaf_as_a_commitment_only(acme: Customer) -> None:
    token = REQUEST.set(RequestContext(source_address="192.0.2.7"))
    try:
        with tenant_scope(acme.tenant.id):
            told = {"reason": "Ann asked me", "email": "ann@acme.example", "kind": "plain"}
            thing = AuditObject("run", "r", acme.tenant.id)
            entry = record("run.cancelled", thing, actor="member:m1", after=told, personal=("reason",))
    finally:
        REQUEST.reset(token)
    seal_entries()
    (leaf,) = [leaf for leaf in leaves_of(acme) if json.loads(leaf)["id"] == str(entry.id)]
    for secret in ("Ann", "ann@", "192.0.2.7"):
        assert secret not in leaf.decode()
    with tenant_scope(acme.tenant.id):
        rows = {row.value: row for row in PersonalValue.objects.filter(entry_id=entry.id)}
    fields = json.loads(leaf)
    assert fields["source"] == commitment(bytes(rows["192.0.2.7"].salt), "192.0.2.7")
    assert fields["after"]["reason"] == commitment(bytes(rows["Ann asked me"].salt), "Ann asked me")
    assert fields["after"]["kind"] == "plain"


@pytest.mark.parametrize("odd", [2**63, "x" * 40_000, 1e300])
def test_no_entry_is_refused_for_what_it_holds(acme: Customer, odd: object) -> None:
    record_some(acme, 1, odd=odd)
    seal_entries()
    assert json.loads(leaves_of(acme)[-1])["object_id"] == "s0"


def test_an_entry_deleted_before_it_is_sealed_is_told_of(acme: Customer) -> None:
    record_some(acme, 1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("delete from audit_entry where object_id = 's0' returning id")
        (lost,) = cursor.fetchone()
    seal_entries()
    seal_entries()
    last = json.loads(leaves_of(acme)[-1])
    assert (last["action"], last["object_id"]) == ("audit_entry.missing", str(lost))


def test_another_key_goes_on_where_the_last_one_signed(acme: Customer, settings: object) -> None:
    settings.AUDIT_SIGNING_KEY = bytes(32)  # type: ignore[attr-defined]
    record_some(acme, 1)
    seal_entries()
    size = len(leaves_of(acme))
    settings.AUDIT_SIGNING_KEY = bytes(range(32))  # type: ignore[attr-defined]
    record_some(acme, 1)
    seal_entries()
    assert len(leaves_of(acme)) == size, "nothing is signed behind a key that is not known"
    settings.AUDIT_OLD_SIGNING_KEYS = [bytes(32)]  # type: ignore[attr-defined]
    seal_entries()
    with tenant_scope(acme.tenant.id):
        (log,), last = AuditLog.objects.all(), LogCheckpoint.objects.latest("id")
        old, new = verifiers_of(log.id)
    assert open_checkpoint(last.note, [new]).checkpoint.size == size + 1
    assert b64encode(old.public_key) != b64encode(new.public_key)


def test_checkpoints_are_appended_to_a_file(acme: Customer, settings: object, tmp_path: object) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "checkpoints")  # type: ignore[attr-defined,operator]
    record_some(acme, 1)
    seal_entries()
    with tenant_scope(acme.tenant.id):
        note = LogCheckpoint.objects.latest("id").note
    lines = (tmp_path / "checkpoints").read_text().splitlines()  # type: ignore[operator]
    assert note in [json.loads(line)["checkpoint"] for line in lines]
