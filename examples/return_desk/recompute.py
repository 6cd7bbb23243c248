"""Independent computation of the refund ledger, from the CSV alone.

The independent check of the demo: it shares no code with the platform nor with the shop, and reckons in exact
fractions of a cent where the platform reckons in integers and floats.

    python -m examples.return_desk.recompute examples/return_desk/sample.csv
"""

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

LARGE_REFUND_CENTS = 5000
HIGH_RETURN_RATE = Fraction(1, 5)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The required results of the cancellations, in the file's order; amounts are in cents.

    Attributes:
        refunded: At once.
        approved: Refunded once a person has agreed.
        declined: A person has to decide, and does not agree.
    """

    refunded: dict[str, int]
    approved: dict[str, int]
    declined: dict[str, int]

    @property
    def paid(self) -> dict[str, int]:
        """All the ledger must show."""
        return {**self.refunded, **self.approved}

    @property
    def paid_cents(self) -> int:
        """The sum the ledger must show."""
        return sum(self.paid.values())


def recompute(data: Path) -> Verdict:
    """Decide every cancellation of a file of invoices.

    A line counts quantity x price, to the nearest cent, halves away from zero. A refund is large over 50.00. A
    customer's return rate is what came back divided by what was bought, over the whole file; where nothing was
    bought, or the line names no customer, there is no rate and the amount alone decides. What is large, or of a
    customer with a high rate, is for a person to decide, who declines where the rate is high.
    """
    amounts: dict[str, int] = defaultdict(int)
    customers: dict[str, str] = {}
    bought: Counter[str] = Counter()
    returned: Counter[str] = Counter()
    with data.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            number, customer = row["InvoiceNo"].strip(), row["CustomerID"].strip()
            cents = _to_cent(Fraction(row["Quantity"].strip()) * Fraction(row["UnitPrice"].strip()))
            if number.startswith("C"):
                amounts[number] -= cents
                customers[number] = customer
                returned[customer] -= cents
            else:
                bought[customer] += cents
    verdict = Verdict(refunded={}, approved={}, declined={})
    for number, cents in amounts.items():
        customer = customers[number]
        known = customer != "" and bought[customer] > 0
        often = known and Fraction(returned[customer], bought[customer]) > HIGH_RETURN_RATE
        if often:
            verdict.declined[number] = cents
        elif cents > LARGE_REFUND_CENTS:
            verdict.approved[number] = cents
        else:
            verdict.refunded[number] = cents
    return verdict


def differences(verdict: Verdict, ledger: Iterable[Mapping[str, object]]) -> list[str]:
    """Compare the refunds a ledger lists with the verdict; an empty list means equal, each exactly once.

    Args:
        verdict: What must be there.
        ledger: The booked refunds, each with `invoice_no` and `amount_cents`.

    Returns:
        One sentence a difference.
    """
    booked: dict[str, list[object]] = defaultdict(list)
    for refund in ledger:
        booked[str(refund["invoice_no"])].append(refund["amount_cents"])
    found = [f"{number} was not refunded" for number in verdict.paid if number not in booked]
    for number, amounts in booked.items():
        expected = verdict.paid.get(number)
        if expected is None:
            found.append(f"{number} was refunded and should not have been")
        elif len(amounts) > 1:
            found.append(f"{number} was refunded {len(amounts)} times")
        elif amounts != [expected]:
            found.append(f"{number} was refunded with {amounts[0]} cents instead of {expected}")
    return found


def _to_cent(amount: Fraction) -> int:
    magnitude = int(abs(amount) * 100 + Fraction(1, 2))
    return magnitude if amount >= 0 else -magnitude


def main() -> None:
    """Print what must be refunded, what declined, and the sums."""
    parser = argparse.ArgumentParser(description="Say, from the CSV alone, what the refund ledger must hold.")
    parser.add_argument("data", type=Path, help="a file of invoices")
    verdict = recompute(parser.parse_args().data)
    for number, cents in verdict.paid.items():
        print(f"{number:>10} {cents / 100:>12,.2f}")
    for name in ("refunded", "approved", "declined"):
        pile = getattr(verdict, name)
        print(f"{name + ':':<9} {len(pile)} cancellations, {sum(pile.values()) / 100:,.2f}")


if __name__ == "__main__":
    main()
