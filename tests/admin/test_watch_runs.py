"""The runs' list and a run's page: what they show, and how much they ask of the database."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.console.dashboard import period
from runs.console.queries import waits_for
from runs.models import Run, RunEvent, RunStatus, Worker
from tenants.models import User
from tests.support.console import World, a_run, an_event

RUNS = "/admin/runs/run/"


def run_page(run_id: object) -> str:
    return reverse("admin:runs_run_change", args=[run_id])


def queries_of(console: Client, address: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert console.get(address).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def test_a_hundred_runs_cost_no_more_queries_than_one(console: Client, acme_world: World, globex_world: World) -> None:
    queries_of(console, RUNS)
    few = len(queries_of(console, RUNS))
    for world in (acme_world, globex_world):
        for _ in range(50):
            a_run(world.revision)
    many = queries_of(console, RUNS)
    assert len(many) <= few
    assert len(many) < 24


def test_the_list_reads_no_run_s_data_and_no_definition(console: Client, acme_world: World) -> None:
    sql = " ".join(queries_of(console, RUNS))
    assert '"runs_run"."client_reference"' in sql
    for heavy in ['"runs_run"."input"', '"runs_run"."output"', '"segments_revision"."definition"']:
        assert heavy not in sql


def test_the_list_shows_status_segment_duration_and_what_is_waited_for(console: Client, acme_world: World) -> None:
    begun = utc_now() - timedelta(minutes=3)
    a_run(
        acme_world.revision, status=RunStatus.WAITING, waiting_for=[{"kind": "retry", "until": "2030-01-01T00:00:00Z"}]
    )
    over = a_run(acme_world.revision, status=RunStatus.COMPLETED)
    with unscoped("rows for a test"):
        type(over).objects.filter(pk=over.pk).update(started_at=begun, ended_at=begun + timedelta(seconds=125))
    page = console.get(RUNS).text
    for shown in [
        "Waiting",
        "retry until 2030-01-01 00:00:00 UTC",
        "Completed",
        "2 min 5 s",
        "Greet r1",
        "Acme (acme)",
    ]:
        assert shown in page


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"status": RunStatus.QUEUED}, "a free worker"),
        ({"status": RunStatus.WAITING, "waiting_for": [{"kind": "slot"}]}, "slot"),
        (
            {"status": RunStatus.WAITING, "waiting_for": [{"kind": "a"}, {"kind": "b", "until": "noon"}]},
            "a; b until noon",
        ),
        (
            {
                "status": RunStatus.WAITING,
                "waiting_for": [
                    {"kind": "circuit", "host": "crm:443", "until": "noon", "last_failure": "HTTP_STATUS 503"}
                ],
            },
            "circuit of crm:443 until noon, after HTTP_STATUS 503",
        ),
        (
            {
                "status": RunStatus.WAITING,
                "waiting_for": [{"kind": "human", "until": "2030-01-01T02:00:00.5+02:00", "ref": "ask#1"}],
            },
            "a person until 2030-01-01 00:00:00 UTC",
        ),
        ({"status": RunStatus.WAITING, "waiting_for": ["slot"]}, "slot"),
        ({"status": RunStatus.RUNNING}, ""),
    ],
)
def test_the_wait_reason_is_a_few_words(acme_world: World, fields: dict[str, Any], shown: str) -> None:
    assert waits_for(a_run(acme_world.revision, **fields)) == shown


def test_the_page_of_a_queued_run_counts_what_is_ahead(console: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        Run.objects.update(status=RunStatus.COMPLETED, wake_at=None)
    first, second = a_run(acme_world.revision), a_run(acme_world.revision)
    for run, shown in ((first, "it is the next of its tenant"), (second, "1 ahead")):
        page = console.get(reverse("admin:runs_run_change", args=[run.pk])).text
        assert f"0 of 500 of its tenant running, {shown}." in page


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "-"), (0.0049, "5 ms"), (1.25, "1.2 s"), (59.9, "59.9 s"), (60, "1 min 0 s")]
)
def test_durations_are_readable(acme_world: World, seconds: float | None, shown: str) -> None:
    run = acme_world.run
    run.started_at = None if seconds is None else utc_now()
    run.ended_at = None if run.started_at is None else run.started_at + timedelta(seconds=seconds or 0)
    page = admin.site._registry[Run]
    assert page.duration(run) == shown  # type: ignore[attr-defined]  # ours has it


def test_the_page_links_to_the_worker_that_executes_it(console: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        worker = Worker.objects.get()
    assert "nobody now" in console.get(run_page(acme_world.run.pk)).text
    run = a_run(acme_world.revision, owner=worker.id)
    assert reverse("admin:runs_worker_change", args=[worker.pk]) in console.get(run_page(run.pk)).text
    workers = console.get("/admin/runs/worker/").context["cl"].result_list
    assert [(row.name, row.owned) for row in workers] == [("worker@here", 1)]


def test_a_run_nobody_has_taken_yet_says_so(console: Client, acme_world: World) -> None:
    run = a_run(acme_world.revision, status=RunStatus.QUEUED)
    assert "No events yet" in console.get(run_page(run.pk)).text


def test_an_event_is_for_those_who_may_see_runs(client: Client, acme_world: World) -> None:
    client.force_login(User.objects.create(username="clerk", is_staff=True))
    assert client.get(reverse("admin:runs_run_event", args=[acme_world.run.pk, 1])).status_code == 403


def test_the_page_shows_data_error_and_the_journal(console: Client, acme_world: World) -> None:
    error = {"code": "HTTP_STATUS", "message": "the shop answered 500"}
    run = a_run(acme_world.revision, status=RunStatus.FAILED, error=error)
    an_event(run, type_="segment.started", payload={"input": {"who": "world"}})
    an_event(run, type_="step.started", payload={"inputs": {}}, step_id="fetch", activation=2, attempt=1)
    page = console.get(run_page(run.pk)).text
    for shown in ["the shop answered 500", "segment.started", "fetch#2", "Journal (2 events)", "Failed"]:
        assert shown in page
    assert "(&#x27;failed" not in page


def test_times_are_shown_to_the_second_with_their_zone(console: Client, acme_world: World) -> None:
    a_run(acme_world.revision, created_at=datetime(2026, 3, 1, 15, 4, 5, tzinfo=UTC))
    assert "2026-03-01 15:04:05 UTC" in console.get(RUNS).text
    with translation.override("ru"):
        assert "2026-03-01 15:04:05 UTC" in console.get(RUNS).text


def test_what_runs_hold_is_text_never_markup(console: Client, acme_world: World) -> None:
    hostile = "<script>alert(1)</script>{{ 7|add:7 }}{% now %}"
    run = a_run(acme_world.revision, error={"message": hostile}, client_reference=hostile)
    an_event(run, type_="step.failed", payload={"error": hostile}, step_id="x", activation=1)
    for address in [run_page(run.pk), RUNS, reverse("admin:runs_run_event", args=[run.pk, 1])]:
        page = console.get(address).text
        assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in console.get(run_page(run.pk)).text


def test_a_long_payload_is_shortened_and_whole_on_its_own_page(console: Client, acme_world: World) -> None:
    run = a_run(acme_world.revision)
    an_event(run, type_="segment.started", payload={"input": "x" * 5_000 + "the end"})
    event_page = reverse("admin:runs_run_event", args=[run.pk, 1])
    page = console.get(run_page(run.pk)).text
    assert f'href="{event_page}">…</a>' in page
    assert "the end" not in page
    assert "the end" in console.get(event_page).text
    assert console.get(reverse("admin:runs_run_event", args=[run.pk, 2])).status_code == 404


def test_a_very_long_value_is_cut_and_says_so(console: Client, acme_world: World) -> None:
    run = a_run(acme_world.revision, output="x" * 500_000 + "the end")
    page = console.get(run_page(run.pk)).text
    assert "the end" not in page
    assert "cut here: 500,009 characters" in page


def test_the_page_warns_of_a_post_that_became_a_get(console: Client, acme_world: World) -> None:
    remark = "The host redirected the POST with 302: it was followed by GET, without its body."
    run = a_run(acme_world.revision)
    result = {"status": 200, "redirects": [{"status": 302, "method": "GET", "url": "https://x.example/" + "a" * 300}]}
    an_event(run, type_="action.completed", payload=result, step_id="order", activation=1, attempt=1)
    assert "Warning:" not in console.get(run_page(run.pk)).content.decode()
    an_event(run, type_="action.completed", payload={**result, "remark": remark}, step_id="order", activation=1)
    assert f"Warning: {remark}" in console.get(run_page(run.pk)).content.decode()


def test_a_journal_of_5000_events_is_read_page_by_page(console: Client, acme_world: World) -> None:
    run = a_run(acme_world.revision, status="completed", ended_at=utc_now())
    with unscoped("rows for a test"):
        RunEvent.objects.bulk_create(
            RunEvent(
                tenant_id=run.tenant_id, run=run, seq=seq, type="step.completed", step_id="loop", activation=seq,
                attempt=1, payload={"ports": ["output"], "value": "v" * 2_000, "edges": []},
            )
            for seq in range(1, 5_001)
        )  # fmt: skip
        run.last_seq = 5_000
        run.save(update_fields=["last_seq"])
    pages = {}
    for wanted in ["1", "50", "51", "0", "nonsense"]:
        with CaptureQueriesContext(connection) as captured:
            answer = console.get(run_page(run.pk), {"journal": wanted})
        journal = answer.context["view"].journal
        pages[wanted] = [line.seq for line in journal.lines]
        assert (journal.pages, journal.events) == (50, 5_000)
        assert len(answer.content) < 300_000
        read = [query["sql"] for query in captured.captured_queries if " FROM " in query["sql"]]
        assert 0 < len(read) < 36
        assert '"runs_runevent"."payload",' not in " ".join(read)
    assert pages["1"] == pages["0"] == pages["nonsense"] == list(range(1, 101))
    assert pages["50"] == pages["51"] == list(range(4_901, 5_001))


def test_a_list_counts_no_further_than_anybody_pages(console: Client, acme_world: World) -> None:
    counting = [sql for sql in queries_of(console, RUNS) if "COUNT(" in sql.upper() and "runs_run" in sql]
    assert counting
    limits = [re.findall(r"LIMIT (\d+)", sql) for sql in counting]
    assert all(found and max(map(int, found)) <= 10_000 for found in limits), counting


def test_the_status_on_a_run_s_page_is_a_word(console: Client, acme_world: World) -> None:
    page = console.get(run_page(a_run(acme_world.revision, status=RunStatus.FAILED).pk)).text
    assert "Failed" in page
    assert "(&#x27;failed" not in page


def test_a_tile_leads_to_what_it_counts(console: Client, acme_world: World) -> None:
    old = a_run(acme_world.revision, status=RunStatus.FAILED)
    with unscoped("a run of another day"):
        Run.objects.filter(id=old.pk).update(id=UUID(int=1 << 80), created_at=datetime(2020, 1, 1, tzinfo=UTC))
        (before,) = [figure.count for figure in period("", 1).tiles if figure.name == "Failed"] or [0]
    a_run(acme_world.revision, status=RunStatus.FAILED)
    with unscoped("as the console counts"):
        (tile,) = [figure for figure in period("", 1).tiles if figure.name == "Failed"]
    listed = console.get(tile.address).context["cl"]
    assert (tile.count, listed.result_count) == (before + 1, before + 1)
    assert console.get(RUNS).context["cl"].result_count > before + 1, "all days have more"


def test_a_replay_shows_its_field_says_what_it_does_not_find_and_leads_to_the_new_run(
    console: Client, acme_world: World
) -> None:
    run = a_run(acme_world.revision, status=RunStatus.COMPLETED)
    asked = {"action": "replay_runs", "_selected_action": [str(run.pk)], "confirmed": "1"}
    refused = console.post(RUNS, {**asked, "from_activation": "nope#3"}, follow=True)
    assert "None of these runs has started the activation nope#3." in refused.text
    assert "Started again" not in refused.text
    field = re.search(r'<input[^>]*name="from_activation"[^>]*>', refused.text)
    assert field is not None
    assert "border" in field[0], "a field without the console's look has neither border nor background"
    answer = console.post(RUNS, asked, follow=True)
    with unscoped("looking at what was written"):
        new = Run.objects.get(replay_of=run.pk)
    assert f'href="{run_page(new.pk)}"' in answer.text
    assert "Started again: 1." in answer.text
