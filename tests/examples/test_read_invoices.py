"""A file of invoices is read exactly, or refused in a sentence that names the line."""

from pathlib import Path

import pytest

from examples.return_desk.invoices import InvoiceFileRefused, read_invoices

HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
GOOD = "C1,7A,TRAY,-2,2024-03-04 09:00:00,2.55,17850.0,France\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "day.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("quantity", "price", "cents"),
    [
        ("-1", "1.005", -101),  # a float would say 100.49999
        ("-3", "0.001", 0),
        ("-5", "0.001", -1),
        ("-1", "4.35", -435),  # a float would say 434.99999
        ("-80995", "2.08", -16846960),
        ("-1.0", "2", -200),
    ],
)
def test_a_line_counts_to_the_nearest_cent_halves_away_from_zero(
    tmp_path: Path, quantity: str, price: str, cents: int
) -> None:
    row = GOOD.replace(",-2,", f",{quantity},").replace("2.55", price)
    invoice = read_invoices(written(tmp_path, HEAD + row)).invoice("C1")
    assert invoice is not None
    assert [line["amount_cents"] for line in invoice["lines"]] == [cents]


@pytest.mark.parametrize(("written_as", "read_as"), [("17850.0", "17850"), ("17850", "17850"), ("", "unknown")])
def test_a_customers_id_is_read_in_each_spelling(tmp_path: Path, written_as: str, read_as: str) -> None:
    invoice = read_invoices(written(tmp_path, HEAD + GOOD.replace("17850.0", written_as))).invoice("C1")
    assert invoice is not None
    assert invoice["customer_id"] == read_as


def test_equal_lines_all_count(tmp_path: Path) -> None:
    history = read_invoices(written(tmp_path, HEAD + GOOD + GOOD)).history("17850")
    assert history is not None
    assert history["returned_cents"] == 1020


def test_a_byte_order_mark_and_carriage_returns_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + (HEAD + GOOD).replace("\n", "\r\n")
    assert read_invoices(written(tmp_path, text)).cancellations == ["C1"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not name the column InvoiceNo"),
        (HEAD, "has no cancellation"),
        (HEAD.replace(",UnitPrice", ""), "does not name the column UnitPrice"),
        (HEAD + GOOD.replace(",France", ""), "line 2: it has not as many fields"),
        (HEAD + GOOD.replace("France", "France,1"), "line 2: it has not as many fields"),
        (HEAD + GOOD + GOOD.replace("-2", "two"), "line 3: Quantity 'two' is not a number"),
        (HEAD + GOOD.replace("-2", "-2.5"), "line 2: Quantity '-2.5' is not a whole number"),
        (HEAD + GOOD.replace("-2", "2"), "line 2: cancellation C1 needs a negative Quantity"),
        (HEAD + GOOD.replace("2.55", "-2.55"), "line 2: cancellation C1 needs a negative Quantity"),
        (HEAD + GOOD.replace("2.55", "NaN"), "line 2: UnitPrice 'NaN' is out of bounds"),
        (HEAD + GOOD.replace("2.55", "1e99"), "line 2: UnitPrice '1e99' is out of bounds"),
        (HEAD + GOOD.replace("2.55", ""), "line 2: UnitPrice '' is not a number"),
        (HEAD + GOOD.replace("C1", "C1/.."), "line 2: InvoiceNo 'C1/..' is no invoice number"),
        (HEAD + GOOD.replace("17850.0", "Ann"), "line 2: CustomerID 'Ann' is not a number"),
        (HEAD + GOOD + GOOD.replace("17850", "17851"), "line 3: invoice C1 names a second customer"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (HEAD + 'C1,"7A', "is not a CSV file"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_a_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    assert read_invoices(written(tmp_path, HEAD + GOOD)).cancellations == ["C1"]
    with pytest.raises(InvoiceFileRefused, match=sentence):
        read_invoices(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvoiceFileRefused, match="cannot be read: No such file"):
        read_invoices(tmp_path / "absent.csv")
