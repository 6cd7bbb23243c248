"""The independent check says from the CSV alone what the ledger must hold, and finds every difference."""

from pathlib import Path

import pytest

from examples.return_desk.generate import SAMPLE
from examples.return_desk.invoices import read_invoices
from examples.return_desk.recompute import Verdict, differences, recompute

HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
VERDICT = Verdict(refunded={"C1": 510, "C2": 20}, approved={"C4": 6000}, declined={"C3": 9000})


def row(number: str, quantity: int, price: str, customer: str) -> str:
    return f"{number},7,TRAY,{quantity},2024-03-04 09:00:00,{price},{customer},France\n"


def verdict_of(folder: Path, *rows: str) -> Verdict:
    path = folder / "day.csv"
    path.write_text(HEAD + "".join(rows))
    return recompute(path)


def booked(number: str, cents: int) -> dict[str, object]:
    return {"invoice_no": number, "amount_cents": cents}


APPROVED = booked("C4", 6000)


def test_a_small_return_of_a_good_customer_is_refunded(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, row("1", 10, "10.0", "5.0"), row("C2", -2, "2.55", "5.0"))
    assert (verdict.refunded, verdict.approved, verdict.declined, verdict.paid_cents) == ({"C2": 510}, {}, {}, 510)


@pytest.mark.parametrize(("price", "is_large"), [("50.0", False), ("50.01", True)])
def test_a_refund_is_large_only_over_50(tmp_path: Path, price: str, is_large: bool) -> None:
    verdict = verdict_of(tmp_path, row("1", 1, "900.0", "5.0"), row("C2", -1, price, "5.0"))
    assert ("C2" in verdict.approved) is is_large
    assert "C2" in verdict.paid, "a person agrees to a large refund of a good customer"


@pytest.mark.parametrize(("price", "is_high"), [("20.0", False), ("20.01", True)])
def test_a_return_rate_is_high_only_over_a_fifth(tmp_path: Path, price: str, is_high: bool) -> None:
    verdict = verdict_of(tmp_path, row("1", 1, "100.0", "5.0"), row("C2", -1, price, "5.0"))
    assert ("C2" in verdict.declined) is is_high


def test_a_later_return_of_the_same_customer_counts_for_the_earlier_one(tmp_path: Path) -> None:
    bought = row("1", 1, "100.0", "5.0")
    verdict = verdict_of(tmp_path, bought, row("C2", -1, "15.0", "5.0"), row("C3", -1, "15.0", "5.0"))
    assert verdict.declined == {"C2": 1500, "C3": 1500}


@pytest.mark.parametrize("customer", ["5.0", ""])
def test_without_a_known_purchase_the_amount_alone_decides(tmp_path: Path, customer: str) -> None:
    verdict = verdict_of(tmp_path, row("C1", -1, "50.0", customer), row("C2", -1, "60.0", customer))
    assert (verdict.refunded, verdict.approved) == ({"C1": 5000}, {"C2": 6000})


def test_sales_over_the_counter_are_nobodys_history(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, row("1", 1, "1.0", ""), row("C2", -1, "40.0", ""))
    assert verdict.refunded == {"C2": 4000}


def test_agrees_with_what_the_shop_answers_for_the_sample() -> None:
    verdict, book = recompute(SAMPLE), read_invoices(SAMPLE)
    refunded, approved = {}, {}
    for number in book.cancellations:
        invoice = book.invoice(number)
        assert invoice is not None
        history = book.history(invoice["customer_id"])
        assert history is not None
        cents = -sum(line["amount_cents"] for line in invoice["lines"])
        if history["return_rate"] <= 0.2:
            (refunded if cents <= 5000 else approved)[number] = cents
    assert (verdict.refunded, verdict.approved) == (refunded, approved)
    assert set(verdict.declined) == set(book.cancellations) - set(refunded) - set(approved)


def test_an_equal_ledger_has_no_differences() -> None:
    assert differences(VERDICT, [booked("C2", 20), booked("C1", 510), booked("C4", 6000)]) == []


@pytest.mark.parametrize(
    ("ledger", "sentence"),
    [
        ([booked("C1", 510), APPROVED], "C2 was not refunded"),
        ([booked("C1", 510), booked("C2", 20)], "C4 was not refunded"),
        ([booked("C1", 510), booked("C2", 20), booked("C2", 20), APPROVED], "C2 was refunded 2 times"),
        ([booked("C1", 511), booked("C2", 20), APPROVED], "C1 was refunded with 511 cents instead of 510"),
        (
            [booked("C1", 510), booked("C2", 20), APPROVED, booked("C3", 9000)],
            "C3 was refunded and should not have been",
        ),
    ],
)
def test_every_difference_is_a_sentence(ledger: list[dict[str, object]], sentence: str) -> None:
    assert differences(VERDICT, ledger) == [sentence]


def test_shares_no_code_with_the_platform_nor_with_the_shop() -> None:
    source = Path(recompute.__code__.co_filename).read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported == {"argparse", "collections", "csv", "dataclasses", "fractions", "pathlib"}
