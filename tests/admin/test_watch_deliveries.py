"""Deliveries in the console: found, read with every try, sent again; and the secrets that sign them, shown once."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from foundation.scope import unscoped
from runs.models import Delivery
from tenants.models import CallbackSecret
from tests.support.console import World, a_delivery

LIST = reverse("admin:runs_delivery_changelist")


def delivery_of(world: World) -> Delivery:
    with unscoped("looking at what was written"):
        return Delivery.objects.get(run=world.run)


def test_a_delivery_is_found_by_its_webhook_id_its_run_and_its_host(
    console: Client, acme_world: World, globex_world: World
) -> None:
    wanted, other = delivery_of(acme_world), delivery_of(globex_world)
    for query in (
        {"q": wanted.webhook_id},
        {"q": str(wanted.run_id)},
        {"q": str(wanted.id)},
        {"host__icontains": "hooks-of-acme"},
    ):
        page = console.get(LIST, query).text
        assert wanted.webhook_id in page, query
        assert other.webhook_id not in page, query
    assert wanted.webhook_id not in console.get(LIST, {"status__exact": "delivered"}).text


def test_every_try_is_shown_below_a_delivery_as_text(console: Client, acme_world: World) -> None:
    page = console.get(reverse("admin:runs_delivery_change", args=[delivery_of(acme_world).pk])).text
    assert "Tries (1)" in page
    assert "&lt;b&gt;answered&lt;/b&gt;" in page


def test_what_is_under_way_is_counted_and_left_alone(console: Client, acme_world: World) -> None:
    busy = a_delivery(acme_world.run, status="pending", seq=2, is_claimed=True)
    waiting = a_delivery(acme_world.run, status="pending", seq=3)
    ids = [str(row.pk) for row in (delivery_of_run_end(acme_world), busy, waiting)]
    asked = {"action": "redeliver_deliveries", ACTION_CHECKBOX_NAME: ids}
    counts = dict(console.post(LIST, {**asked, "index": "0"}).context["question"].counts)
    assert counts == {
        "will be sent again": 2,
        "under way already, left alone": 1,
        "of them exhausted": 1,
        "of them pending": 1,
    }
    console.post(LIST, {**asked, "confirmed": "1", "reason": "mended"})
    with unscoped("looking at what was written"):
        assert Delivery.objects.get(id=busy.id).tries == 10
        assert set(Delivery.objects.exclude(id=busy.id).values_list("tries", "status")) == {(0, "pending")}


def delivery_of_run_end(world: World) -> Delivery:
    with unscoped("looking at what was written"):
        return Delivery.objects.get(run=world.run, seq=1)


def test_sending_again_needs_a_reason(console: Client, acme_world: World) -> None:
    asked = {"action": "redeliver_deliveries", ACTION_CHECKBOX_NAME: [str(delivery_of(acme_world).pk)]}
    answer = console.post(LIST, {**asked, "confirmed": "1", "reason": " "})
    assert "required" in answer.text
    assert delivery_of(acme_world).status == "exhausted"


@pytest.mark.parametrize("had_one", [False, True])
def test_a_new_callback_secret_is_shown_in_the_answer_only(console: Client, acme_world: World, had_one: bool) -> None:
    address = reverse("admin:tenants_tenant_changelist")
    asked = {"action": "rotate_callback_secrets", ACTION_CHECKBOX_NAME: [str(acme_world.tenant.pk)], "confirmed": "1"}
    if had_one:
        console.post(address, asked)
    answer = console.post(address, asked)
    text = answer.context["made"][0][1].text
    assert text.startswith("whsec_")
    assert text in answer.text
    with unscoped("looking at what was written"):
        row = CallbackSecret.objects.get()
    assert text not in row.secret
    for page in (address, reverse("admin:tenants_tenant_change", args=[acme_world.tenant.pk])):
        assert text not in console.get(page).text
