"""The shop answers from its file and books each refund once."""

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from examples.return_desk.client import JsonClient, Reply
from examples.return_desk.invoices import read_invoices
from examples.return_desk.shop import Shop
from tests.support.process_ends import eventually

HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
DAY = HEAD + (
    '1001,7A,"TRAY, OAK",10,2024-03-04 09:00:00,2.55,17850.0,France\n'
    "1001,8,PEN,3,2024-03-04 09:00:00,0.1,17850.0,France\n"
    '1002,9,"FRAME 8"" TALL",1,2024-03-04 09:05:00,100.0,,France\n'
    "C1003,7A,TRAY,-2,2024-03-04 09:10:00,2.55,17850.0,France\n"
    "C1003,8,PEN,-1,2024-03-04 09:10:00,0.1,17850.0,France\n"
    "C1004,9,FRAME,-1,2024-03-04 09:15:00,19.99,,France\n"
    "C1005,9,FRAME,-1,2024-03-04 09:20:00,30.0,17851.0,France\n"
)
REFUND = {"invoice_no": "C1003", "customer_id": "17850", "amount_cents": 520}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    data = tmp_path / "day.csv"
    data.write_text(DAY)
    with Shop(read_invoices(data)).open() as shop:
        yield shop


@pytest.fixture
def client(shop: Shop) -> JsonClient:
    return JsonClient(shop.url, timeout_seconds=10)


def order(client: JsonClient, key: str | None = "k1", content: object = REFUND) -> Reply:
    return client.call("POST", "/refunds", content=content, headers={} if key is None else {"Idempotency-Key": key})


def test_answers_a_cancellation_line_by_line_in_cents(client: JsonClient) -> None:
    reply = client.call("GET", "/invoices/C1003")
    assert reply.status == 200
    assert reply.content["customer_id"] == "17850"
    assert reply.content["cancellation"] is True
    assert reply.content["lines"] == [
        {"stock_code": "7A", "description": "TRAY", "quantity": -2, "unit_price": "2.55", "amount_cents": -510},
        {"stock_code": "8", "description": "PEN", "quantity": -1, "unit_price": "0.1", "amount_cents": -10},
    ]


def test_answers_a_quoted_description_as_it_was_meant(client: JsonClient) -> None:
    assert client.call("GET", "/invoices/1002").content["lines"][0]["description"] == 'FRAME 8" TALL'


def test_sums_a_customers_history_over_the_whole_file(client: JsonClient) -> None:
    assert client.call("GET", "/customers/17850/history").content == {
        "customer_id": "17850",
        "purchased_cents": 2580,
        "returned_cents": 520,
        "return_rate": 520 / 2580,
        "invoices": [{"invoice_no": "1001", "amount_cents": 2580}, {"invoice_no": "C1003", "amount_cents": -520}],
    }


def test_a_customer_who_bought_nothing_has_no_return_rate(client: JsonClient) -> None:
    history = client.call("GET", "/customers/17851/history").content
    assert (history["purchased_cents"], history["returned_cents"], history["return_rate"]) == (0, 3000, 0.0)


def test_a_sale_over_the_counter_has_an_empty_history(client: JsonClient) -> None:
    assert client.call("GET", "/invoices/C1004").content["customer_id"] == "unknown"
    history = client.call("GET", "/customers/unknown/history").content
    assert (history["purchased_cents"], history["returned_cents"], history["return_rate"]) == (0, 0, 0.0)


@pytest.mark.parametrize("path", ["/invoices/C9", "/customers/1/history", "/invoices/", "/nowhere", "/invoices/a/b"])
def test_says_404_for_what_it_does_not_know(client: JsonClient, path: str) -> None:
    assert client.call("GET", path).status == 404


def test_books_a_refund(client: JsonClient) -> None:
    reply = order(client)
    assert reply.status == 201
    assert reply.content == {"refund_no": "R00001", **REFUND}
    assert client.call("GET", "/ledger").content == {
        "refunds": [reply.content],
        "count": 1,
        "total_cents": 520,
        "repeats": 0,
    }


