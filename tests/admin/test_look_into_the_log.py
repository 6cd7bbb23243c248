"""The audit's logs in the console: an entry with its receipt, checkpoints, verify now with progress, export, report."""

import html
import zipfile
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from audit.log.proofs import open_proof, read_proof
from audit.models import AuditLog, Entry, LogCheckpoint, LogVerification, LogVerifier, SealedEntry
from audit.reading.jobs import verify_asked
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.signed_notes import read_verifier
from tenants.models import User
from tests.conftest import Customer
from tests.support.audit_entries import make_log

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log(acme: Customer, globex: Customer) -> AuditLog:
    make_log(globex)
    make_log(acme)
    with unscoped("tests look at everything"):
        return AuditLog.objects.get(tenant=acme.tenant)


def address(name: str, *args: object) -> str:
    return reverse(f"admin:audit_{name}", args=args)


def test_an_entry_s_page_has_its_receipt_to_copy(console: Client, acme: Customer, log: AuditLog) -> None:
    with unscoped("tests look at everything"):
        entry = Entry.objects.get(object_id="s1", tenant=acme.tenant)
        n = SealedEntry.objects.get(entry_id=entry.id).n
        verifiers = [read_verifier(key.verifier) for key in LogVerifier.objects.filter(log_id=log.id)]
        record("segment.saved", AuditObject("segment", "later", acme.tenant.id), actor="system")
        later = Entry.objects.get(object_id="later")
    page = html.unescape(console.get(address("entry_change", entry.id)).text)
    text = page[page.index("c2sp.org/tlog-proof@v1") :].partition("</pre>")[0]
    proof = read_proof(text)
    assert proof.index == n
    assert open_proof(proof, proof.extra, verifiers)
    waiting = console.get(address("entry_change", later.id)).text
    assert ("Not sealed yet." in waiting, "tlog-proof" in waiting) == (True, False)


def test_a_log_s_page_has_its_checkpoint_and_keys_and_leads_to_all_of_them(console: Client, log: AuditLog) -> None:
    with unscoped("tests look at everything"):
        last = LogCheckpoint.objects.filter(log_id=log.id).latest("id")
        key = LogVerifier.objects.get(log_id=log.id).verifier
    page = html.unescape(console.get(address("auditlog_change", log.id)).text)
    assert (last.note in page, key in page) == (True, True)
    listed = console.get(address("logcheckpoint_changelist"), {"log_id": log.id})
    assert (listed.status_code, bytes(last.root).hex() in listed.text) == (200, True)
    assert last.note in html.unescape(console.get(address("logcheckpoint_change", last.id)).text)


def confirm(console: Client, action: str, *logs: AuditLog) -> Any:
    """Answer the question of an action on logs as a browser does."""
    asked = {"action": action, ACTION_CHECKBOX_NAME: [str(log.id) for log in logs]}
    question = console.post(address("auditlog_changelist"), {**asked, "index": "0", "select_across": "0"})
    assert question.context["question"].counts == [("chosen", len(logs))]
    with unscoped("asking changes nothing"):
        assert not LogVerification.objects.exists()
    return console.post(address("auditlog_changelist"), {**asked, "confirmed": "1"})


def test_verify_now_asks_shows_how_far_it_is_and_then_the_verdict(
    console: Client, operator: User, log: AuditLog
) -> None:
    assert address("auditlog_verify_now", log.id) in console.get(address("auditlog_change", log.id)).text
    assert console.get(address("auditlog_verify_now", log.id)).context["question"].action == "verify_logs"
    begun = confirm(console, "verify_logs", log)
    assert begun.status_code == 302
    page = console.get(begun["Location"])
    assert (page["Refresh"], "0 of " in page.text) == ("2", True)
    asked = {"action": "verify_logs", ACTION_CHECKBOX_NAME: [str(log.id)], "confirmed": "1"}
    again = console.post(address("auditlog_changelist"), asked)
    assert again["Location"] == begun["Location"], "the one that is under way"
    with unscoped("half of it is done"):
        LogVerification.objects.update(checked=2)
    assert "2 of " in console.get(begun["Location"]).text
    verify_asked()
    done = console.get(begun["Location"])
    assert ("Refresh" in done, "The log verifies." in done.text, "(100 %)" in done.text) == (False, True, True)
    with unscoped("tests look at everything"):
        assert Entry.objects.get(action="audit_log.verified").actor == f"user:{operator.pk}"
    listed = console.get(address("logverification_changelist"), {"log_id": log.id})
    assert "The log verifies." in listed.text


