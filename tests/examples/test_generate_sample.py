"""The sample the return desk ships with is what its generator writes."""

import csv
import io
from collections import Counter

from examples.return_desk.generate import COLUMNS, SAMPLE, SEED, sample_text
from examples.return_desk.recompute import recompute

ROWS = list(csv.DictReader(io.StringIO(sample_text())))


def test_the_same_seed_gives_the_shipped_bytes() -> None:
    assert SAMPLE.read_bytes() == sample_text().encode()


def test_another_seed_gives_another_sample() -> None:
    assert sample_text(SEED + 1) != sample_text()


def test_has_the_columns_and_the_size_of_a_small_day() -> None:
    assert tuple(ROWS[0]) == COLUMNS
    assert 1400 <= len(ROWS) <= 1700


def test_cancellations_and_only_they_have_negative_quantities() -> None:
    assert {row["InvoiceNo"][0] == "C" for row in ROWS if int(row["Quantity"]) < 0} == {True}
    assert {row["InvoiceNo"][0] == "C" for row in ROWS if int(row["Quantity"]) > 0} == {False}


def test_holds_between_30_and_40_cancellations_of_every_kind() -> None:
    verdict = recompute(SAMPLE)
    assert 30 <= len(verdict.paid) + len(verdict.declined) <= 40
    assert len(verdict.refunded) >= 12
    assert len(verdict.approved) + len(verdict.declined) >= 12
    assert any(cents <= 5000 for cents in verdict.declined.values()), "declined for the return rate alone"


def test_has_customers_with_several_invoices_and_invoices_without_customer() -> None:
    customer_of = {row["InvoiceNo"]: row["CustomerID"] for row in ROWS}
    assert max(Counter(filter(None, customer_of.values())).values()) >= 4
    assert {number[0] == "C" for number, customer in customer_of.items() if not customer} == {True, False}


def test_holds_refunds_exactly_on_and_a_cent_past_the_limits() -> None:
    verdict = recompute(SAMPLE)
    assert list(verdict.refunded.values())[-1] == 5000
    assert list(verdict.approved.values())[-1] == 5001
    assert list(verdict.declined.values())[-1] == 2001
