"""Reader of invoices in the columns of the Online Retail data set; money is exact, in whole cents."""

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
UNKNOWN_CUSTOMER = "unknown"
INVOICE_NO = re.compile(r"[A-Z]?[0-9]{1,20}")
CUSTOMER_ID = re.compile(r"([0-9]{1,20})(?:\.0)?")
LARGEST_NUMBER = Decimal(10**9)


class InvoiceFileRefused(ValueError):
    """The file is not a list of invoices the shop could answer from; the text says what is wrong, and in which line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice or of a cancellation; the customer's id is `unknown` where the file gives none."""

    invoice_no: str
    stock_code: str
    description: str
    quantity: int
    invoiced_at: str
    unit_price: Decimal
    customer_id: str
    country: str

    @property
    def is_cancellation(self) -> bool:
        """Whether the line belongs to a cancellation."""
        return self.invoice_no.startswith("C")

    @property
    def amount_cents(self) -> int:
        """Quantity times price to the nearest cent, halves away from zero; negative for goods that came back."""
        return int((self.quantity * self.unit_price * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))

    def as_json(self) -> dict[str, Any]:
        """Give the line as the shop answers it; the price as text, since it may have more digits than cents."""
        return {
            "stock_code": self.stock_code,
            "description": self.description,
            "quantity": self.quantity,
            "unit_price": str(self.unit_price),
            "amount_cents": self.amount_cents,
        }


class InvoiceBook:
    """All invoices of one file, by number and by customer; never changed after it is made."""

    def __init__(self, lines: list[Line]) -> None:
        self._by_invoice: dict[str, list[Line]] = defaultdict(list)
        self._by_customer: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            self._by_invoice[line.invoice_no].append(line)
            self._by_customer[line.customer_id].append(line)

    @property
    def cancellations(self) -> list[str]:
        """The numbers of the cancellations, in the file's order."""
        return [number for number in self._by_invoice if number.startswith("C")]

    @property
    def line_count(self) -> int:
        """Number of lines the file has."""
        return sum(map(len, self._by_invoice.values()))

    def invoice(self, invoice_no: str) -> dict[str, Any] | None:
        """Give an invoice or a cancellation with its lines; None when the file has no such number."""
        lines = self._by_invoice.get(invoice_no)
        if lines is None:
            return None
        return {
            "invoice_no": invoice_no,
            "customer_id": lines[0].customer_id,
            "country": lines[0].country,
            "invoiced_at": lines[0].invoiced_at,
            "cancellation": lines[0].is_cancellation,
            "lines": [line.as_json() for line in lines],
        }

    def history(self, customer_id: str) -> dict[str, Any] | None:
        """Sum up everything the file knows of a customer; None when it knows no such customer.

        Bought is the sum over all lines of invoices, returned the sum over all lines of cancellations, turned
        positive. The return rate is returned / bought, and 0 where nothing was bought: there is nothing to compare
        with. Sales over the counter share no customer, so the history of `unknown` is empty.
        """
        if customer_id == UNKNOWN_CUSTOMER:
            return _history(customer_id, [])
        lines = self._by_customer.get(customer_id)
        return None if lines is None else _history(customer_id, lines)


def _history(customer_id: str, lines: list[Line]) -> dict[str, Any]:
    amounts: dict[str, int] = defaultdict(int)
    for line in lines:
        amounts[line.invoice_no] += line.amount_cents
    purchased = sum(cents for number, cents in amounts.items() if not number.startswith("C"))
    returned = -sum(cents for number, cents in amounts.items() if number.startswith("C"))
    return {
        "customer_id": customer_id,
        "purchased_cents": purchased,
        "returned_cents": returned,
        "return_rate": returned / purchased if purchased > 0 else 0.0,
        "invoices": [{"invoice_no": number, "amount_cents": cents} for number, cents in amounts.items()],
    }


def read_invoices(path: Path) -> InvoiceBook:
    """Read a file of invoices.

    Raises:
        InvoiceFileRefused: The file cannot be read, lacks a column, has a line that makes no sense, or has no
            cancellation.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            book = InvoiceBook(_lines(csv.DictReader(file, strict=True)))
    except OSError as error:
        raise InvoiceFileRefused(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvoiceFileRefused(f"{path} is not UTF-8 text") from error
    except csv.Error as error:
        raise InvoiceFileRefused(f"{path} is not a CSV file: {error}") from error
    except ValueError as error:
        raise InvoiceFileRefused(f"{path}: {error}") from error
    if not book.cancellations:
        raise InvoiceFileRefused(f"{path} has no cancellation: no InvoiceNo begins with C")
    return book


def _lines(reader: "csv.DictReader[str]") -> list[Line]:
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the first line does not name the column {missing[0]}; needed are {', '.join(COLUMNS)}")
    customers: dict[str, str] = {}
    lines = []
    for row in reader:
        try:
            line = _line(row)
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
        if customers.setdefault(line.invoice_no, line.customer_id) != line.customer_id:
            raise ValueError(f"line {reader.line_num}: invoice {line.invoice_no} names a second customer")
        lines.append(line)
    return lines


def _line(row: dict[str, str]) -> Line:
    if None in row or None in row.values():
        raise ValueError("it has not as many fields as the first line")
    fields = {column: row[column].strip() for column in COLUMNS}
    if not INVOICE_NO.fullmatch(fields["InvoiceNo"]):
        raise ValueError(f"InvoiceNo {fields['InvoiceNo']!r} is no invoice number")
    customer = CUSTOMER_ID.fullmatch(fields["CustomerID"])
    if fields["CustomerID"] and customer is None:
        raise ValueError(f"CustomerID {fields['CustomerID']!r} is not a number")
    quantity = _number("Quantity", fields["Quantity"])
    if quantity != quantity.to_integral_value():
        raise ValueError(f"Quantity {fields['Quantity']!r} is not a whole number")
    price = _number("UnitPrice", fields["UnitPrice"])
    if fields["InvoiceNo"].startswith("C") and (quantity >= 0 or price < 0):
        raise ValueError(f"cancellation {fields['InvoiceNo']} needs a negative Quantity and no negative UnitPrice")
    return Line(
        invoice_no=fields["InvoiceNo"],
        stock_code=fields["StockCode"],
        description=fields["Description"],
        quantity=int(quantity),
        invoiced_at=fields["InvoiceDate"],
        unit_price=price,
        customer_id=customer[1] if customer else UNKNOWN_CUSTOMER,
        country=fields["Country"],
    )


def _number(column: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{column} {text!r} is not a number") from None
    if not number.is_finite() or abs(number) > LARGEST_NUMBER:
        raise ValueError(f"{column} {text!r} is out of bounds")
    return number
