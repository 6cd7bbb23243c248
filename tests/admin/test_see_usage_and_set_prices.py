"""What the operator sees of usage, and does about prices and budgets."""

from decimal import Decimal

from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.models import ModelPrice
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.console import World

PRICES = reverse("admin:runs_modelprice_changelist")
USAGE = reverse("admin:runs_usageday_changelist")
PRICE = {"provider": "openai", "model": "gpt-5*", "input_per_million": "1.25", "output_per_million": "10"}


def entry_of(action: str) -> Entry:
    with unscoped("looking at what was written"):
        return Entry.objects.get(action=action)


def test_usage_of_a_day_is_one_row_whoever_counted_it(console: Client, acme_world: World, globex_world: World) -> None:
    page = console.get(USAGE)
    assert page.context["cl"].result_count == 2
    row = page.context["cl"].queryset.get(tenant=acme_world.tenant)
    assert (row.sum_calls, row.sum_input_tokens, row.sum_cost) == (12, 2000, Decimal(1))
    lines = [(line.model, line.calls, line.dollars) for line in page.context["lines"]]
    assert lines == [("model-of-acme", 12, "1"), ("model-of-globex", 12, "1"), ("all", 24, "2")]
    assert "model-of-globex" in page.text


def test_the_summary_is_of_the_rows_the_filters_leave(console: Client, acme_world: World, globex_world: World) -> None:
    page = console.get(USAGE, {"tenant__id__exact": acme_world.tenant.pk})
    assert [line.model for line in page.context["lines"]] == ["model-of-acme", "all"]
    tomorrow = utc_now().date().replace(year=utc_now().year + 1)
    assert console.get(USAGE, {"day_from": str(tomorrow)}).context["lines"] == []


def test_an_entry_is_found_by_its_run_and_by_the_provider_s_name_of_the_call(
    console: Client, acme_world: World, globex_world: World
) -> None:
    entries = reverse("admin:runs_usageentry_changelist")
    found = {term: console.get(entries, {"q": term}).context["cl"].result_count for term in ("r-1", "r-2")}
    assert found == {"r-1": 2, "r-2": 0}
    assert console.get(entries, {"q": str(acme_world.run.id)}).context["cl"].result_count == 1


def test_a_price_is_entered_once_and_never_changed(console: Client, acme_world: World) -> None:
    now = {"valid_from_0": "2026-01-01", "valid_from_1": "00:00:00"}
    add = reverse("admin:runs_modelprice_add")
    assert console.post(add, {**PRICE, **now}).status_code == 302
    made = _price("gpt-5*")
    assert (made.tenant_id, made.input_per_million) == (None, Decimal("1.25"))
    assert entry_of("model_price.created").after["model"] == "gpt-5*"
    assert console.post(add, {**PRICE, **now}).status_code == 200, "the same version twice is refused"
    change = reverse("admin:runs_modelprice_change", args=[made.pk])
    assert console.post(change, {**PRICE, "input_per_million": "9"}).status_code == 403
    for wrong in ({"model": "gpt-*-mini"}, {"model": "*"}, {"input_per_million": "-1"}):
        assert console.post(add, {**PRICE, **now, **wrong}).status_code == 200


def test_the_newest_version_that_has_begun_holds(console: Client) -> None:
    with unscoped("an operator enters prices"):
        for year in (2020, 2021, 2999):
            day = utc_now().replace(year=year, month=1, day=1)
            ModelPrice.objects.create(
                provider="openai", model="m", input_per_million=1, output_per_million=1, valid_from=day
            )
    page = console.get(PRICES)
    assert page.text.count("holds") - page.context["cl"].model_admin.list_help.count("holds") >= 1
    with unscoped("tests look everywhere"):
        states = [page.context["cl"].model_admin.state(row) for row in ModelPrice.objects.order_by("valid_from")]
    assert states == ["replaced", "holds", "later"]


def test_budgets_are_set_on_the_tenant_s_page_and_told_to_the_audit(console: Client, acme: Customer) -> None:
    address = reverse("admin:tenants_tenant_change", args=[acme.tenant.pk])
    form = {"name": "Acme", "is_active": "on", "weight": "1"}
    budgets = {
        "run_token_budget": "1000",
        "run_cost_budget": "0.5",
        "daily_token_budget": "",
        "daily_cost_budget": "20",
    }
    assert console.post(address, {**form, **budgets}).status_code == 302
    tenant = Tenant.objects.get(id=acme.tenant.pk)
    assert (tenant.run_token_budget, tenant.run_cost_budget) == (1000, Decimal("0.5"))
    assert (tenant.daily_token_budget, tenant.daily_cost_budget) == (None, Decimal(20))
    assert entry_of("tenant.changed").after["daily_cost_budget"] == "20"
    assert console.post(address, {**form, "daily_cost_budget": "-1"}).status_code == 200
    assert "Empty: no limit" in console.get(address).text


def _price(model: str) -> ModelPrice:
    with unscoped("tests look everywhere"):
        return ModelPrice.objects.get(model=model)
