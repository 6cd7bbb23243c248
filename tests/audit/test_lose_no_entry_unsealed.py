"""An entry that is deleted before it is sealed makes every verification fail, and keeps its place in the queue."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from audit.models import UnsealedEntry
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope, unscoped
from tests.conftest import Customer
from tests.support.audit_entries import make_log

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)


def wait_for_seal(customer: Customer, name: str) -> None:
    with tenant_scope(customer.tenant.id):
        record("segment.saved", AuditObject("segment", name, customer.tenant.id), actor="system")


def execute_as(role: str, customer: Customer, statement: str) -> None:
    with tenant_scope(customer.tenant.id), connection.cursor() as cursor:
        cursor.execute(f"set local role {role}")
        cursor.execute(statement)


def test_every_verification_names_the_leaf_that_tells_of_it(acme: Customer, api: Api, tmp_path: Path) -> None:
    make_log(acme)
    wait_for_seal(acme, "lost")
    assert api(acme).get("/api/v1/audit/verify").json()["ok"] is True
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("delete from audit_entry where object_id = 'lost'")
    seal_entries()
    seal_entries()
    (told,) = api(acme).get("/api/v1/audit/entries", {"action": "audit_entry.missing"}).json()["data"]
    verdict = api(acme).get("/api/v1/audit/verify").json()
    assert verdict["ok"] is False
    assert (verdict["first_bad"]["n"], verdict["first_bad"]["kind"]) == (told["n"], "lost"), verdict
    with pytest.raises(CommandError, match="cannot be trusted"):
        call_command("verify_audit", "--tenant", "acme")
    with zipfile.ZipFile(BytesIO(api(acme).get("/api/v1/audit/export").content)) as archive:
        archive.extractall(tmp_path)
    argv = [sys.executable, "-I", "verify.py", "log", "--key", "key"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, f"First bad leaf: {told['n']} (lost)" in done.stdout) == (1, True), done.stdout


@pytest.mark.parametrize("role", ["llmteam_app", "llmteam_system", "none"])
@pytest.mark.parametrize(
    "statement", ["delete from audit_unsealedentry", "update audit_unsealedentry set entry_id = gen_random_uuid()"]
)
def test_nothing_leaves_the_queue_before_it_is_sealed(acme: Customer, statement: str, role: str) -> None:
    make_log(acme)
    wait_for_seal(acme, "waits")
    with pytest.raises(IntegrityError, match=r"leaves the queue when it is sealed|inserted only"):
        execute_as(role, acme, statement)
    with unscoped("tests look at everything"):
        assert UnsealedEntry.objects.count() >= 1
    seal_entries()
    with unscoped("tests look at everything"):
        assert UnsealedEntry.objects.count() == 0, "what is sealed leaves it"
