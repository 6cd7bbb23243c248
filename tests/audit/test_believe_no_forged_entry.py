"""Entries, leaves, logs and tenants that whoever owns the database adds or takes away excuse nothing and are found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from pytest_django import Settings
from rest_framework.test import APIClient

from audit.models import AuditLog, Entry, LogCheckpoint, LogVerifier, SealedEntry, TreeNode, UnsealedEntry
from audit.reading import unsealed_held
from audit.reading.files import entries_of
from audit.reading.verification import verify_stored
from audit.sealing import checkpoint_file
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope, unscoped
from tests.conftest import Customer
from tests.support.audit_entries import make_log
from tests.support.audited_runs import ended_runs, start

pytestmark = pytest.mark.django_db(transaction=True)
ENTRY = """insert into audit_entry
  (id, tenant_id, action, actor, object_type, object_id, before, after, outcome, request_id, source, created_at)
select gen_random_uuid(), tenant_id, action, {actor}, object_type, object_id, before, {after}, {outcome}, request_id,
  '', created_at from audit_entry where action = {action} and object_id = {object_id} limit 1 returning id"""
LEAF = """insert into audit_sealedentry (tenant_id, log_id, n, entry_id, hash, data)
values (%s, %s, %s, %s, '', '')"""
OF_A_LOG = (Entry, UnsealedEntry, SealedEntry, TreeNode, LogCheckpoint, LogVerifier, AuditLog)


@contextmanager
def tampering() -> Iterator[CursorWrapper]:
    """Write past all triggers, as whoever owns the database can, and undo it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        yield cursor
        transaction.set_rollback(True)


def forge(cursor: CursorWrapper, action: str, object_id: object, **changed: str) -> UUID:
    """Write another entry like one there is, and have it wait for the sealer."""
    values = {"actor": "actor", "after": "after", "outcome": "outcome", **changed}
    cursor.execute(ENTRY.format(action=f"'{action}'", object_id=f"'{object_id}'", **values))
    (entry_id,) = cursor.fetchone()
    cursor.execute(
        "insert into audit_unsealedentry (tenant_id, entry_id) select tenant_id, id from audit_entry where id = %s",
        [entry_id],
    )
    return UUID(str(entry_id))


def first_bad(customer: Customer | None) -> Any:
    return verify_stored(None if customer is None else customer.tenant.id)["first_bad"]


def next_leaf(customer: Customer) -> int:
    with tenant_scope(customer.tenant.id):
        return SealedEntry.objects.count()


def test_a_second_end_of_a_run_does_not_take_the_place_of_the_sealed_one(acme: Customer) -> None:
    run_id = ended_runs(acme.tenant)[0]
    assert first_bad(acme) is None
    n = next_leaf(acme)
    for earlier in (timedelta(), timedelta(milliseconds=1)):
        with tampering() as cursor:
            cursor.execute("update runs_run set last_seq = last_seq + 1 where id = %s", [run_id])
            after = "jsonb_set(after::jsonb, '{last_seq}', to_jsonb((after->>'last_seq')::int + 1))::json"
            entry_id = forge(cursor, "run.ended", run_id, after=after)
            cursor.execute("update audit_entry set created_at = created_at - %s where id = %s", [earlier, entry_id])
            assert seal_entries() == 1
            found = first_bad(acme)
        assert found["n"] < n, "the end that was sealed first is what the run is held against"
        assert str(run_id) in found["detail"]
    with tampering() as cursor:
        forge(cursor, "run.started", run_id, actor="'member:m9'")
        seal_entries()
        found = first_bad(acme)
    assert (found["n"], found["kind"]) == (n, "run")
    assert "earlier entry" in found["detail"]


@pytest.mark.parametrize("lost", ["its tenant", "its tenant and its journals"])
def test_a_tenant_that_is_gone_without_a_word_is_found(acme: Customer, lost: str) -> None:
    run_id = ended_runs(acme.tenant)[0]
    with tampering() as cursor:
        if "journals" in lost:
            cursor.execute("delete from runs_runevent where run_id = %s", [run_id])
        cursor.execute("delete from tenants_tenant where id = %s", [acme.tenant.id])
        found = first_bad(acme)
    assert found["kind"] == "run"
    assert "no entry of the installation says that it was deleted" in found["detail"]


def test_no_run_is_taken_along_by_a_tenant_whose_deletion_nobody_asked_for(acme: Customer) -> None:
    ended_runs(acme.tenant)
    going_on = start(acme.tenant, "input")
    seal_entries()
    assert first_bad(acme) is None
    with tampering() as cursor:
        cursor.execute("delete from runs_runevent where run_id = %s", [going_on])
        cursor.execute("delete from runs_run where id = %s", [going_on])
        entry_id = forge(cursor, "run.started", going_on, outcome="'removed'")
        cursor.execute("update audit_entry set action = 'run.ended' where id = %s", [entry_id])
        seal_entries()
        found = first_bad(acme)
    assert found["kind"] == "run"
    assert str(going_on) in found["detail"]


