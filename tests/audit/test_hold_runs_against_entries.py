"""Each run has an entry of its start and of its end with its journal's digest; what was tampered with is named."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from audit.models import Entry, SealedEntry
from audit.reading.verification import verify_stored
from audit.sealing.sealer import seal_entries
from audit.services import record
from devserver.folders import CHECKOUT
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from runs.commands import command_run
from runs.journals import audited
from runs.lifecycle.retention import sweep_runs
from runs.models import Run, SignalKind
from runs.replay import replay_run
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.audited_runs import ended_runs, start, stored_run
from tests.support.engine import events_of, wait_until_over
from tests.support.host import running_host
from tests.support.journal_digests import digest_of, stored_events

pytestmark = pytest.mark.django_db(transaction=True)


def entries_of(run_id: UUID) -> dict[str, Entry]:
    with unscoped("tests look at everything"):
        found = list(Entry.objects.filter(object_id=str(run_id)))
    assert len({entry.action for entry in found}) == len(found)
    return {entry.action: entry for entry in found}


def verdict_with(tenant: Tenant, *statements: str) -> dict[str, Any]:
    """Tamper with what is stored, past the triggers, verify it, and undo that."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount > 0, statement
        verdict = verify_stored(tenant.id)
        transaction.set_rollback(True)
    return verdict


def test_every_run_tells_how_it_ended_whichever_way_it_began_and_ended(acme: Customer) -> None:
    tenant = acme.tenant
    well = start(tenant, "input + 1")
    ill = start(tenant, "input / 0")
    late = start(tenant, "input", timeout_seconds=1e-6)
    cancelled = start(tenant, "input")
    command_run(tenant=tenant, actor="member:m1", run_id=cancelled, command=SignalKind.CANCEL, reason="Ann said so")
    with running_host():
        assert wait_until_over(well, ill, late, cancelled) == ["completed", "failed", "timed_out", "cancelled"]
        again = replay_run(tenant=tenant, actor="member:m2", run_id=well, from_activation="step_1#1").run.id
        assert wait_until_over(again) == ["completed"]
    outcomes = {"completed": "done", "failed": "failed", "timed_out": "timed_out", "cancelled": "cancelled"}
    for run_id in (well, ill, late, cancelled, again):
        run, told = stored_run(run_id), entries_of(run_id)
        assert told["run.started"].actor == ("member:m2" if run_id == again else "member:m1")
        ended = told["run.ended"]
        assert (ended.outcome, ended.tenant_id, ended.created_at) == (outcomes[run.status], tenant.id, run.ended_at)
        journal = digest_of(stored_events(run_id)).hex()
        assert ended.after == {"status": run.status, "last_seq": len(events_of(run_id)), "journal": journal}
    seal_entries()
    verdict = verify_stored(tenant.id)
    assert verdict["ok"], verdict


def test_a_stranger_computes_the_digest_from_what_the_api_answers(acme: Customer, api: Any) -> None:
    (run_id,) = ended_runs(acme.tenant, 1)
    client: APIClient = api(acme)
    _, code = (CHECKOUT / "docs/explanation/audit.md").read_text().split("```python\n", 1)
    documented: dict[str, Any] = {}
    exec(code.split("```")[0], documented)  # noqa: S102 - our own docs
    shown = client.get(f"/api/v1/runs/{run_id}/events").json()["data"]
    events = [event for event in shown if event["event_type"] != "data.produced"]
    assert len(events) > 4

    def payload_text(seq: int) -> str:
        return b"".join(client.get(f"/api/v1/runs/{run_id}/values/{seq}")).decode()

    (entry,) = client.get("/api/v1/audit/entries", {"action": "run.ended"}).json()["data"]
    assert entry["after"]["journal"] == documented["journal_digest"](events, payload_text)


