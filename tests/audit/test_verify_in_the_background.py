"""A long log is verified in the background, with progress: asked for once, begun anew where its worker is gone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from audit.api import views
from audit.models import Entry, LogVerification
from audit.reading import jobs
from audit.reading.jobs import MAX_KEPT, request_verification, verify_asked
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from tenants.lifecycle.background import MAX_TRIES, STALE
from tests.conftest import Customer
from tests.support.audit_entries import make_log

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MAX_VERIFIED", 10)
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0)


def rows() -> list[LogVerification]:
    with unscoped("tests look at everything"):
        return list(LogVerification.objects.order_by("created_at"))


def test_a_short_log_is_verified_at_once_and_a_long_one_where_the_answer_says(acme: Customer, api: Api) -> None:
    make_log(acme)
    short = api(acme).get("/api/v1/audit/verify")
    assert (short.status_code, short.json()["ok"], rows()) == (200, True, [])
    make_log(acme, 300)
    asked = api(acme).get("/api/v1/audit/verify")
    assert (asked.status_code, asked.json()["status"], asked.json()["verdict"]) == (202, "queued", None)
    assert api(acme).get("/api/v1/audit/verify").json()["verification_id"] == asked.json()["verification_id"]
    assert verify_asked() == 1
    done = api(acme).get(asked["Location"]).json()
    assert (done["status"], done["error"], done["verdict"]["ok"]) == ("done", None, True)
    total = done["progress"]["total"]
    assert (done["progress"]["checked"], done["verdict"]["size"], total > 303) == (total, total, True)
    with tenant_scope(acme.tenant.id):
        told = Entry.objects.get(action="audit_log.verified")
    assert (told.after, told.actor[:4]) == ({"ok": True, "size": total, "first_bad": None}, "key:")
    assert verify_asked() == 0


def test_it_finds_what_was_tampered_with(acme: Customer, api: Api) -> None:
    make_log(acme, 20)
    url = api(acme).get("/api/v1/audit/verify")["Location"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update audit_entry set outcome = 'else' where object_id = 's7'")
    verify_asked()
    verdict = api(acme).get(url).json()["verdict"]
    assert (verdict["ok"], verdict["first_bad"]["kind"]) == (False, "entry")


def test_progress_is_seen_while_it_is_under_way(acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    make_log(acme, 600)
    url = api(acme).get("/api/v1/audit/verify")["Location"]
    seen: list[dict[str, Any]] = []
    real = jobs._update

    def look(verification: LogVerification, **changes: object) -> None:
        real(verification, **changes)
        seen.append(api(acme).get(url).json())

    monkeypatch.setattr(jobs, "_update", look)
    verify_asked()
    assert {one["status"] for one in seen[:-1]} == {"running"}
    counts = [one["progress"]["checked"] for one in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) >= 4, "it moves"


def test_one_whose_worker_is_gone_is_begun_anew_three_times_at_most(acme: Customer, api: Api) -> None:
    make_log(acme, 20)
    url = api(acme).get("/api/v1/audit/verify")["Location"]
    with unscoped("a worker is gone"):
        LogVerification.objects.update(status="running", tries=1, beat_at=utc_now())
    assert verify_asked() == 0, "it may be there yet"
    with unscoped("time goes by"):
        LogVerification.objects.update(beat_at=utc_now() - STALE - timedelta(seconds=1))
    assert verify_asked() == 1
    assert api(acme).get(url).json()["status"] == "done"
    url = api(acme).get("/api/v1/audit/verify")["Location"]
    with unscoped("its workers are all gone"):
        LogVerification.objects.filter(status="queued").update(
            status="running", tries=MAX_TRIES, beat_at=utc_now() - 2 * STALE
        )
    assert verify_asked() == 0
    failed = api(acme).get(url).json()
    assert (failed["status"], failed["error"][:19]) == ("failed", "It was begun 3 time")


def test_one_that_another_has_begun_anew_writes_nothing_more(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    make_log(acme, 20)
    request_verification(acme.tenant.id, actor="system")
    real = jobs.verify_stored

    def overtaken(*args: Any) -> Any:
        with unscoped("another worker begins it"):
            LogVerification.objects.update(tries=2)
        return real(*args)

    monkeypatch.setattr(jobs, "verify_stored", overtaken)
    assert verify_asked() == 0
    assert [(one.status, one.verdict) for one in rows()] == [("running", None)]


def test_the_last_ten_are_kept_and_others_see_none(acme: Customer, globex: Customer, api: Api) -> None:
    make_log(acme, 20)
    first = request_verification(acme.tenant.id, actor="system")
    assert api(acme).get(f"/api/v1/audit/verify/{first.id}").status_code == 200
    assert api(globex).get(f"/api/v1/audit/verify/{first.id}").json()["code"] == "VERIFICATION_NOT_FOUND"
    for _ in range(MAX_KEPT):
        with unscoped("it ends"):
            LogVerification.objects.update(status="failed")
        request_verification(acme.tenant.id, actor="system")
    assert len(rows()) == MAX_KEPT
    assert api(acme).get(f"/api/v1/audit/verify/{first.id}").status_code == 404
