"""Invitations are bounded, by tenant and by address; each tenant has its own room."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from rest_framework.test import APIClient

from tenants.context import tenant_scope
from tenants.models import Invitation
from tests.conftest import Customer
from tests.support.server import ServerProcess

Api = Callable[[Customer], APIClient]


def test_the_same_address_again_and_again_is_refused(acme: Customer, globex: Customer, api: Api) -> None:
    asked = {"email": "victim@example.com"}
    assert [api(acme).post("/api/v1/invitations", asked).status_code for _ in range(3)] == [201] * 3
    refused = api(acme).post("/api/v1/invitations", {"email": " Victim@Example.com"})
    body = refused.json()
    assert (refused.status_code, body["code"], body["cap"]) == (429, "INVITATIONS_LIMITED", 3)
    assert 3_500 < int(refused["Retry-After"]) <= 3_600
    assert "at most 3 an hour to one address" in body["detail"]
    assert api(acme).post("/api/v1/invitations", {"email": "other@example.com"}).status_code == 201
    assert api(globex).post("/api/v1/invitations", asked).status_code == 201, "another tenant has its own room"


def test_a_tenants_invitations_are_bounded(acme: Customer, globex: Customer, api: Api) -> None:
    client = api(acme)
    said = Counter(
        client.post("/api/v1/invitations", {"email": f"p{number}@example.com"}).status_code for number in range(210)
    )
    assert said == {201: 200, 429: 10}
    assert api(globex).post("/api/v1/invitations", {"email": "p1@example.com"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_at_once_to_one_address_three_go_out(acme: Customer, server: ServerProcess) -> None:
    with server.caller(acme.key) as caller, ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda _: caller.post("/api/v1/invitations", json={"email": "v@example.com"}), range(100))
        said = Counter(answer.status_code for answer in answers)
    assert said == {201: 3, 429: 97}
    assert server.log.count("To: v@example.com") == 3
    with tenant_scope(acme.tenant.id):
        assert Invitation.objects.count() == 1
