"""The shop's refund ledger: one booking an idempotency key."""

import threading
from dataclasses import dataclass


class KeyUsedForAnotherRefund(ValueError):
    """The idempotency key already stands for a different refund."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """A refund that a caller asks for; the amount is in cents."""

    invoice_no: str
    customer_id: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Refund:
    """A booking; its number counts from 1."""

    number: int
    key: str
    order: RefundOrder

    def as_json(self) -> dict[str, object]:
        """Give the booking as the shop answers it."""
        return {
            "refund_no": f"R{self.number:05}",
            "invoice_no": self.order.invoice_no,
            "customer_id": self.order.customer_id,
            "amount_cents": self.order.amount_cents,
        }


class Ledger:
    """Keeps refunds; safe to call from many threads.

    Two keys are two refunds, even for one invoice: the ledger relies on its callers' keys alone, so that a caller who
    pays twice is seen in its sum.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refunds: dict[str, Refund] = {}
        self._repeats = 0

    def book(self, *, key: str, order: RefundOrder) -> tuple[Refund, bool]:
        """Book a refund, or give the first booking again when its key was seen.

        Returns:
            The booking, and whether it is new.

        Raises:
            KeyUsedForAnotherRefund: The key was seen with another order; nothing is booked.
        """
        with self._lock:
            known = self._refunds.get(key)
            if known is None:
                refund = Refund(number=len(self._refunds) + 1, key=key, order=order)
                self._refunds[key] = refund
                return refund, True
            if known.order != order:
                raise KeyUsedForAnotherRefund(f"this key stands for the refund of {known.order.invoice_no}")
            self._repeats += 1
            return known, False

    def statement(self) -> dict[str, object]:
        """Give all bookings, their sum in cents, and how many orders came again with a known key."""
        with self._lock:
            refunds = list(self._refunds.values())
            repeats = self._repeats
        return {
            "refunds": [refund.as_json() for refund in refunds],
            "count": len(refunds),
            "total_cents": sum(refund.order.amount_cents for refund in refunds),
            "repeats": repeats,
        }