def phantom_of_another_log(acme: Customer) -> tuple[UUID, int]:
    return UUID(int=7), 2


def phantom_before_the_first(acme: Customer) -> tuple[UUID, int]:
    return acme.tenant.id, -1


@pytest.mark.parametrize("place", [phantom_of_another_log, phantom_before_the_first])
def test_a_leaf_that_is_in_no_log_gives_an_entry_neither_a_number_nor_belief(
    acme: Customer, place: Callable[[Customer], tuple[UUID, int]], api: Callable[[Customer], APIClient]
) -> None:
    make_log(acme, 3)
    with unscoped("tests look everywhere"):
        (some,) = Entry.objects.filter(tenant_id=acme.tenant.id, action="segment.saved")[:1]
    log_id, n = place(acme)
    with tampering() as cursor:
        entry_id = forge(cursor, "segment.saved", some.object_id, actor="'member:m9'")
        cursor.execute("delete from audit_unsealedentry")
        cursor.execute(LEAF, [acme.tenant.id, log_id, n, entry_id])
        found = first_bad(acme)
        (listed,) = api(acme).get("/api/v1/audit/entries", {"actor": "member:m9"}).json()["data"]
    assert found["n"] == next_leaf(acme)
    assert found["kind"] == "number"
    assert listed["n"] is None


def test_an_erasure_that_is_in_no_log_excuses_nothing(acme: Customer) -> None:
    make_log(acme, 3)
    with tampering() as cursor:
        cursor.execute("delete from audit_personalvalue where tenant_id = %s", [acme.tenant.id])
        cursor.execute(
            "insert into audit_entry (id, tenant_id, action, actor, object_type, object_id, outcome, request_id,"
            " source, created_at) values (gen_random_uuid(), %s, 'person.erased', 'operator', 'person', 'member:m1',"
            " 'done', '', '', now()) returning id",
            [acme.tenant.id],
        )
        (entry_id,) = cursor.fetchone()
        cursor.execute(LEAF, [acme.tenant.id, UUID(int=7), 0, entry_id])
        found = first_bad(acme)
    assert found["kind"] == "personal"


def test_an_entry_of_the_installation_that_is_given_to_a_tenant_is_found_in_both_logs(acme: Customer) -> None:
    with unscoped("an operator does something"):
        record("tests.done", AuditObject("test", "t", None), actor="operator:o")
    seal_entries()
    make_log(acme, 2)
    with unscoped("tests look everywhere"):
        leaf = SealedEntry.objects.filter(log_id=UUID(int=0)).order_by("n")[0]
    assert (first_bad(None), first_bad(acme)) == (None, None)
    with tampering() as cursor:
        given = [acme.tenant.id, leaf.entry_id]
        cursor.execute("update audit_entry set tenant_id = %s where id = %s", given)
        cursor.execute("update audit_sealedentry set tenant_id = %s where entry_id = %s", given)
        found, others = first_bad(None), first_bad(acme)
    assert (found["n"], found["kind"]) == (leaf.n, "entry")
    assert "another tenant" in found["detail"]
    assert others["kind"] == "number"


def verified(*arguments: str) -> str:
    told = StringIO()
    call_command("verify_audit", *arguments, stdout=told)
    return told.getvalue()


def refused() -> str:
    told = StringIO()
    with pytest.raises(CommandError, match="1 of the logs"):
        call_command("verify_audit", stdout=told)
    return told.getvalue()


def test_a_second_name_of_a_log_is_found(acme: Customer) -> None:
    make_log(acme, 3)
    assert "verified" in verified()
    with tampering() as cursor:
        cursor.execute(
            "insert into audit_auditlog (id, tenant_id, origin, created_at) values (%s, %s, 'elsewhere', now())",
            [UUID(int=7), acme.tenant.id],
        )
        said = refused()
    assert "elsewhere: no log that a sealer has begun" in said
    assert "/acme: 5 entries" in said


def test_a_log_of_which_only_kept_checkpoints_are_left_is_found(
    acme: Customer, settings: Settings, tmp_path: Path
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "kept.jsonl")
    assert "is not there" in verified()
    make_log(acme, 3)
    assert "held against: 1 (logs: 1)" in verified()
    with tampering() as cursor:
        with unscoped("tests look everywhere"):
            for model in OF_A_LOG:
                model.objects.filter(tenant_id=acme.tenant.id).delete()
        cursor.execute("update tenants_tenant set slug = 'acme2' where id = %s", [acme.tenant.id])
        said = refused()
    assert "/acme: the log had 5 entries, and is gone" in said


def test_however_many_checkpoints_come_later_old_ones_are_held(
    acme: Customer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_file, "MAX_KEPT", 4)
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "kept.jsonl")
    for _ in range(9):
        make_log(acme, 1)
    (sizes,) = [sorted(roots) for name, roots in checkpoint_file.kept_checkpoints().items() if name.endswith("/acme")]
    assert len(sizes) <= 4
    assert sizes[0] < next_leaf(acme) / 2