def test_several_logs_are_verified_at_once(console: Client, log: AuditLog) -> None:
    with unscoped("tests look at everything"):
        logs = list(AuditLog.objects.filter(tenant__isnull=False))
    confirm(console, "verify_logs", *logs)
    with unscoped("tests look at everything"):
        assert LogVerification.objects.count() == len(logs) == 2


def test_a_log_is_exported_after_asking(console: Client, operator: User, log: AuditLog) -> None:
    assert console.get(address("auditlog_export_one", log.id)).context["question"].action == "export_logs"
    answer = confirm(console, "export_logs", log)
    assert answer["Content-Disposition"].startswith('attachment; filename="acme-audit-')
    with zipfile.ZipFile(BytesIO(answer.getvalue())) as archive:
        assert {"verify.py", "key", "log/checkpoint", "log/entries.ndjson"} <= set(archive.namelist())
        assert b"globex" not in archive.read("log/entries.ndjson")
    with unscoped("tests look at everything"):
        assert Entry.objects.get(action="audit_log.exported").actor == f"user:{operator.pk}"


@pytest.mark.parametrize("name", ["verify_now", "export_one", "change"])
@pytest.mark.parametrize("log_id", [uuid4(), "nothing", "0" * 400])
def test_a_log_that_is_none_is_not_found(console: Client, log: AuditLog, name: str, log_id: object) -> None:
    assert console.get(address(f"auditlog_{name}", log.id)).status_code == 200
    assert console.get(address(f"auditlog_{name}", log_id), follow=True).status_code in {200, 404}
    if name != "change":
        assert console.get(address(f"auditlog_{name}", log_id)).status_code == 404


def test_a_period_is_reported_on_a_page_for_printing(console: Client, acme: Customer, log: AuditLog) -> None:
    with unscoped("a decision"):
        task = AuditObject("human_task", "t-1", acme.tenant.id)
        record("task.decided", task, actor="system", after={"decision": "approved", "choice": None})
    seal_entries()
    url = address("auditlog_report")
    assert url in console.get(address("auditlog_changelist")).text
    assert "Decisions of people" not in console.get(url).text
    day = f"{utc_now():%Y-%m-%d}"
    page = console.get(url, {"log": str(log.id), "first": day, "last": day})
    for words in ("segment.saved", "t-1", "approved", "The log verifies: ", "print:hidden"):
        assert words in page.text, words
    assert "longer than 366 days" in console.get(url, {"log": str(log.id), "first": "2020-01-01", "last": day}).text
    reader = User.objects.create(username="clerk", is_staff=True)
    console.force_login(reader)
    assert console.get(url).status_code == 403


def test_a_log_without_a_checkpoint_says_so(console: Client, acme: Customer) -> None:
    with unscoped("a log that has none yet"):
        log = AuditLog.objects.create(id=acme.tenant.id, tenant=acme.tenant, origin="here/acme")
    assert console.get(address("auditlog_change", log.id)).status_code == 200
    for action in ("verify_logs", "export_logs"):
        asked = {"action": action, ACTION_CHECKBOX_NAME: [str(log.id)], "confirmed": "1"}
        answer = console.post(address("auditlog_changelist"), asked, follow=True)
        assert "Nothing is sealed yet" in answer.text
