"""Generator of the return desk's sample of invoices: the same seed gives the same bytes.

Products, prices and customers are invented; the columns and spellings are those of the public Online Retail data set.

    python -m examples.return_desk.generate            # rewrites sample.csv
"""

import csv
import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

SAMPLE = Path(__file__).with_name("sample.csv")
SEED = 20240304
COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
DOCUMENTS = 150
FIRST_CANCELLATION_AT = 18
CANCELLATION_EVERY = 4
OPENING = datetime(2024, 3, 4, 8, 0)  # noqa: DTZ001 - the data set gives the shop's wall clock without a zone
FINISHES = ("BIRCH", "COPPER", "LINEN", "FROSTED", "WOVEN", "ENAMEL", "CORK", "SPECKLED", "OAK", "MOSS GREEN")
THINGS = (
    "EGG TIMER",
    "PEN TRAY",
    "BIRD FEEDER",
    "TEA CADDY",
    "NAPKIN RING, SET OF 4",
    'PICTURE FRAME 8" TALL',
    "DOOR WEDGE",
    "CANDLE SNUFFER",
    "SEED BOX",
)
COUNTRIES = ("United Kingdom", "United Kingdom", "United Kingdom", "France", "Germany", "Portugal")
STRANGERS = ("30901.0", "30902.0", "30903.0", "30904.0")
Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Product:
    """Something the shop sells; the price is in cents."""

    stock_code: str
    description: str
    price_cents: int


@dataclass(frozen=True, slots=True)
class Customer:
    """A buyer as the file shows one; the id is empty for a sale over the counter."""

    customer_id: str
    country: str


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice, or a cancellation when its lines have negative quantities."""

    customer: Customer
    lines: tuple[tuple[Product, int], ...]

    @property
    def is_cancellation(self) -> bool:
        """Whether goods came back."""
        return self.lines[0][1] < 0


class Dice:
    """Draws from `random()` alone, the only call whose sequence Python promises to keep between versions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - invents invoices, guards nothing

    def between(self, low: int, high: int) -> int:
        """Give a whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """Give one of the choices."""
        return choices[self.between(0, len(choices) - 1)]


@dataclass(slots=True)
class Day:
    """One day of trade: what was sold so far decides what can come back."""

    dice: Dice
    products: list[Product]
    customers: list[Customer]
    sold: list[Document] = field(default_factory=list)

    def sale(self) -> Document:
        """Sell some products to a regular customer, at times over the counter without an id."""
        customer = self.dice.pick(self.customers)
        if self.dice.between(1, 9) == 1:
            customer = Customer("", "United Kingdom")
        count = self.dice.between(3, 23)
        lines = tuple((self.dice.pick(self.products), self.dice.between(1, 24)) for _ in range(count))
        document = Document(customer, lines)
        self.sold.append(document)
        return document

    def cancellation(self, number: int) -> Document:
        """Take goods back; the number decides how: a piece or two, whole lines, a whole invoice, or no known sale."""
        kind = number % 6
        if kind == 4:
            return self._unknown_sale(Customer("", "United Kingdom"))
        if kind == 5:
            return self._unknown_sale(Customer(self.dice.pick(STRANGERS), "United Kingdom"))
        sale = self.dice.pick([document for document in self.sold if document.customer.customer_id])
        if kind == 3:
            return Document(sale.customer, tuple((product, -quantity) for product, quantity in sale.lines))
        if kind == 2:
            return Document(sale.customer, tuple((product, -quantity) for product, quantity in sale.lines[:3]))
        product, quantity = self.dice.pick(sale.lines)
        return Document(sale.customer, ((product, -min(quantity, self.dice.between(1, 3))),))

    def _unknown_sale(self, customer: Customer) -> Document:
        count = self.dice.between(1, 3)
        lines = tuple((self.dice.pick(self.products), -self.dice.between(1, 6)) for _ in range(count))
        return Document(customer, lines)


def sample_text(seed: int = SEED) -> str:
    """Give the sample as CSV text, lines ended by a line feed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    at = OPENING
    for number, document in enumerate(_documents(Dice(seed)), start=700_001):
        at += timedelta(minutes=3)
        invoice_no = f"C{number}" if document.is_cancellation else str(number)
        for product, quantity in document.lines:
            writer.writerow(
                (
                    invoice_no,
                    product.stock_code,
                    product.description,
                    quantity,
                    at.isoformat(sep=" "),
                    product.price_cents / 100,
                    document.customer.customer_id,
                    document.customer.country,
                )
            )
    return buffer.getvalue()


def _documents(dice: Dice) -> Iterator[Document]:
    day = Day(dice, list(_products(dice)), [Customer(f"{30101 + n}.0", dice.pick(COUNTRIES)) for n in range(45)])
    cancelled = 0
    for number in range(DOCUMENTS):
        if number >= FIRST_CANCELLATION_AT and number % CANCELLATION_EVERY == 0:
            yield day.cancellation(cancelled)
            cancelled += 1
        else:
            yield day.sale()
    yield from _documents_on_the_edge()


def _products(dice: Dice) -> Iterator[Product]:
    for number, (finish, thing) in enumerate((finish, thing) for finish in FINISHES for thing in THINGS):
        suffix = "AB"[number % 2] if number % 7 == 0 else ""
        yield Product(f"{41001 + number}{suffix}", f"{finish} {thing}", dice.between(19, 895))


def _documents_on_the_edge() -> Iterator[Document]:
    """Give the cases a wrong comparison gets wrong: refunds and return rates on, and a cent past, the limits."""
    chest = Product("42001", "CEDAR CHEST", 5000)
    stool = Product("42002", "MILKING STOOL", 2000)
    cent = Product("42003", "BRASS TACK", 1)
    for customer_id, sold, returned in (
        ("30801.0", ((chest, 5),), ((chest, -1),)),  # exactly 50.00 and exactly a fifth: refunded
        ("30802.0", ((chest, 9),), ((chest, -1), (cent, -1))),  # 50.01: held
        ("30803.0", ((stool, 5),), ((stool, -1), (cent, -1))),  # small, but a cent over a fifth: held
    ):
        customer = Customer(customer_id, "United Kingdom")
        yield Document(customer, sold)
        yield Document(customer, returned)


def main() -> None:
    """Rewrite the sample beside this file."""
    text = sample_text()
    SAMPLE.write_text(text, encoding="utf-8", newline="")
    print(f"{SAMPLE.name}: {text.count(chr(10)) - 1} invoice lines")


if __name__ == "__main__":
    main()
