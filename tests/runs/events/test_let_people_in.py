"""Streams of people: a member's ticket stands for them, and for as long as they are a member."""

import time

import pytest

from foundation.scope import unscoped
from runs.events.tickets import issue_ticket, use_ticket
from tenants.errors import KeyRefused
from tenants.members.services import deactivate_member
from tenants.models import Membership, Tenant, User
from tenants.types import Caller
from tests.conftest import Customer
from tests.support.live_runs import LiveRun
from tests.support.server import ServerProcess
from tests.support.streams import message, until_closed, websocket
from tests.support.tasks import make_member

pytestmark = pytest.mark.django_db(transaction=True)


def ticket_of(member: Membership) -> str:
    return issue_ticket(caller=Caller(member.tenant, None, member)).text


def test_a_ticket_of_a_member_stands_for_them(acme: Customer) -> None:
    ann = make_member(acme.tenant, "ann")
    found = use_ticket(text=ticket_of(ann))
    assert (found.member, found.api_key, found.actor) == (ann, None, f"member:{ann.id}")
    assert found.scopes == ["runs:read", "tasks:read", "tasks:write"]


@pytest.mark.parametrize("gone", ["user", "tenant", "membership"])
def test_a_ticket_is_worth_nothing_once_its_member_is_none(acme: Customer, gone: str) -> None:
    ann = make_member(acme.tenant, "ann")
    first, second = ticket_of(ann), ticket_of(ann)
    assert use_ticket(text=first).member == ann
    if gone == "membership":
        deactivate_member(tenant=acme.tenant, actor="user:1", member_id=ann.id)
    with unscoped("rows for a test"):
        User.objects.filter(id=ann.user_id).update(is_active=gone != "user")
        Tenant.objects.filter(id=ann.tenant_id).update(is_active=gone != "tenant")
    with pytest.raises(KeyRefused):
        use_ticket(text=second)


def test_a_member_s_streams_end_within_thirty_seconds_of_their_rights(
    acme: Customer, globex: Customer, server: ServerProcess
) -> None:
    ann, eve = make_member(acme.tenant, "ann"), make_member(acme.tenant, "eve")
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    path = f"/ws/v1/runs/{run.id}/?ticket="
    with (
        websocket(server, path + ticket_of(ann)) as hers,
        websocket(server, path + ticket_of(eve)) as other,
    ):
        assert message(hers)["seq"] == message(other)["seq"] == 1
        deactivate_member(tenant=acme.tenant, actor="user:1", member_id=ann.id)
        began = time.monotonic()
        told, code = until_closed(hers)
        assert time.monotonic() - began < 30
        assert (code, told[-1]["code"]) == (4401, "KEY_REFUSED")
        run.write("segment.completed")
        found, code = until_closed(other)
        assert (found[-1]["event_type"], code) == ("segment.completed", 1000), "other members' go on"
    foreign = make_member(globex.tenant, "gil")
    with websocket(server, path + ticket_of(foreign)) as socket:
        told, code = until_closed(socket)
    assert (told[0]["code"], code) == ("RUN_NOT_FOUND", 4404)
