"""A log is pruned by whole bundles: what stays verifies from its first entry on, by our doors and by verify.py."""

import json
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO, StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import IntegrityError
from psycopg import sql
from pytest_django import Settings
from rest_framework.test import APIClient

from audit import pruning
from audit.log.proofs import open_proof, read_proof
from audit.models import Entry, LogPruning, PersonalValue, SealedEntry
from audit.reading.verification import verify_stored
from audit.sealing import sealer
from audit.sealing.sealer import seal_entries
from audit.verifier.examination import verify_log
from audit.verifier.signatures import read_keys
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.signed_notes import read_verifier
from tenants.lifecycle.retention import sweep_retention
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.audit_entries import make_log

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)
OLD = 600


@pytest.fixture
def aged(acme: Customer, globex: Customer, monkeypatch: pytest.MonkeyPatch) -> Customer:
    """Acme's log with over 600 entries of last year and some of today; globex's is of last year as well."""
    make_log(globex, 300)
    make_log(acme, OLD)
    with transaction.atomic(), connection.cursor() as cursor:  # before anything is sealed by their time
        cursor.execute("set local session_replication_role = replica")
        for table in ("sealedentry", "treenode", "logcheckpoint", "logverifier", "auditlog"):
            cursor.execute(sql.SQL("delete from {}").format(sql.Identifier(f"audit_{table}")))
        cursor.execute(
            "insert into audit_unsealedentry (tenant_id, entry_id) select tenant_id, id from audit_entry order by id"
        )
        cursor.execute("update audit_entry set created_at = created_at - interval '365 days'")
    with monkeypatch.context() as then:
        then.setattr(sealer, "time", SimpleNamespace(time=lambda: time.time() - 364 * 24 * 3600))
        seal_entries()
    make_log(acme, 5, actor="member:m2")
    return acme


def prune(*words: str) -> str:
    said = StringIO()
    call_command("prune_audit", "--before", (utc_now() - timedelta(days=30)).isoformat(), *words, stdout=said)
    return said.getvalue()


def numbers(customer: Customer) -> list[int]:
    with tenant_scope(customer.tenant.id):
        return list(SealedEntry.objects.order_by("n").values_list("n", flat=True))


def test_whole_bundles_go_and_the_rest_verifies(aged: Customer, globex: Customer, api: Api) -> None:
    client = api(aged)
    before = numbers(aged)
    old = client.get("/api/v1/audit/log/checkpoint").content
    others = numbers(globex)
    assert client.get("/api/v1/audit/entries/0/proof").status_code == 200
    assert "512 entries deleted, the first is 512 now" in prune("--tenant", "acme")
    told = 3  # the pruning itself, which is sealed first, and that a checkpoint and a receipt were read
    assert numbers(aged) == [*before[512:], *range(len(before), len(before) + told)]
    assert numbers(globex) == others
    seal_entries()
    verdict = client.get("/api/v1/audit/verify").json()
    added = 3  # the pruning, and that a checkpoint and a receipt were read
    assert (verdict["ok"], verdict["first"], verdict["size"]) == (True, 512, len(before) + added), verdict
    call_command("verify_audit", "--tenant", "acme")
    assert client.get("/api/v1/audit/entries/0/proof").json()["code"] == "NOT_SEALED"
    assert client.get("/api/v1/audit/log/tile/entries/000").json()["code"] == "LOG_FILE_NOT_FOUND"
    (key,) = client.get("/api/v1/audit/key").json()["keys"]
    proof = read_proof(client.get("/api/v1/audit/entries/512/proof").content.decode())
    assert open_proof(proof, proof.extra, [read_verifier(key["key"])])
    with zipfile.ZipFile(BytesIO(client.get("/api/v1/audit/export").content)) as archive:
        files = {name.removeprefix("log/"): archive.read(name) for name in archive.namelist()}
    lines = files["entries.ndjson"].splitlines(keepends=True)
    assert json.loads(lines[0])["leaf"]["n"] == 512
    found = verify_log(files.get, read_keys(key["key"]), start=512, entries=lines, since=[old])
    assert (found["ok"], found["size"]) == (True, verdict["size"]), found
    assert verify_log(files.get, read_keys(key["key"]))["first_bad"]["kind"] == "missing", "it says so"
    listed = client.get("/api/v1/audit/entries", {"action": "audit_log.pruned"}).json()["data"]
    assert [(one["before"], one["after"]["minimum"]) for one in listed] == [({"minimum": 0}, 512)]
    assert "0 entries deleted, the first is 512 now" in prune("--tenant", "acme"), "again changes nothing"
    asked = {"from": (utc_now() - timedelta(days=365.9)).isoformat(), "to": utc_now().isoformat()}
    report = client.post("/api/v1/audit/report", asked).json()
    with tenant_scope(aged.tenant.id):
        first_at = Entry.objects.get(id=SealedEntry.objects.get(n=512).entry_id).created_at
    assert report["pruned_before"][:19] == first_at.isoformat()[:19]
    table = client.post("/api/v1/audit/report", {**asked, "format": "csv"}).content.decode()
    assert "were pruned, and are not counted" in table
    since_then = {**asked, "from": (utc_now() - timedelta(days=1)).isoformat()}
    assert client.post("/api/v1/audit/report", since_then).json()["pruned_before"] is None
    make_log(aged, 300)
    assert client.get("/api/v1/audit/verify").json()["ok"] is True, "it grows as before"


