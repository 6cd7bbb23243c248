"""What each status makes of each command, cell by cell, through HTTP; what the engine makes of it is shown there."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from kernel.ids import new_id
from runs.commands import REPLIES
from runs.models import OVER, Run, RunStatus, Signal, SignalKind
from tests.conftest import Customer
from tests.support.audit_entries import shown
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]

COMMANDS = ("pause", "resume", "cancel", "replay", "snapshot")
TAKEN, ALREADY, REFUSED, ANSWERED = "taken", "already", "refused", "answered"

CELLS = {
    ("pause", "queued"): TAKEN,
    ("pause", "running"): TAKEN,
    ("pause", "waiting"): TAKEN,
    ("pause", "paused"): ALREADY,
    ("pause", "stalled"): ALREADY,
    ("pause", "completed"): REFUSED,
    ("pause", "failed"): REFUSED,
    ("pause", "cancelled"): REFUSED,
    ("pause", "timed_out"): REFUSED,
    ("resume", "queued"): ALREADY,
    ("resume", "running"): ALREADY,
    ("resume", "waiting"): ALREADY,
    ("resume", "paused"): TAKEN,
    ("resume", "stalled"): TAKEN,
    ("resume", "completed"): REFUSED,
    ("resume", "failed"): REFUSED,
    ("resume", "cancelled"): REFUSED,
    ("resume", "timed_out"): REFUSED,
    ("cancel", "queued"): TAKEN,
    ("cancel", "running"): TAKEN,
    ("cancel", "waiting"): TAKEN,
    ("cancel", "paused"): TAKEN,
    ("cancel", "stalled"): TAKEN,
    ("cancel", "completed"): REFUSED,
    ("cancel", "failed"): REFUSED,
    ("cancel", "cancelled"): ALREADY,
    ("cancel", "timed_out"): REFUSED,
    **{(command, status): ANSWERED for command in ("replay", "snapshot") for status in RunStatus.values},
}


@pytest.fixture
def client(acme: Customer, api: Api) -> APIClient:
    return api(acme)


@pytest.fixture
def links(client: APIClient) -> dict[str, str]:
    """The addresses of a queued run."""
    run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).json()
    addresses: dict[str, str] = run["links"]
    return addresses


def put(status: str, **more: Any) -> None:
    with unscoped("stands in for the engine"):
        is_over = status in OVER
        owned = {"owner": new_id(), "wake_at": None} if status == "running" else {}
        still = {"wake_at": None} if is_over or status in {"paused", "stalled"} else {}
        Run.objects.update(**{"status": status, **owned, **still, **more})


def signals() -> list[str]:
    with unscoped("tests look at everything"):
        return list(Signal.objects.order_by("id").values_list("kind", flat=True))


def only_run() -> Run:
    with unscoped("tests look at everything"):
        return Run.objects.get()


def send(client: APIClient, links: dict[str, str], command: str) -> Any:
    return client.get(links[command]) if command == "snapshot" else client.post(links[command])


def test_the_table_has_every_cell() -> None:
    assert set(CELLS) == set(itertools.product(COMMANDS, RunStatus.values))
    assert {(command.value, status.value) for command in REPLIES for status in REPLIES[command]} == {
        (command, status) for command, status in CELLS if command in SignalKind.values
    }
    assert {kind.value for kind in REPLIES} | {"replay", "snapshot"} == set(COMMANDS)


@pytest.mark.parametrize(("command", "status"), CELLS)
def test_a_cell(client: APIClient, links: dict[str, str], command: str, status: str) -> None:
    put(status)
    answer = send(client, links, command)
    again = send(client, links, command)
    expected = CELLS[command, status]
    if expected == REFUSED:
        assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "RUN_ALREADY_OVER", status)
    elif expected != ANSWERED:
        now = "queued" if (command, expected) == ("resume", TAKEN) else status
        assert (answer.status_code, answer.json()["status"]) == (202, now)
        assert answer.json()["pause_requested"] == ((command, expected) == ("pause", TAKEN))
    else:
        assert answer.status_code == (202 if command == "replay" else 200)
    assert again.status_code == answer.status_code
    assert signals() == ([command] if expected == TAKEN else [])


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_a_pause_not_in_effect_yet_can_be_taken_back(client: APIClient, links: dict[str, str], status: str) -> None:
    put(status)
    assert client.post(links["pause"]).json()["pause_requested"] is True
    assert client.post(links["resume"]).json()["pause_requested"] is False
    assert client.post(links["resume"]).status_code == 202
    assert signals() == ["pause", "resume"]


def test_a_run_without_an_owner_is_woken_to_be_paused(client: APIClient, links: dict[str, str]) -> None:
    put("waiting", wake_at=None)
    client.post(links["pause"])
    assert only_run().wake_at is not None


def test_a_resumed_run_queues_like_any_other_with_its_losses_forgotten(
    client: APIClient, links: dict[str, str]
) -> None:
    put("stalled", losses=5, error={"code": "OWNERS_LOST", "message": "x"})
    body = client.post(links["resume"], {"reason": "mended"}).json()
    assert (body["status"], "error" in body) == ("queued", False)
    run = only_run()
    assert (run.losses, run.signals_pending) == (0, False), "to apply it needs a slot"
    assert run.wake_at is not None
    with unscoped("tests look at everything"):
        entry = Entry.objects.get(action="run.resume_requested")
    assert (entry.object_id, shown(entry, entry.after)) == (str(run.id), {"reason": "mended"})
    assert entry.actor.startswith("key:")


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "replay"])
def test_an_unknown_field_is_refused(client: APIClient, links: dict[str, str], command: str) -> None:
    put("paused")
    assert client.post(links[command], {}).status_code == 202
    answer = client.post(links[command], {"why": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/why")


def test_a_snapshot_takes_no_parameters(client: APIClient, links: dict[str, str]) -> None:
    assert client.get(links["snapshot"]).status_code == 200
    assert client.get(f"{links['snapshot']}?after=1").status_code == 422