def test_a_repeat_with_the_same_key_gets_the_first_answer_and_is_not_booked_twice(client: JsonClient) -> None:
    first, again = order(client), order(client)
    assert (again.status, again.content) == (first.status, first.content)
    ledger = client.call("GET", "/ledger").content
    assert (ledger["count"], ledger["total_cents"], ledger["repeats"]) == (1, 520, 1)


def test_another_key_is_another_refund_even_for_the_same_invoice(client: JsonClient) -> None:
    order(client, "k1")
    order(client, "k2")
    ledger = client.call("GET", "/ledger").content
    assert (ledger["count"], ledger["total_cents"], ledger["repeats"]) == (2, 1040, 0)


def test_racing_orders_with_one_key_book_once(client: JsonClient) -> None:
    barrier = threading.Barrier(8)

    def race(_number: int) -> Reply:
        barrier.wait(timeout=10)
        return order(client)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(race, range(8)))
    assert {reply.content["refund_no"] for reply in replies} == {"R00001"}
    ledger = client.call("GET", "/ledger").content
    assert (ledger["count"], ledger["repeats"]) == (1, 7)


def test_a_known_key_with_another_refund_is_refused_and_books_nothing(client: JsonClient) -> None:
    assert order(client).status == 201
    assert order(client, content={**REFUND, "amount_cents": 521}).status == 422
    assert client.call("GET", "/ledger").content["total_cents"] == 520


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_a_refund_without_a_fit_key_is_refused_and_books_nothing(client: JsonClient, key: str | None) -> None:
    assert order(client, "x" * 255).status == 201
    assert order(client, key).status == 400
    assert client.call("GET", "/ledger").content["count"] == 1


@pytest.mark.parametrize(
    ("flaw", "status"),
    [
        ({"amount_cents": 5.2}, 400),
        ({"amount_cents": True}, 400),
        ({"amount_cents": -1}, 400),
        ({"amount_cents": None}, 400),
        ({"invoice_no": 1003}, 400),
        ({"customer_id": None}, 400),
        ({"invoice_no": "1001"}, 422),
        ({"invoice_no": "C9"}, 422),
    ],
)
def test_a_refund_that_makes_no_sense_is_refused(client: JsonClient, flaw: dict[str, object], status: int) -> None:
    assert order(client).status == 201
    assert order(client, "k2", {**REFUND, **flaw}).status == status
    assert client.call("GET", "/ledger").content["count"] == 1


def test_a_held_answer_is_booked_but_kept_back_until_released(shop: Shop, client: JsonClient) -> None:
    shop.hold_answers("/refunds")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(order, client)
        assert shop.wait_for_held_answers(1, timeout_seconds=10) == 1
        assert client.call("GET", "/ledger").content["count"] == 1
        assert not waiting.done()
        assert shop.release_answers() == 1
        assert waiting.result(timeout=10).status == 201


def test_nothing_held_is_told_as_zero(shop: Shop) -> None:
    assert shop.wait_for_held_answers(1, timeout_seconds=0.01) == 0


def test_a_caller_that_dies_in_the_middle_leaves_no_traceback_and_harms_nobody(
    shop: Shop, client: JsonClient, capsys: pytest.CaptureFixture[str]
) -> None:
    host, _, port = shop.url.removeprefix("http://").partition(":")
    before = set(threading.enumerate())
    caller = socket.create_connection((host, int(port)))
    caller.sendall(b"GET /ledger HTT")
    assert eventually(lambda: set(threading.enumerate()) > before, seconds=5), "the shop listens to the caller"
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()  # with a reset, as the kernel does for a killed process
    assert eventually(lambda: set(threading.enumerate()) <= before, seconds=5)
    assert client.call("GET", "/ledger").status == 200
    assert capsys.readouterr().err == ""
