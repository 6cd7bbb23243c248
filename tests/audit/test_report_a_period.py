"""A report of a period: counts, decisions with their receipts, the verdict; as JSON, or as CSV without formulas."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry, LogVerification
from audit.reading import report
from audit.reading.jobs import request_verification, verify_asked
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from tests.conftest import Customer
from tests.support.audit_entries import make_log

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/audit/report"


def period(days: float = 1) -> dict[str, str]:
    now = utc_now()
    return {"from": (now - timedelta(days=days)).isoformat(), "to": (now + timedelta(seconds=1)).isoformat()}


def decide(customer: Customer, task: str, decision: str, *, actor: str = "member:m1", at: Any = None) -> None:
    with tenant_scope(customer.tenant.id):
        about = AuditObject("human_task", task, customer.tenant.id)
        record("task.decided", about, actor=actor, after={"decision": decision, "choice": None})
        Entry.objects.create(
            tenant=customer.tenant, action="run.cancelled", actor="=cmd|' /C calc'!A0", object_type="run",
            object_id="r", outcome="refused", created_at=utc_now() - timedelta(days=40),
        )  # fmt: skip
    seal_entries()


def test_it_counts_what_was_done_and_lists_decisions_with_their_receipts(
    acme: Customer, globex: Customer, api: Api
) -> None:
    make_log(globex, 7)
    make_log(acme, 3)
    make_log(acme, 2, actor="member:m2")
    decide(acme, "t1", "approved")
    answer = api(acme).post(URL, period())
    assert answer.status_code == 200, answer.json()
    found = answer.json()
    counts = {one["name"]: one["count"] for one in found["actions"]}
    assert (counts["segment.saved"], counts["task.decided"], "run.cancelled" in counts) == (5, 1, False)
    assert found["actions"] == sorted(found["actions"], key=lambda one: (-one["count"], one["name"]))
    assert {one["name"]: one["count"] for one in found["actors"]}["member:m1"] == 4
    assert found["outcomes"] == [{"name": "done", "count": found["entries"]}]
    (decision,) = found["decisions"]
    assert (decision["object_id"], decision["decision"], decision["actor"]) == ("t1", "approved", "member:m1")
    receipt = api(acme).get(decision["receipt"])
    assert receipt.content.startswith(b"c2sp.org/tlog-proof@v1")
    assert (found["verdict"]["ok"], found["log"][-5:]) == (True, "/acme")
    longer = api(acme).post(URL, period(days=60)).json()
    assert {one["name"]: one["count"] for one in longer["outcomes"]}["refused"] == 1
    with tenant_scope(acme.tenant.id):
        assert Entry.objects.filter(action="audit_log.reported").count() == 2


@pytest.mark.parametrize("way", ["format", "accept"])
def test_as_csv_no_cell_is_a_formula(acme: Customer, api: Api, way: str) -> None:
    make_log(acme)
    decide(acme, "t1", "approved", actor="+1")
    for odd in ("-2", "@sum", "\tx", "\rx"):
        decide(acme, "t2", odd)
    if way == "format":
        answer = api(acme).post(URL, {**period(days=60), "format": "csv"})
    else:
        answer = api(acme).post(URL, period(days=60), headers={"Accept": "text/csv"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    cells = [value for row in rows for value in row.values()]
    assert not [one for one in cells if one.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {"'=cmd|' /C calc'!A0", "'+1", "'-2", "'@sum", "'\tx", "'\rx"} <= set(cells)
    assert next(row["name"] for row in rows if row["section"] == "decision") == "approved"
    assert next(row["name"] for row in rows if row["section"] == "verdict").startswith("The log verifies: ")
    assert all(row["receipt"].endswith("/proof") for row in rows if row["section"] == "decision")


def test_a_period_beyond_the_bounds_is_refused_with_a_sentence(
    acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_log(acme)
    decide(acme, "t1", "approved")
    assert api(acme).post(URL, period(days=365)).status_code == 200
    said = []
    for fields, code in ((period(days=366), "REPORT_TOO_LARGE"), (period(days=-1), "REPORT_PERIOD_EMPTY")):
        refused = api(acme).post(URL, fields).json()
        assert refused["code"] == code
        said.append(refused["detail"])
    for name in ("MAX_ENTRIES", "MAX_DECISIONS"):
        with monkeypatch.context() as patch:
            patch.setattr(report, name, 0)
            said.append(api(acme).post(URL, period()).json()["detail"])
    for part, sentence in zip(("longer than 366 days", "empty", "entries in", "decisions in"), said, strict=True):
        assert part in sentence, sentence
    assert api(acme).post(URL, {"from": "yesterday", "to": "today"}).status_code == 422


def test_of_a_long_log_the_last_verification_is_told(acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    make_log(acme)
    monkeypatch.setattr(report, "MAX_VERIFIED", 2)
    assert api(acme).post(URL, period()).json()["verdict"] is None
    table = api(acme).post(URL, {**period(), "format": "csv"}).content.decode()
    assert "was not verified yet" in table
    request_verification(acme.tenant.id, actor="system")
    verify_asked()
    found = api(acme).post(URL, period()).json()
    with unscoped("tests look at everything"):
        ended_at = LogVerification.objects.get().ended_at
    assert ended_at is not None
    assert (found["verdict"]["ok"], found["verified_at"][:19]) == (True, ended_at.isoformat()[:19])
    assert found["unverified"] == 0
    make_log(acme, 4)
    later = api(acme).post(URL, period()).json()
    assert (later["unverified"] >= 4, later["verdict"]["ok"]) == (True, True)
    table = api(acme).post(URL, {**period(), "format": "csv"}).content.decode()
    assert "entries have come since, which no verification has looked at yet" in table
