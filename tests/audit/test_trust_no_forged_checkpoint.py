"""Whoever can write the database but has no key gets nothing signed, and no verdict that is green."""

import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from pytest_django import Settings
from rest_framework.test import APIClient

from audit.log.checkpoints import log_signer, read_checkpoint, sign_checkpoint
from audit.log.tree import leaf_hash
from audit.models import LogCheckpoint, SealedEntry, UnsealedEntry
from audit.reading.verification import verify_stored
from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.signed_notes import read_note
from tests.conftest import Customer
from tests.support.audit_entries import make_log

pytestmark = pytest.mark.django_db(transaction=True)
Api = Callable[[Customer], APIClient]
OTHERS_SECRET = bytes(range(7, 39))


@contextmanager
def as_owner() -> Iterator[CursorWrapper]:
    """Write past all triggers, as whoever owns the database can."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        yield cursor


def last_of(customer: Customer) -> LogCheckpoint:
    with tenant_scope(customer.tenant.id):
        return LogCheckpoint.objects.order_by("-id")[0]


def sealed(customer: Customer) -> int:
    with tenant_scope(customer.tenant.id):
        return SealedEntry.objects.count()


def verdict_of(customer: Customer) -> tuple[bool, str | None]:
    verdict = verify_stored(customer.tenant.id)
    return verdict["ok"], verdict["first_bad"] and verdict["first_bad"]["kind"]


def forge_root(cursor: CursorWrapper, last: LogCheckpoint) -> None:
    """Put another root into row, peaks and note; the signatures stay."""
    forged = leaf_hash(b"forged")
    lines = last.note.split("\n")
    lines[2] = b64encode(forged).decode()
    peaks = forged if len(last.peaks) == 32 else last.peaks
    statement = "update audit_logcheckpoint set root = %s, peaks = %s, note = %s where id = %s"
    cursor.execute(statement, [forged, peaks, "\n".join(lines), last.id])


def change_a_peak(cursor: CursorWrapper, last: LogCheckpoint) -> None:
    peaks = bytes(last.peaks)
    changed = bytes([peaks[0] ^ 1]) + peaks[1:]
    cursor.execute("update audit_logcheckpoint set peaks = %s where id = %s", [changed, last.id])


def sign_with_a_key_of_their_own(cursor: CursorWrapper, last: LogCheckpoint) -> None:
    state = read_checkpoint(read_note(last.note).text)
    signer = log_signer(OTHERS_SECRET, state.origin)
    note = sign_checkpoint(state, signer, signed_at=last.signed_at)
    cursor.execute("update audit_logcheckpoint set note = %s where id = %s", [note, last.id])
    statement = "insert into audit_logverifier (tenant_id, log_id, verifier, from_size) values (%s, %s, %s, 0)"
    cursor.execute(statement, [last.tenant_id, last.log_id, signer.verifier.text])


def delete_checkpoints(cursor: CursorWrapper, last: LogCheckpoint) -> None:
    cursor.execute("delete from audit_logcheckpoint where log_id = %s", [last.log_id])


def add_a_leaf(cursor: CursorWrapper, last: LogCheckpoint) -> None:
    statement = """insert into audit_sealedentry (tenant_id, log_id, n, entry_id, hash, data)
    values (%s, %s, %s, gen_random_uuid(), %s, %s)"""
    cursor.execute(statement, [last.tenant_id, last.log_id, last.size + 1, leaf_hash(b"x"), b"x"])


@pytest.mark.parametrize(
    "tamper", [forge_root, change_a_peak, sign_with_a_key_of_their_own, delete_checkpoints, add_a_leaf]
)
def test_nothing_is_signed_behind_what_was_forged_and_the_logs_of_others_go_on(
    acme: Customer, globex: Customer, tamper: object, settings: Settings
) -> None:
    settings.AUDIT_SIGNING_KEY = bytes(32)
    make_log(acme, 3)
    make_log(globex, 3)
    assert verdict_of(acme) == (True, None)
    before = sealed(acme), sealed(globex)
    with as_owner() as cursor:
        tamper(cursor, last_of(acme))  # type: ignore[operator]
    assert verdict_of(acme)[0] is False
    with pytest.raises(CommandError, match="cannot be trusted"):
        call_command("verify_audit", "--tenant", "acme")
    size = sealed(acme)
    make_log(acme, 2)
    make_log(globex, 2)
    assert sealed(acme) == size
    assert sealed(globex) == before[1] + 2
    assert verdict_of(acme)[0] is False
    assert verdict_of(globex) == (True, None)
    with unscoped("the queue"):
        assert UnsealedEntry.objects.filter(tenant_id=acme.tenant.id).count() == 2


def test_an_older_checkpoint_that_says_something_else_is_found(acme: Customer) -> None:
    make_log(acme, 3)
    older = last_of(acme)
    make_log(acme, 2)
    assert verdict_of(acme) == (True, None)
    with as_owner() as cursor:
        cursor.execute("update audit_logcheckpoint set root = %s where id = %s", [leaf_hash(b"other"), older.id])
    assert verdict_of(acme) == (False, "history")


def test_a_key_that_cannot_be_read_is_told(acme: Customer) -> None:
    make_log(acme, 3)
    log_id = last_of(acme).log_id
    with as_owner() as cursor:
        statement = (
            "insert into audit_logverifier (tenant_id, log_id, verifier, from_size) values (%s, %s, 'no key', 0)"
        )
        cursor.execute(statement, [acme.tenant.id, log_id])
    assert verdict_of(acme) == (False, "key")


def test_an_entry_of_a_time_to_come_is_not_sealed_before(acme: Customer) -> None:
    make_log(acme, 1)
    signed_at = last_of(acme).signed_at
    with unscoped("as owner"), connection.cursor() as cursor:
        statement = """insert into audit_entry
        (id, tenant_id, action, actor, object_type, object_id, outcome, request_id, source, created_at)
        values (gen_random_uuid(), %s, 'segment.saved', 'system', 'segment', 'later', 'done', '', '', %s)"""
        cursor.execute(statement, [acme.tenant.id, utc_now() + timedelta(days=1)])
    size = sealed(acme)
    make_log(acme, 1)
    assert sealed(acme) == size + 1, "it waits, the next one does not"
    assert last_of(acme).signed_at < signed_at + 3600
    assert verdict_of(acme) == (False, "unsealed"), "what waits can be changed unseen, so it is told"


def test_a_log_that_was_taken_back_is_found_by_the_file_of_checkpoints(
    acme: Customer, settings: Settings, tmp_path: Path
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "checkpoints")
    make_log(acme, 3)
    older = last_of(acme)
    make_log(acme, 2)
    call_command("verify_audit", "--tenant", "acme")
    with as_owner() as cursor:
        cursor.execute("delete from audit_logcheckpoint where log_id = %s and size > %s", [older.log_id, older.size])
        statement = "delete from audit_sealedentry where log_id = %s and n >= %s returning entry_id"
        cursor.execute(statement, [older.log_id, older.size])
        cursor.execute("delete from audit_entry where id = any(%s)", [[row[0] for row in cursor.fetchall()]])
    with pytest.raises(CommandError):
        call_command("verify_audit", "--tenant", "acme")
    make_log(acme, 4)
    with pytest.raises(CommandError):
        call_command("verify_audit", "--tenant", "acme")
    settings.AUDIT_CHECKPOINT_FILE = ""
    call_command("verify_audit", "--tenant", "acme")


EMPTIED = {
    "leaves": "truncate audit_sealedentry, audit_treenode, audit_logcheckpoint, audit_logverifier, audit_auditlog",
    "all": (
        "truncate audit_entry, audit_personalvalue, audit_unsealedentry, audit_sealedentry, audit_treenode,"
        " audit_logcheckpoint, audit_logverifier, audit_auditlog"
    ),
}


@pytest.mark.parametrize("statement", EMPTIED.values(), ids=EMPTIED)
def test_a_log_that_the_owner_emptied_is_found(
    acme: Customer, settings: Settings, tmp_path: Path, statement: str
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "checkpoints")
    make_log(acme, 3)
    call_command("verify_audit", "--tenant", "acme")
    with as_owner() as cursor:
        cursor.execute(statement)
    with pytest.raises(CommandError, match="cannot be trusted"):
        call_command("verify_audit", "--tenant", "acme")


@pytest.mark.parametrize("n", [0, 100, 299])
def test_a_leaf_that_is_gone_is_named_and_what_is_left_can_be_exported(acme: Customer, api: Api, n: int) -> None:
    make_log(acme, 300)
    with as_owner() as cursor:
        cursor.execute("delete from audit_sealedentry where tenant_id = %s and n = %s", [acme.tenant.id, n])
    verdict = verify_stored(acme.tenant.id)
    assert (verdict["ok"], verdict["first_bad"]["n"]) == (False, n)
    answer = api(acme).get("/api/v1/audit/export")
    names = zipfile.ZipFile(BytesIO(answer.content)).namelist()
    assert {"verify.py", "key", "log/checkpoint", "log/entries.ndjson"} <= set(names)
    assert f"log/tile/entries/{n // 256:03}" not in names


def test_a_salt_that_is_none_is_a_flaw_of_its_entry(acme: Customer) -> None:
    make_log(acme, 3)
    with as_owner() as cursor:
        cursor.execute("update audit_personalvalue set salt = 'short' where tenant_id = %s", [acme.tenant.id])
    assert verdict_of(acme) == (False, "personal")


@pytest.mark.parametrize("number", [1e16, -1e20, 1.5, 2**60, 1e300])
def test_any_number_is_sealed_and_verifies(acme: Customer, number: float) -> None:
    with tenant_scope(acme.tenant.id):
        thing = AuditObject("segment", "s", acme.tenant.id)
        record("segment.saved", thing, actor="system", before={"it": number}, after=[number])
    make_log(acme, 1)
    assert verdict_of(acme) == (True, None)
    with unscoped("the queue"):
        assert not UnsealedEntry.objects.exists()


def test_entries_of_a_log_without_anything_else_are_found(acme: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_audit", "--tenant", "acme")
    assert "/acme: nothing is sealed yet" in capsys.readouterr().out
    make_log(acme, 2)
    with as_owner() as cursor:
        for table in ("sealedentry", "treenode", "logcheckpoint", "logverifier", "auditlog"):
            cursor.execute(f"delete from audit_{table}")  # noqa: S608 - our own names
    with pytest.raises(CommandError):
        call_command("verify_audit", "--tenant", "acme")
    assert "/acme: no entries" in capsys.readouterr().out
