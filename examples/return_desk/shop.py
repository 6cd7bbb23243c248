"""The shop: a small HTTP server on loopback that answers from a file of invoices and keeps a refund ledger.

Part of the example, not of the platform, and imports nothing of it.

    python -m examples.return_desk.shop examples/return_desk/sample.csv --port 8100
"""

import argparse
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from examples.return_desk.invoices import InvoiceBook, InvoiceFileRefused, read_invoices
from examples.return_desk.ledger import KeyUsedForAnotherRefund, Ledger, RefundOrder

LARGEST_BODY = 64 * 1024
LONGEST_KEY = 255
POLL_SECONDS = 0.05
Answer = tuple[HTTPStatus, dict[str, object]]


class Shop:
    """Serves one book of invoices and one ledger; a fresh shop has an empty ledger.

    Args:
        book: The invoices to answer from.
        port: Where to listen on loopback; 0 takes a free port.
        delay_seconds: How long each answer takes.
    """

    def __init__(self, book: InvoiceBook, *, port: int = 0, delay_seconds: float = 0.0) -> None:
        self.book = book
        self.ledger = Ledger()
        self.delay_seconds = delay_seconds
        self._gate = threading.Condition()
        self._held_path: str | None = None
        self._held = 0
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.shop = self

    @property
    def url(self) -> str:
        """The shop's address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def open(self) -> Iterator["Shop"]:
        """Serve in a thread until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="shop", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.release_answers()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def serve(self) -> None:
        """Serve in this thread until interrupted."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()

    def hold_answers(self, path: str) -> None:
        """Do the work of requests whose path begins so, but keep their answers back until released.

        Whoever calls meanwhile is caught at the worst moment: the refund is booked, and nobody was told.
        """
        with self._gate:
            self._held_path = path

    def release_answers(self) -> int:
        """Let all held answers go; give how many there were."""
        with self._gate:
            self._held_path = None
            self._gate.notify_all()
            return self._held

    def wait_for_held_answers(self, count: int, *, timeout_seconds: float) -> int:
        """Wait until so many answers are held, or the time is over; give how many are."""
        with self._gate:
            self._gate.wait_for(lambda: self._held >= count, timeout_seconds)
            return self._held

    def wait_to_answer(self, path: str) -> None:
        """Take the time an answer takes, and wait while answers to this path are held."""
        time.sleep(self.delay_seconds)
        with self._gate:
            if self._is_held(path):
                self._held += 1
                self._gate.notify_all()
                self._gate.wait_for(lambda: not self._is_held(path))
                self._held -= 1

    def _is_held(self, path: str) -> bool:
        return self._held_path is not None and path.startswith(self._held_path)

    def answer_get(self, path: str) -> Answer:
        """Answer `GET /invoices/{no}`, `/customers/{id}/history` and `/ledger`."""
        if found := re.fullmatch(r"/invoices/([^/]+)", path):
            invoice = self.book.invoice(found[1])
            return (HTTPStatus.OK, invoice) if invoice else _no("there is no such invoice", HTTPStatus.NOT_FOUND)
        if found := re.fullmatch(r"/customers/([^/]+)/history", path):
            history = self.book.history(found[1])
            return (HTTPStatus.OK, history) if history else _no("there is no such customer", HTTPStatus.NOT_FOUND)
        if path == "/ledger":
            return HTTPStatus.OK, self.ledger.statement()
        return _no("there is no such page", HTTPStatus.NOT_FOUND)

    def answer_refund(self, key: str | None, body: bytes) -> Answer:
        """Answer `POST /refunds`: 201 for a booking, and the same answer for every repeat with its key."""
        if not key or len(key) > LONGEST_KEY:
            return _no("a refund needs an Idempotency-Key header of 1 to 255 characters", HTTPStatus.BAD_REQUEST)
        try:
            order = _refund_order(json.loads(body))
        except (ValueError, TypeError, RecursionError) as error:
            return _no(f"the body is no refund: {error}", HTTPStatus.BAD_REQUEST)
        if order.invoice_no not in self.book.cancellations:
            return _no(f"{order.invoice_no} is no cancellation", HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            refund, _new = self.ledger.book(key=key, order=order)
        except KeyUsedForAnotherRefund as error:
            return _no(str(error), HTTPStatus.UNPROCESSABLE_ENTITY)
        return HTTPStatus.CREATED, refund.as_json()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    shop: Shop

    def handle_error(self, request: Any, client_address: Any) -> None:
        """End the connection of a caller that went away, quietly; print everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer a question."""
        self._send(self.server.shop.answer_get(self.path))

    def do_POST(self) -> None:
        """Book a refund."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._send(_no("the body needs a Content-Length of at most 65536", HTTPStatus.BAD_REQUEST))
            return
        body = self.rfile.read(int(length))
        if self.path != "/refunds":
            self._send(_no("there is no such page", HTTPStatus.NOT_FOUND))
            return
        self._send(self.server.shop.answer_refund(self.headers.get("Idempotency-Key"), body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the standard library calls it by
        """Stay silent: the demo prints what matters."""

    def _send(self, answer: Answer) -> None:
        self.server.shop.wait_to_answer(self.path)
        status, content = answer
        body = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:  # the caller died waiting, as the demo makes a worker do
            self.close_connection = True


def _no(sentence: str, status: HTTPStatus) -> Answer:
    return status, {"message": sentence}


def _refund_order(content: object) -> RefundOrder:
    if not isinstance(content, dict):
        raise TypeError("it is not an object")
    invoice_no, customer_id, cents = (content.get(name) for name in ("invoice_no", "customer_id", "amount_cents"))
    if not isinstance(invoice_no, str) or not isinstance(customer_id, str):
        raise TypeError("invoice_no and customer_id are texts")
    if type(cents) is not int or cents < 0:
        raise ValueError("amount_cents is a whole number of cents, 0 or more")
    return RefundOrder(invoice_no=invoice_no, customer_id=customer_id, amount_cents=cents)


def main() -> int:
    """Serve a file until interrupted."""
    parser = argparse.ArgumentParser(description="Serve a file of invoices and a refund ledger on loopback.")
    parser.add_argument("data", type=Path, help="a file of invoices")
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    try:
        book = read_invoices(arguments.data)
    except InvoiceFileRefused as error:
        print(error, file=sys.stderr)
        return 2
    shop = Shop(book, port=arguments.port)
    print(f"The shop answers at {shop.url}, {len(book.cancellations)} cancellations among {book.line_count} lines.")
    try:
        shop.serve()
    except KeyboardInterrupt:
        print("The shop is closed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
