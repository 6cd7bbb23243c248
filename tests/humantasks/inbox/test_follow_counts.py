"""Live counts reach whoever is signed in, whenever they change, and nobody else; a page works without them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from foundation.scope import tenant_scope
from humantasks.services import claim_task
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, as_person, client_of
from tests.support.server import ServerProcess
from tests.support.streams import message, until_closed

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = {"mine": 0, "groups": 0, "overdue": 0}


@contextmanager
def counts_for(
    server: ServerProcess, member: Membership | None, *, origin: str | None = ""
) -> Iterator[ClientConnection]:
    """Open the socket as a page of the platform, or of another origin, would."""
    browser = client_of(member) if member is not None else Client()
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    with connect(
        f"{server.url.replace('http', 'ws')}/ws/v1/inbox/",
        additional_headers={"Cookie": cookie} if cookie else {},
        origin=server.url if origin == "" else origin,  # type: ignore[arg-type]  # any text, also a wrong one
        proxy=None,
    ) as socket:
        yield socket


def test_counts_come_at_once_and_when_they_change(server: ServerProcess, acme: Customer, ann: Membership) -> None:
    with counts_for(server, ann) as socket:
        assert message(socket) == {"counts": NOTHING}
        task = a_task(acme.tenant, candidate_groups=["finance"])
        assert message(socket) == {"counts": {**NOTHING, "groups": 1}}
        claim_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id)
        assert message(socket) == {"counts": {**NOTHING, "mine": 1}}


def test_what_changes_for_others_is_not_told(
    server: ServerProcess, acme: Customer, globex: Customer, ann: Membership, gus: Membership
) -> None:
    with counts_for(server, gus) as socket:
        assert message(socket) == {"counts": NOTHING}
        a_task(acme.tenant)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=6)


def test_who_is_not_signed_in_is_told_nothing(server: ServerProcess, acme: Customer) -> None:
    with counts_for(server, None) as socket:
        assert until_closed(socket) == ([], 4401)


@pytest.mark.parametrize("origin", ["https://evil.test", "http://127.0.0.1:1", "null", None])
def test_pages_of_other_origins_are_not_let_in(
    server: ServerProcess, acme: Customer, ann: Membership, origin: str | None
) -> None:
    with pytest.raises(InvalidStatus), counts_for(server, ann, origin=origin):
        pass


def test_who_is_deactivated_is_closed_out_within_five_seconds(
    server: ServerProcess, acme: Customer, ann: Membership
) -> None:
    with counts_for(server, ann) as socket:
        message(socket)
        with tenant_scope(acme.tenant.id):
            Membership.objects.filter(id=ann.id).update(deactivated_at=timezone.now())
        began = time.monotonic()
        assert until_closed(socket) == ([], 4401)
        assert time.monotonic() - began < 5


def test_who_signs_out_is_closed_out(server: ServerProcess, acme: Customer) -> None:
    member = a_member(acme.tenant, "ann")
    browser = client_of(member)
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    with connect(
        f"{server.url.replace('http', 'ws')}/ws/v1/inbox/",
        additional_headers={"Cookie": cookie},
        origin=server.url,  # type: ignore[arg-type]  # a text
        proxy=None,
    ) as socket:
        message(socket)
        browser.logout()
        assert until_closed(socket) == ([], 4401)


def test_a_page_has_nothing_to_say(server: ServerProcess, acme: Customer, ann: Membership) -> None:
    with counts_for(server, ann) as socket:
        message(socket)
        socket.send("anything")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4400
