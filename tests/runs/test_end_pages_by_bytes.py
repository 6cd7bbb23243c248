"""Pages end at 1 MiB and say so; large values are links, which show them whole."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from foundation.scope import unscoped
from runs.models import Run, RunEvent
from tests.conftest import Customer
from tests.support.definitions import large_branches, steps_in_a_row
from tests.support.host import running_host
from tests.support.live_runs import LiveRun
from tests.support.segments import segment, step

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)

PAGE = 1024 * 1024
MARK = "$large_value"
SLACK = 64 * 1024
"""What stands around the rows, and the last row, which is not split."""


def pages(client: APIClient, url: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Read a list to its end; each page with its bytes."""
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.content
        page = answer.json()
        yield page, len(answer.content)
        assert (page["next_url"] is None) == (page["next_cursor"] is None)
        url = page["next_url"]


@pytest.fixture
def big_run(acme: Customer, api: Api) -> dict[str, Any]:
    """A run whose segment has some hundred bytes, and whose journal has 53 MiB."""
    client = api(acme)
    large = large_branches(count=56)
    assert len(json.dumps(large)) <= 819
    with running_host():
        started = client.post("/api/v1/runs", {"segment": large, "input": None})
        run: dict[str, Any] = client.get(started.json()["links"]["self"] + "?wait=40").json()
    assert run["status"] == "completed", run
    with unscoped("the test looks at the size"):
        assert Run.objects.values_list("journal_bytes", flat=True).get(id=run["run_id"]) > 52 * 2**20
    return run


def test_events_of_a_journal_of_53_mebibytes_come_in_small_pages(
    acme: Customer, api: Api, big_run: dict[str, Any]
) -> None:
    client = api(acme)
    value = big_run["output"]
    for address in (big_run["links"]["events"] + "?limit=250", "/api/v1/events?limit=250"):
        seen: list[dict[str, Any]] = []
        url = address
        while True:
            answer = client.get(url)
            assert len(answer.content) < PAGE
            page = answer.json()
            seen += page["data"]
            if not page["data"] or page["next_url"] is None:
                break
            url = page["next_url"]
        rows = [record for record in seen if record["event_type"] != "data.produced"]
        assert [row["seq"] for row in rows] == [*range(1, len(rows) + 1)]
        kinds = Counter(row["event_type"] for row in rows)
        waits_for_a_processor = kinds.pop("step.retrying", 0)
        assert kinds == {
            "segment.started": 1,
            "step.started": 57 + waits_for_a_processor,
            "step.completed": 57,
            "segment.completed": 1,
        }
        produced = [one for one in seen if one["event_type"] == "data.produced" and one["step_id"] == "big"]
        assert len(produced) == 56
        large = produced[-1]["payload"]["value"][MARK]
        assert large["bytes"] == len(json.dumps(value, separators=(",", ":")))
        assert client.get(large["url"]).json() == value
        (whole,) = (one for one in seen if one["event_id"] == produced[-1]["event_id"].rpartition(":")[0])
        assert whole["payload"]["value"] == {MARK: large}


def test_steps_show_links_in_the_place_of_large_values(acme: Customer, api: Api, big_run: dict[str, Any]) -> None:
    client = api(acme)
    steps = []
    for page, size in pages(client, big_run["links"]["steps"] + "?limit=250"):
        assert size < PAGE
        steps += page["data"]
    assert [one["step_id"] for one in steps] == ["split", *["big"] * 56]
    for one in steps[1:3]:
        assert client.get(one["output"]["output"][MARK]["url"]).json() == big_run["output"]


def test_inputs_from_large_events_are_links_too(acme: Customer, api: Api) -> None:
    client = api(acme)
    large = large_branches(count=8, then_join=True)
    with running_host():
        started = client.post("/api/v1/runs", {"segment": large, "input": None})
        run = client.get(started.json()["links"]["self"] + "?wait=40").json()
    assert run["error"]["code"] == "VALUE_TOO_LARGE", "the join's own value is over its bound"
    steps = [one for page, _ in pages(client, run["links"]["steps"]) for one in page["data"]]
    (join,) = (one for one in steps if one["step_id"] == "join")
    (arrived,) = join["inputs"].values()
    assert len(arrived) == 8
    for shown in arrived:
        assert client.get(shown[MARK]["url"]).json() == ["x" * 99_000] * 10


def test_rows_below_the_bound_of_a_value_fill_pages_of_a_mebibyte(acme: Customer, api: Api) -> None:
    run = LiveRun(acme.tenant)
    with unscoped("the test is the host"):
        RunEvent.objects.bulk_create(
            RunEvent(tenant=run.tenant, run_id=run.id, seq=seq, type="action.completed", payload={"text": "x" * 60_000})
            for seq in range(1, 101)
        )
        Run.objects.filter(id=run.id).update(last_seq=100)
    client = api(acme)
    found = list(pages(client, f"/api/v1/runs/{run.id}/events?limit=250"))
    assert [one["seq"] for page, _ in found for one in page["data"]] == [*range(1, 101)]
    assert all(PAGE - SLACK < size < PAGE + SLACK for _, size in found[:-1]), [size for _, size in found]
    assert all(one["payload"]["text"] == "x" * 60_000 for page, _ in found for one in page["data"])


