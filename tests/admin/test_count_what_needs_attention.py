"""The console's home page: each tile leads to a list of exactly what it counts."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from foundation.scope import unscoped
from humantasks.models import HumanTask
from kernel.clock import utc_now
from runs.circuits.shared import open_circuits
from runs.console import dashboard
from runs.console.dashboard import DashboardTile
from runs.models import Run, RunStatus, Worker
from tests.support.console import World, a_delivery, a_run

HOME = "/admin/"


@pytest.fixture(autouse=True)
def no_open_circuits(settings: Settings) -> None:
    """Forget circuits that other tests have left open: Redis keeps them for a quarter of an hour."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete(open_circuits())


@pytest.fixture
def trouble(acme_world: World, globex_world: World) -> None:
    """One or more of each thing that needs somebody, and others that do not."""
    now = utc_now()
    for world, count in ((acme_world, 2), (globex_world, 1)):
        for status in (RunStatus.STALLED, RunStatus.FAILED, RunStatus.COMPLETED, RunStatus.TIMED_OUT):
            for _ in range(count):
                run = a_run(world.revision, status=status)
                with unscoped("rows for a test"):
                    Run.objects.filter(pk=run.pk).update(ended_at=now + timedelta(seconds=90))
        a_delivery(world.run, seq=2, status="blocked")
        a_delivery(world.run, seq=3, status="pending")
    with unscoped("rows for a test"):
        HumanTask.objects.filter(run=acme_world.run).update(due_at=now - timedelta(hours=1))
        Worker.objects.create(name="gone@there", lease_until=now - timedelta(hours=1))


def tiles(console: Client) -> Iterator[tuple[str, DashboardTile]]:
    shown = console.get(HOME).context
    yield from (("attention", tile) for tile in shown["attention"])
    for period in shown["periods"]:
        yield from ((period.name, tile) for tile in period.tiles)
        yield period.name, period.usage
    for line in shown["busiest"]:
        yield from ((line.segment_id, tile) for tile in (line.runs, line.failed))


def counted(console: Client, address: str) -> int:
    answer = console.get(address)
    assert answer.status_code == 200, address
    if "usageday" in address:
        return int(answer.context["lines"][-1].calls) if answer.context["lines"] else 0
    return int(answer.context["cl"].result_count)


@pytest.mark.usefixtures("trouble")
def test_every_tile_leads_to_exactly_what_it_counts(console: Client) -> None:
    followed = {}
    for where, tile in tiles(console):
        if tile.address.startswith("#"):
            continue
        followed[(where, tile.name, tile.address)] = (tile.count, counted(console, tile.address))
    assert {key: pair for key, pair in followed.items() if pair[0] != pair[1]} == {}
    names = {name for where, name, _ in followed if where == "attention"}
    assert names == {
        "Stalled runs", "Deliveries blocked, 7 days", "Deliveries exhausted, 7 days", "Workers gone",
        "Overdue human tasks",
    }  # fmt: skip
    assert len(followed) > 15


@pytest.mark.usefixtures("trouble")
def test_failure_rate_and_durations_are_told(console: Client) -> None:
    today = console.get(HOME).context["periods"][0]
    assert (today.failure_rate, today.p50, today.p95) == ("66.7 %", "1 min 30 s", "1 min 30 s")


def test_an_installation_in_which_all_is_well_says_so(console: Client) -> None:
    answer = console.get(HOME)
    assert answer.context["attention"] == []
    assert "Nothing does." in answer.text
    assert "No run waits for a worker." in answer.text


@pytest.mark.usefixtures("trouble")
def test_the_home_page_asks_a_fixed_number_of_questions(console: Client, acme_world: World) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            console.get(HOME)
        return len([query for query in captured.captured_queries if " FROM " in query["sql"]])

    asked()
    few = asked()
    for _ in range(20):
        a_run(acme_world.revision, status=RunStatus.FAILED)
    assert asked() <= few < 40


def test_a_tile_s_address_is_an_address_of_the_console(console: Client, acme_world: World) -> None:
    for _, tile in tiles(console):
        parts = urlsplit(tile.address)
        assert parts.path.startswith("/admin/")
        assert all(value for _, value in parse_qsl(parts.query, keep_blank_values=True))


def test_figures_of_very_many_runs_are_kept_for_a_minute(
    console: Client, acme_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def running() -> int:
        return int(sum(tile.count for tile in console.get(HOME).context["periods"][0].tiles))

    before = running()
    a_run(acme_world.revision)
    assert running() == before + 1, "of few they are counted each time"
    with monkeypatch.context() as patch:
        patch.setattr(dashboard, "MANY_RUNS", 1)
        assert running() == before + 1
        a_run(acme_world.revision)
        assert running() == before + 1
    dashboard._KEPT.clear()
    assert running() == before + 2