TAMPERINGS = {
    "a changed value": (
        "update runs_runevent set payload = replace(payload::text, '\"value\":2', '\"value\":3')::json"
        " where run_id = '{run}' and seq = 3",
        "journal",
    ),
    "a changed time": (
        "update runs_runevent set created_at = created_at + interval '1 microsecond'"
        " where run_id = '{run}' and seq = 2",
        "journal",
    ),
    "a changed step": ("update runs_runevent set step_id = 'other' where run_id = '{run}' and seq = 2", "journal"),
    "a changed type": ("update runs_runevent set type = 'step.failed' where run_id = '{run}' and seq = 3", "journal"),
    "a changed attempt": ("update runs_runevent set attempt = 2 where run_id = '{run}' and seq = 3", "journal"),
    "a cut event": ("delete from runs_runevent where run_id = '{run}' and seq = 3", "journal"),
    "a cut end": (
        "delete from runs_runevent where run_id = '{run}' and seq = (select last_seq from runs_run where id = '{run}')",
        "journal",
    ),
    "an added event": (
        "insert into runs_runevent (run_id, seq, tenant_id, type, payload) select run_id, max(seq) + 1, tenant_id,"
        " 'segment.paused', '{{}}' from runs_runevent where run_id = '{run}' group by run_id, tenant_id",
        "journal",
    ),
    "two swapped events": (
        "update runs_runevent set seq = 3005 - seq where run_id = '{run}' and seq in (2, 3)"
        "; update runs_runevent set seq = seq - 3000 where run_id = '{run}' and seq > 3000",
        "journal",
    ),
    "another status": ("update runs_run set status = 'failed' where id = '{run}'", "run"),
    "another time of its end": ("update runs_run set ended_at = ended_at - interval '1 s' where id = '{run}'", "run"),
    "a run that goes on again": ("update runs_run set status = 'paused', ended_at = null where id = '{run}'", "run"),
    "another number of events": ("update runs_run set last_seq = last_seq + 1 where id = '{run}'", "run"),
    "a run taken away": (
        "delete from runs_runevent where run_id = '{run}'; delete from runs_run where id = '{run}'",
        "run",
    ),
}


def test_what_was_done_to_a_run_is_found_and_the_untouched_log_verifies(acme: Customer, globex: Customer) -> None:
    ended_runs(globex.tenant, 1)
    run_id = ended_runs(acme.tenant)[1]
    with unscoped("tests look at everything"):
        n = SealedEntry.objects.get(entry_id=entries_of(run_id)["run.ended"].id).n
    assert verdict_with(acme.tenant)["ok"] is True
    for name, (statement, kind) in TAMPERINGS.items():
        verdict = verdict_with(acme.tenant, statement.format(run=run_id))
        assert verdict["ok"] is False, name
        assert (verdict["first_bad"]["n"], verdict["first_bad"]["kind"]) == (n, kind), (name, verdict)
        assert str(run_id) in verdict["first_bad"]["detail"], name
        assert verify_stored(globex.tenant.id)["ok"] is True


def test_an_end_without_an_entry_is_found(acme: Customer) -> None:
    run_id, _ = ended_runs(acme.tenant, 2)
    size = verify_stored(acme.tenant.id)["size"]
    going_on = start(acme.tenant, "input")
    seal_entries()
    end = "update runs_run set status = 'completed', ended_at = now(), wake_at = null where id = '{run}'"
    verdict = verdict_with(acme.tenant, end.format(run=going_on))
    assert verdict["first_bad"]["kind"] == "run"
    assert verdict["first_bad"]["n"] >= size
    assert verdict["first_bad"]["detail"] == f"no entry says that the run {going_on} ended"
    unsealed = start(acme.tenant, "input")
    gone = "delete from audit_entry where object_id = '{run}'"
    queue = "delete from audit_unsealedentry where entry_id in (select id from audit_entry where object_id = '{run}')"
    verdict = verdict_with(acme.tenant, queue.format(run=unsealed), gone.format(run=unsealed))
    assert verdict["first_bad"]["detail"] == f"no entry says that the run {unsealed} was started"
    assert stored_run(run_id).is_over


def test_a_run_taken_away_before_its_end_is_found(acme: Customer) -> None:
    ended_runs(acme.tenant, 1)
    going_on = start(acme.tenant, "input")
    seal_entries()
    assert verdict_with(acme.tenant)["ok"] is True
    gone = "delete from runs_run where id = '{run}'"
    verdict = verdict_with(acme.tenant, gone.format(run=going_on))
    with unscoped("tests look at everything"):
        n = SealedEntry.objects.get(entry_id=entries_of(going_on)["run.started"].id).n
    assert (verdict["first_bad"]["n"], verdict["first_bad"]["kind"]) == (n, "run")


