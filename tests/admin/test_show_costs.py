"""What models cost by tenant: a chart, a table whose lines lead to their rows, and CSV."""

import csv
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from runs.usage.costs_page import BAR_ROOM, HEIGHT, bars
from tests.support.console import World

COSTS = "/admin/runs/usageday/costs/"


def test_the_dearest_day_is_as_high_as_the_chart_and_others_in_proportion() -> None:
    first = date(2026, 12, 1)
    drawn = bars({first: Decimal(4), date(2026, 12, 3): Decimal(1)}, first, 4)
    assert [bar.height for bar in drawn] == [HEIGHT, 0, HEIGHT / 4, 0]
    assert drawn[3].x + drawn[3].width <= BAR_ROOM
    assert {bar.height for bar in bars({}, first, 7)} == {0}


def test_a_table_of_tenants_leads_to_what_it_sums_up(console: Client, acme_world: World, globex_world: World) -> None:
    answer = console.get(COSTS)
    lines = answer.context["tenants"]
    assert [(line.tenant, line.calls, line.share) for line in lines] == [
        ("Acme (acme)", 12, "50.0 %"),
        ("Globex (globex)", 12, "50.0 %"),
    ]
    assert answer.text.count("<title>20") == 30, "a bar for each day"
    listed = console.get(lines[0].address).context["lines"][-1]
    assert listed.calls == 12


def test_the_same_as_csv(console: Client, acme_world: World, globex_world: World) -> None:
    answer = console.get(COSTS, {"days": "7", "format": "csv"})
    assert answer["Content-Type"].startswith("text/csv")
    head, *lines = csv.reader(answer.text.splitlines())
    assert head == ["day", "tenant", "calls", "input_tokens", "output_tokens", "cost_usd"]
    assert [(line[1], line[2], Decimal(line[5])) for line in lines] == [
        ("acme", "12", Decimal(1)),
        ("globex", "12", Decimal(1)),
    ]


@pytest.mark.parametrize("days", ["8", "x", "-1", "9" * 50])
def test_a_span_that_is_none_counts_as_thirty_days(console: Client, days: str) -> None:
    assert console.get(COSTS, {"days": days}).context["days"] == 30
