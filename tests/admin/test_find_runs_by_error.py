"""The list of runs: errors as columns, filters and groups; search by parts of ids and by metadata."""

import pytest
from django.db import connection
from django.test import Client

from foundation.scope import unscoped
from runs.models import Run, RunStatus
from tests.support.console import World, a_run

RUNS = "/admin/runs/run/"
OPEN = {"code": "CIRCUIT_OPEN", "message": "It is open.", "step_id": "call", "details": {"connection": "crm"}}
LATE = {"code": "RUN_TIMED_OUT", "message": "It took too long."}


@pytest.fixture
def failures(acme_world: World, globex_world: World) -> None:
    for world, error, count in ((acme_world, OPEN, 3), (globex_world, OPEN, 1), (acme_world, LATE, 2)):
        for _ in range(count):
            a_run(world.revision, status=RunStatus.FAILED, error=error)


def found(console: Client, **asked: str) -> int:
    answer = console.get(RUNS, asked)
    assert answer.status_code == 200
    return int(answer.context["cl"].result_count)


@pytest.mark.usefixtures("failures")
def test_errors_are_grouped_and_each_group_leads_to_its_runs(console: Client, acme_world: World) -> None:
    answer = console.get(RUNS)
    groups = answer.context["groups"]
    assert [(group.count, group.code, group.where) for group in groups] == [
        (4, "CIRCUIT_OPEN", "at call, crm"),
        (2, "RUN_TIMED_OUT", ""),
    ]
    assert "4 × CIRCUIT_OPEN at call, crm" in answer.text  # noqa: RUF001 - as people write it
    for group in groups:
        assert console.get(RUNS + group.address).context["cl"].result_count == group.count
    narrowed = console.get(RUNS, {"tenant__id__exact": str(acme_world.tenant.pk)}).context["groups"]
    assert narrowed[0].count == 3
    assert f"tenant__id__exact={acme_world.tenant.pk}" in narrowed[0].address, "a group keeps the list's filters"


@pytest.mark.usefixtures("failures")
def test_code_and_step_are_columns_and_filters(console: Client) -> None:
    page = console.get(RUNS, {"error_code": "RUN_TIMED_OUT"})
    assert page.context["cl"].result_count == 2
    assert {row.error_code for row in page.context["cl"].result_list} == {"RUN_TIMED_OUT"}
    assert found(console, error_step="call") == 4
    assert found(console, error_code="CIRCUIT_OPEN", error_step="nowhere") == 0
    assert found(console, error_code="CIRCUIT_OPEN", status__exact="failed") == 4


def test_a_run_is_found_by_any_part_of_the_id_that_is_shown(console: Client, acme_world: World) -> None:
    wanted = a_run(acme_world.revision)
    text = str(wanted.pk)
    for term in (f"…{text[-12:]}", text[-12:], text[-10:-2], text[-12:].upper(), text[:23], text):
        rows = console.get(RUNS, {"q": term}).context["cl"].result_list
        assert wanted.pk in {row.pk for row in rows}, term
    assert found(console, q="f" * 12) == 0


def test_a_run_is_found_by_a_value_of_its_metadata(console: Client, acme_world: World) -> None:
    a_run(acme_world.revision, metadata={"order": "7", "shop": "Köln"})
    a_run(acme_world.revision, metadata={"order": "8"}, client_reference="order=7")
    assert found(console, q="order=7") == 2, "and by a reference that reads so"
    assert found(console, q="shop=Köln") == 1
    assert found(console, q="order=9") == 0


@pytest.mark.parametrize("term", ["x" * 400, "=", "%", "…", "order=" + "y" * 250])
def test_an_odd_term_finds_nothing_and_breaks_nothing(console: Client, acme_world: World, term: str) -> None:
    assert found(console, q=term) == 0


@pytest.mark.parametrize(
    "where",
    ["error is not null and error ->> 'code' = 'X'", "status = 'stalled'", "client_reference = 'x'"],
)
def test_what_the_console_asks_of_all_tenants_has_an_index(acme_world: World, where: str) -> None:
    with unscoped("plans"), connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain select 1 from {Run._meta.db_table} where {where} order by id desc limit 50")  # noqa: S608 - ours
        assert "run_" in str(cursor.fetchall())
