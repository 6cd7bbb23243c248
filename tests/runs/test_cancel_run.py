"""Cancelling: what is answered, what is written; the engine's part is shown with a real worker."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from kernel.ids import new_id
from runs.models import Run, RunStatus, Signal
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.host import running_host

Api = Callable[[Customer], APIClient]


@pytest.fixture
def client(acme: Customer, api: Api) -> APIClient:
    return api(acme)


@pytest.fixture
def cancel(client: APIClient) -> str:
    """The address to cancel a queued run at."""
    run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).json()
    address: str = run["links"]["cancel"]
    return address


def only_run() -> Run:
    with unscoped("tests look at everything"):
        return Run.objects.get()


def test_answers_202_with_the_run_as_it_is(client: APIClient, cancel: str) -> None:
    answer = client.post(cancel, {"reason": "changed my mind"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    run = only_run()
    assert run.signals_pending
    with unscoped("tests look at everything"):
        signal = Signal.objects.get()
        entry = Entry.objects.get(action="run.cancel_requested")
    assert signal.payload["reason"] == "changed my mind"
    assert entry.object_id == str(run.id)


def test_can_be_repeated(client: APIClient, cancel: str) -> None:
    for _ in range(3):
        assert client.post(cancel).status_code == 202
    with unscoped("tests look at everything"):
        assert Signal.objects.count() == 1
        assert Entry.objects.filter(action="run.cancel_requested").count() == 1


def test_an_owned_run_is_left_to_its_owner(client: APIClient, cancel: str) -> None:
    with unscoped("stands in for the engine"):
        Run.objects.update(owner=new_id(), wake_at=None, status=RunStatus.RUNNING)
    assert client.post(cancel).status_code == 202
    run = only_run()
    assert run.signals_pending
    assert run.wake_at is None


def test_a_parked_run_is_woken(client: APIClient, cancel: str) -> None:
    with unscoped("stands in for the engine"):
        Run.objects.update(wake_at=None, status=RunStatus.WAITING)
    assert client.post(cancel).status_code == 202
    assert only_run().wake_at is not None


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TIMED_OUT])
def test_a_run_that_is_over_otherwise_is_a_409_with_its_state(
    client: APIClient, cancel: str, status: RunStatus
) -> None:
    with unscoped("stands in for the engine"):
        Run.objects.update(status=status, wake_at=None)
    answer = client.post(cancel)
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "RUN_ALREADY_OVER", status)
    with unscoped("tests look at everything"):
        assert Signal.objects.count() == 0


def test_a_cancelled_run_stays_a_202(client: APIClient, cancel: str) -> None:
    with unscoped("stands in for the engine"):
        Run.objects.update(status=RunStatus.CANCELLED, wake_at=None)
    assert client.post(cancel).status_code == 202
    assert only_run().wake_at is None


def test_an_unknown_field_is_refused(client: APIClient, cancel: str) -> None:
    for body in ({"why": "x"}, {"reason": "x" * 501}, []):
        assert client.post(cancel, body).status_code == 422
    assert not only_run().signals_pending


@pytest.mark.django_db(transaction=True)
def test_a_run_nobody_ever_claimed_is_cancelled(client: APIClient, cancel: str) -> None:
    client.post(cancel, {"reason": "never mind"})
    with running_host():
        body = client.get(cancel.removesuffix("/cancel") + "?wait=20").json()
    assert body["status"] == "cancelled"
    events = client.get(body["links"]["events"]).json()["data"]
    assert events[-1]["event_type"] == "segment.cancelled"
    assert events[-1]["payload"]["reason"] == "never mind"


def test_another_tenants_run_is_not_there(cancel: str, globex: Customer, api: Api) -> None:
    assert api(globex).post(cancel).status_code == 404
    assert not only_run().signals_pending