def test_an_entry_that_a_leaf_has_cannot_wait_again_and_keeps_nobody_waiting(acme: Customer) -> None:
    make_log(acme, 2)
    with unscoped("tests look everywhere"):
        entry_id = SealedEntry.objects.filter(log_id=acme.tenant.id)[0].entry_id
    waiting = "insert into audit_unsealedentry (tenant_id, entry_id) values (%s, %s)"
    with (
        pytest.raises(DatabaseError, match="waits for the sealer when it is inserted"),
        tenant_scope(acme.tenant.id),
        connection.cursor() as cursor,
    ):
        cursor.execute(waiting, [acme.tenant.id, entry_id])
    size = next_leaf(acme)
    with tampering() as cursor:
        cursor.execute(waiting, [acme.tenant.id, entry_id])
        cursor.execute("set local session_replication_role = origin")
        make_log(acme, 2)
        assert next_leaf(acme) == size + 2
        with unscoped("the queue"):
            assert not UnsealedEntry.objects.filter(tenant_id=acme.tenant.id).exists()
        assert first_bad(acme) is None


def test_entries_that_wait_for_long_are_told(acme: Customer) -> None:
    make_log(acme, 2)
    with tampering() as cursor:
        with unscoped("tests look everywhere"):
            some = Entry.objects.filter(tenant_id=acme.tenant.id, action="segment.saved")[0]
        entry_id = forge(cursor, "segment.saved", some.object_id)
        assert first_bad(acme) is None
        late = [unsealed_held.LONGEST_WAIT, entry_id]
        cursor.execute("update audit_entry set created_at = created_at - %s where id = %s", late)
        found = first_bad(acme)
    assert found["kind"] == "unsealed"
    assert "has waited for more than 15 minutes" in found["detail"]


def test_a_definition_whose_hash_was_left_alone_is_found(acme: Customer) -> None:
    ended_runs(acme.tenant)
    with tampering() as cursor:
        cursor.execute("update segments_revision set definition = jsonb_set(definition::jsonb, '{name}', '\"other\"')")
        found = first_bad(acme)
    assert found["kind"] == "run"
    assert "the definition of the run" in found["detail"]


def test_an_entry_of_a_time_to_come_excuses_nothing_and_is_told(acme: Customer) -> None:
    run_id = ended_runs(acme.tenant)[0]
    going_on = start(acme.tenant, "input")
    seal_entries()
    assert first_bad(acme) is None
    with tampering() as cursor:
        entry_id = forge(cursor, "run.ended", run_id)
        cursor.execute(
            "update audit_entry set created_at = '9999-01-01', object_id = %s where id = %s", [str(going_on), entry_id]
        )
        assert first_bad(acme)["kind"] == "unsealed"
        cursor.execute("delete from runs_runevent where run_id = %s", [going_on])
        cursor.execute("delete from runs_run where id = %s", [going_on])
        found = first_bad(acme)
    assert found["kind"] == "run"
    assert str(going_on) in found["detail"]


def test_a_value_that_was_cut_into_its_salt_is_found(acme: Customer) -> None:
    make_log(acme, 2)
    with tampering() as cursor:
        cursor.execute(
            "update audit_personalvalue set salt = salt || convert_to('Ann ', 'UTF8'), value = 'said 1'"
            " where value = 'Ann said 1'"
        )
        assert cursor.rowcount == 1
        found = first_bad(acme)
    assert found["kind"] == "personal"


def test_a_tenant_that_is_gone_with_the_name_of_its_log_is_asked_for(acme: Customer) -> None:
    make_log(acme, 2)
    with tampering() as cursor:
        cursor.execute("delete from tenants_tenant where id = %s", [acme.tenant.id])
        cursor.execute("delete from audit_auditlog where id = %s", [acme.tenant.id])
        said = refused()
    assert str(acme.tenant.id) in said


UNREADABLE = {
    "no definition": "delete from segments_revision",
    "a number beyond all": """update segments_revision set definition = '{"a": 99999999999999999999}'""",
    "a time without end": "update audit_entry set created_at = 'infinity' where tenant_id = %(tenant)s",
    "a name that is none": "update audit_auditlog set origin = 'a b+c' where tenant_id = %(tenant)s",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_refused_and_hides_no_other_log(acme: Customer, globex: Customer, name: str) -> None:
    ended_runs(acme.tenant)
    make_log(globex, 2)
    with tampering() as cursor:
        cursor.execute(UNREADABLE[name], {"tenant": acme.tenant.id})
        said = refused()
    assert "/globex: 4 entries" in said
    assert said.count("verified") >= 1


def test_a_leaf_below_a_pruning_is_not_believed(acme: Customer) -> None:
    make_log(acme, 2)
    pruning = "insert into audit_logpruning (tenant_id, log_id, minimum, created_at) values (%s, %s, 256, now())"
    with tampering() as cursor, tenant_scope(acme.tenant.id):
        assert entries_of(acme.tenant.id).exists()
        cursor.execute(pruning, [acme.tenant.id, acme.tenant.id])
        assert not entries_of(acme.tenant.id).exists()