def let_two_days_go_by() -> None:
    """Have all been two days earlier, and seal it anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update runs_run set ended_at = ended_at - interval '2 days'")
        cursor.execute("update audit_entry set created_at = created_at - interval '2 days'")
        cursor.execute("truncate audit_sealedentry, audit_treenode, audit_logcheckpoint, audit_unsealedentry")
        cursor.execute("insert into audit_unsealedentry (tenant_id, entry_id) select tenant_id, id from audit_entry")


def test_what_retention_removes_leaves_a_sound_log(acme: Customer) -> None:
    ended_runs(acme.tenant)
    with unscoped("as an operator does in the console"):
        Tenant.objects.filter(id=acme.tenant.id).update(retention_days=1)
    assert sweep_runs() == 0
    let_two_days_go_by()
    assert sweep_runs() > 0
    seal_entries()
    with unscoped("tests look at everything"):
        assert not Run.objects.exists()
        (told,) = Entry.objects.filter(action="runs.removed")
    assert isinstance(told.after, dict)
    assert told.after["runs"] == 3
    verdict = verify_stored(acme.tenant.id)
    assert verdict["ok"], verdict


def test_a_long_journal_and_many_runs_are_read_in_pieces(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_runs(acme.tenant, 5)
    monkeypatch.setattr(audited, "EVENTS", 3)
    monkeypatch.setattr(audited, "RUNS", 2)
    monkeypatch.setattr(audited, "BYTES", 40)
    assert verify_stored(acme.tenant.id)["ok"] is True


CHANGED_COLUMNS = {
    "its input": ("update runs_run set input = '2' where id = '{run}'", "run.ended", "input"),
    "its output": ("update runs_run set output = '5' where id = '{run}'", "run.ended", "output"),
    "no output": ("update runs_run set output = null where id = '{run}'", "run.ended", "output"),
    "an error": ("update runs_run set error = '{{}}' where id = '{run}'", "run.ended", "error"),
    "warnings": ("update runs_run set warnings = '[1]' where id = '{run}'", "run.ended", "warnings"),
    "its segment": ("update runs_run set segment_id = 'other' where id = '{run}'", "run.started", "segment"),
    "its actor": ("update runs_run set started_by_actor = 'member:m9' where id = '{run}'", "run.started", "actor"),
    "its time": (
        "update runs_run set created_at = created_at - interval '1 h' where id = '{run}'",
        "run.started",
        "time",
    ),
    "its definition": (
        "update segments_revision set content_hash = repeat('0', 64)"
        " where id = (select revision_id from runs_run where id = '{run}')",
        "run.started",
        "definition",
    ),
}


def test_columns_of_a_run_that_entry_and_journal_contradict_are_found(acme: Customer) -> None:
    run_id = ended_runs(acme.tenant)[1]
    assert verdict_with(acme.tenant)["ok"] is True
    for name, (statement, action, column) in CHANGED_COLUMNS.items():
        found = verdict_with(acme.tenant, statement.format(run=run_id))["first_bad"]
        assert found is not None, name
        with unscoped("tests look at everything"):
            first = Entry.objects.filter(action="run.started").earliest("created_at").id
            entry_id = first if name == "its definition" else entries_of(run_id)[action].id
            n = SealedEntry.objects.get(entry_id=entry_id).n
        assert (found["n"], found["kind"]) == (n, "run"), (name, found)
        assert f"the {column}" in found["detail"], (name, found)


REMOVALS = {"a year to come": -365.0, "now": 0.0, "an hour ago": 1 / 24, "no time": None}


def test_only_a_removal_that_can_have_been_excuses_a_run_that_is_gone(acme: Customer) -> None:
    run_id = ended_runs(acme.tenant)[1]
    gone, kind = TAMPERINGS["a run taken away"]
    for name, days in REMOVALS.items():
        before = "soon" if days is None else (utc_now() - timedelta(days=days)).isoformat()
        with tenant_scope(acme.tenant.id):
            record("runs.removed", acme.tenant, actor="system", after={"ended_before": before, "runs": 1})
        seal_entries()
        assert verify_stored(acme.tenant.id)["ok"] is True
        found = verdict_with(acme.tenant, *gone.format(run=run_id).split("; "))["first_bad"]
        assert found is not None, name
        assert (found["kind"], str(run_id) in found["detail"]) == (kind, True), (name, found)
