"""Whoever decides gets a receipt that proves it to others, offline: their own, and nobody else's."""

import json

import pytest

from audit.log.proofs import open_proof, read_proof
from audit.models import LogVerifier
from audit.sealing.sealer import seal_entries
from foundation.scope import tenant_scope
from kernel.signed_notes import read_verifier
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.api_clients import key_client, session_client
from tests.support.inbox import a_task, client_of, send

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = "Receipt of your decision"


def proven(customer: Customer, receipt: bytes) -> dict[str, object]:
    """What a receipt proves with the log's key alone."""
    with tenant_scope(customer.tenant.id):
        verifiers = [read_verifier(key.verifier) for key in LogVerifier.objects.all()]
    proof = read_proof(receipt.decode())
    assert open_proof(proof, proof.extra, verifiers)
    entry: dict[str, object] = json.loads(proof.extra)
    return entry


def test_a_decision_s_answer_says_where_its_receipt_will_be(acme: Customer, ann: Membership, bob: Membership) -> None:
    task, client = a_task(acme.tenant), session_client(ann)
    url = f"/api/v1/human-tasks/{task.id}"
    assert client.get(url).json()["receipt"] is None
    answer = client.post(f"{url}/complete", {"decision": "approved"}).json()
    assert answer["receipt"] == {"url": f"http://testserver{url}/receipt", "n": None}
    assert client.get(answer["receipt"]["url"]).json()["code"] == "NOT_SEALED"
    seal_entries()
    n = client.get(url).json()["receipt"]["n"]
    assert isinstance(n, int)
    (listed,) = client.get("/api/v1/human-tasks?box=done").json()["data"]
    assert listed["receipt"]["n"] == n
    entry = proven(acme, client.get(answer["receipt"]["url"]).content)
    assert (entry["n"], entry["object_id"], entry["actor"]) == (n, str(task.id), f"member:{ann.id}")
    assert isinstance(entry["after"], dict)
    assert entry["after"]["decision"] == "approved"


def test_nobody_gets_the_receipt_of_another(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    url = f"/api/v1/human-tasks/{task.id}"
    session_client(ann).post(f"{url}/complete", {"decision": "approved"})
    seal_entries()
    assert session_client(ann).get(f"{url}/receipt").status_code == 200
    n = session_client(ann).get(url).json()["receipt"]["n"]
    other = session_client(bob)
    assert other.get(url).json().get("receipt") is None
    assert other.get(f"{url}/receipt").json()["code"] == "DECISION_NOT_FOUND"
    assert other.get(f"/api/v1/audit/entries/{n}/proof").json()["code"] == "SCOPE_MISSING"
    program = key_client(acme.key)
    assert program.get(url).json()["receipt"] is None, "it has not decided"
    assert program.get(f"/api/v1/audit/entries/{n}/proof").status_code == 200, "it has audit:read"


def test_of_several_each_has_their_own(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, needed=2, voters=2)
    url = f"/api/v1/human-tasks/{task.id}"
    for member in (ann, bob):
        assert session_client(member).post(f"{url}/complete", {"decision": "approved"}).status_code == 200
    seal_entries()
    found = [proven(acme, session_client(member).get(f"{url}/receipt").content)["actor"] for member in (ann, bob)]
    assert found == [f"member:{ann.id}", f"member:{bob.id}"]


def test_the_inbox_shows_it_once_it_is_sealed(acme: Customer, ann: Membership, bob: Membership) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    page, file = f"/inbox/tasks/{task.id}/", f"/inbox/tasks/{task.id}/receipt/"
    assert send(browser, task, "approved").status_code == 303
    assert WORDS not in browser.get(page).text
    assert browser.get(file).status_code == 404
    seal_entries()
    shown = browser.get(page).text
    assert (WORDS in shown, file in shown) == (True, True)
    receipt = browser.get(file)
    entry = proven(acme, receipt.content)
    assert entry["actor"] == f"member:{ann.id}"
    assert receipt["Content-Disposition"] == f'attachment; filename="decision-{entry["n"]}.tlog-proof"'
    assert WORDS not in client_of(bob).get(page).text
    assert client_of(bob).get(file).status_code == 404