@pytest.mark.parametrize(("items", "characters", "whole"), [(3, 20_000, 3), (300, 60_000, 0), (300, 15_000, 34)])
def test_what_arrived_at_a_join_is_whole_while_it_is_small_together(
    acme: Customer, api: Api, items: int, characters: int, whole: int
) -> None:
    client = api(acme)
    parts = (
        step("split", "parallel_split", items=f"range({items})"),
        step("text", "transform", expression=f"'y' * {characters}"),
        step("join", "parallel_join"),
        step("length", "transform", expression="len(input)"),
    )
    with running_host():
        started = client.post("/api/v1/runs", {"segment": segment(*parts), "input": None})
        run = client.get(started.json()["links"]["self"] + "?wait=40").json()
    seen = list(pages(client, run["links"]["steps"] + "?limit=250"))
    assert all(size < PAGE + SLACK for _, size in seen), [size for _, size in seen]
    (join,) = (one for page, _ in seen for one in page["data"] if one["step_id"] == "join")
    (arrived,) = join["inputs"].values()
    assert len(arrived) == items
    assert [one for one in arrived if MARK not in one] == ["y" * characters] * whole
    for shown in arrived[whole : whole + 2]:
        assert client.get(shown[MARK]["url"]).json() == "y" * characters


def test_a_row_over_a_page_is_a_page_of_its_own(acme: Customer, api: Api) -> None:
    run = LiveRun(acme.tenant)
    many = {f"part_{number}": "x" * 15_000 for number in range(200)}
    with unscoped("the test is the host"):
        RunEvent.objects.bulk_create(
            RunEvent(tenant=run.tenant, run_id=run.id, seq=seq, type="action.completed", payload=payload)
            for seq, payload in enumerate(({"n": 1}, many, {"n": 3}), start=1)
        )
    found = list(pages(api(acme), f"/api/v1/runs/{run.id}/events"))
    assert [[one["seq"] for one in page["data"]] for page, _ in found] == [[1], [2], [3]]
    assert found[1][1] > 2 * PAGE
    assert found[1][0]["data"][0]["payload"] == many


def test_runs_are_listed_without_their_large_values(acme: Customer, api: Api) -> None:
    client = api(acme)
    large, small = "x" * 900_000, "y" * 9_000
    for value in [large, small] * 30:
        assert client.post("/api/v1/runs", {"segment": steps_in_a_row("input"), "input": value}).status_code == 202
    found = list(pages(client, "/api/v1/runs?limit=250"))
    runs = [run for page, _ in found for run in page["data"]]
    assert len(found) == 1
    assert found[0][1] < PAGE
    assert [run["input"] for run in runs[::2]] == [small] * 30
    shown = runs[1]["input"][MARK]
    assert shown["bytes"] == len(large) + 2
    assert client.get(shown["url"]).json()["input"] == large


def test_a_list_of_runs_ends_at_a_mebibyte(acme: Customer, api: Api) -> None:
    client = api(acme)
    for number in range(100):
        body = {"segment": steps_in_a_row("input"), "input": "x" * 15_000, "client_reference": str(number)}
        assert client.post("/api/v1/runs", body).status_code == 202
    found = list(pages(client, "/api/v1/runs?limit=250"))
    assert [run["client_reference"] for page, _ in found for run in page["data"]] == [str(n) for n in range(99, -1, -1)]
    assert len(found) == 2
    assert PAGE - SLACK < found[0][1] < PAGE + SLACK


def test_a_part_of_a_payload_is_read_by_its_pointer(acme: Customer, api: Api) -> None:
    run = LiveRun(acme.tenant)
    payload = {"ports": {"a/b~c": {"list": [1, {"": None}]}, "text": "Grüße € \U0001f600" * 40_000}}
    with unscoped("the test is the host"):
        RunEvent.objects.create(tenant=run.tenant, run_id=run.id, seq=1, type="step.completed", payload=payload)
    client = api(acme)
    address = f"/api/v1/runs/{run.id}/values/1"
    for pointer, value in {
        "": payload,
        "/ports/a~1b~0c/list": [1, {"": None}],
        "/ports/a~1b~0c/list/1/": None,
        "/ports/text": payload["ports"]["text"],
    }.items():
        answer = client.get(address, {"pointer": pointer})
        assert (answer.status_code, answer.json()) == (200, value), pointer
    for pointer, status, code in (
        ("/ports/none", 404, "VALUE_NOT_FOUND"),
        ("/ports/a~1b~0c/list/7", 404, "VALUE_NOT_FOUND"),
        ("ports", 422, "INVALID_POINTER"),
    ):
        refused = client.get(address, {"pointer": pointer})
        assert (refused.status_code, refused.json()["code"]) == (status, code), pointer
    for seq in ("2", "0", "-1", "x", "99999999999"):
        assert client.get(f"/api/v1/runs/{run.id}/values/{seq}").json()["code"] == "VALUE_NOT_FOUND", seq
    assert client.get(f"/api/v1/runs/{UUID(int=7)}/values/1").json()["code"] == "RUN_NOT_FOUND"
    assert client.get(address, {"pointer": "", "depth": "1"}).status_code == 422