def test_personal_data_goes_with_its_entries_and_what_others_share_stays(aged: Customer) -> None:
    with unscoped("tests look at everything"):
        entries = Entry.objects.in_bulk(
            SealedEntry.objects.filter(tenant_id=aged.tenant.id, n__gte=512).values_list("entry_id", flat=True)
        )
        left = {one.after["reason"] for one in entries.values() if one.after and "reason" in one.after}
        sources = {one.source for one in entries.values() if one.source}
    prune("--tenant", "acme")
    with unscoped("tests look at everything"):
        kept = set(PersonalValue.objects.filter(tenant_id=aged.tenant.id).values_list("commitment", flat=True))
    assert kept == left | sources
    assert len(left) > 80


def test_one_that_is_killed_is_taken_up_by_pruning_again(aged: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH_ENTRIES", 100)
    real, calls = pruning._still_shared, []

    def dies(*args: object) -> set[str]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(pruning, "_still_shared", dies)
    with pytest.raises(KeyboardInterrupt):
        prune("--tenant", "acme")
    assert numbers(aged)[0] == 200
    call_command("verify_audit", "--tenant", "acme")
    assert "312 entries deleted, the first is 512 now" in prune("--tenant", "acme")


@pytest.mark.parametrize("table", ["audit_sealedentry", "audit_entry"])
def test_nothing_above_what_a_pruning_says_can_be_deleted(aged: Customer, table: str) -> None:
    prune("--tenant", "acme")
    statement = sql.SQL("delete from {} where tenant_id = %s").format(sql.Identifier(table))
    with (
        pytest.raises(IntegrityError, match="inserted only"),
        unscoped("somebody tries"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, [aged.tenant.id])


def test_logs_are_pruned_by_the_days_of_their_tenant_or_of_the_installation(
    aged: Customer, globex: Customer, settings: Settings
) -> None:
    before = {customer: len(numbers(customer)) for customer in (aged, globex)}
    sweep_retention()
    assert {customer: len(numbers(customer)) for customer in (aged, globex)} == before, "kept for ever by default"
    with unscoped("an operator sets it"):
        Tenant.objects.filter(id=aged.tenant.id).update(audit_retention_days=30)
        Tenant.objects.filter(id=globex.tenant.id).update(audit_retention_days=400)
    settings.AUDIT_RETENTION_DAYS = 30
    sweep_retention()
    assert numbers(aged)[0] == 512
    assert len(numbers(globex)) == before[globex], "its own days are longer than the installation's"
    with unscoped("an operator sets it"):
        Tenant.objects.filter(id=globex.tenant.id).update(audit_retention_days=None)
    sweep_retention()
    assert numbers(globex)[0] == 256
    seal_entries()
    call_command("verify_audit")


def test_what_goes_without_the_log_saying_so_is_found(aged: Customer) -> None:
    assert verify_stored(aged.tenant.id)["ok"] is True
    mine = aged.tenant.id
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        statement = "insert into audit_logpruning (tenant_id, log_id, minimum, created_at) values (%s, %s, 256, now())"
        cursor.execute(statement, [mine, mine])
        cursor.execute("delete from audit_sealedentry where log_id = %s and n < 256 returning entry_id", [mine])
        cursor.execute("delete from audit_entry where id = any(%s)", [[row[0] for row in cursor.fetchall()]])
    verdict = verify_stored(mine)
    assert (verdict["ok"], verdict["first_bad"]["kind"], verdict["first_bad"]["n"]) == (False, "pruning", 0)


def test_prunings_are_made_by_the_system_alone_and_of_what_is_old(aged: Customer) -> None:
    facts = {"tenant_id": aged.tenant.id, "log_id": aged.tenant.id}
    with tenant_scope(aged.tenant.id), pytest.raises(IntegrityError, match="made by"), transaction.atomic():
        LogPruning.objects.create(**facts, minimum=256)
    for minimum in (300, 256 * 1024):
        with unscoped("the test"), pytest.raises(IntegrityError, match="a day ago"), transaction.atomic():
            LogPruning.objects.create(**facts, minimum=minimum)
    with unscoped("the test"):
        LogPruning.objects.create(**facts, minimum=256)


def test_entries_of_the_last_day_stay(aged: Customer) -> None:
    with pytest.raises(CommandError, match="last day"):
        call_command("prune_audit", "--before", utc_now().isoformat())
    said = prune()
    assert said.count("deleted") == 2, "without a name, of all logs"
