"""A provider that hangs holds a few threads, from however many addresses people come back from it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.conftest import Customer
from tests.support.http_server import Answer, RecordedRequest
from tests.support.issuer import Begun, Issuer, begin, come_back, give_provider, sign_in
from tests.support.process_ends import eventually

ADDRESSES = 12
MAX_AT_ONE = 3


@pytest.mark.django_db(transaction=True)
def test_a_provider_that_hangs_is_waited_for_by_few_and_the_rest_is_told_at_once(
    acme: Customer, issuer: Issuer, second_issuer: Issuer, client: Client
) -> None:
    give_provider(acme.tenant, second_issuer)
    may_answer = threading.Event()
    hanging: list[RecordedRequest] = []

    def hang(request: RecordedRequest) -> Answer:
        hanging.append(request)
        may_answer.wait(4)
        return Answer(400, {"error": "invalid_grant"})

    browsers = [Client(REMOTE_ADDR=f"192.0.2.{number}") for number in range(ADDRESSES)]
    begun = [(browser, begin(browser, tenant="acme")) for browser in browsers]
    second_issuer.server.route("POST", "/token", hang)

    def back(one: tuple[Client, Begun]) -> Any:
        try:
            return come_back(*one, "code")
        finally:
            connection.close()

    with ThreadPoolExecutor(ADDRESSES) as pool:
        answers = [pool.submit(back, one) for one in begun]
        assert eventually(lambda: sum(one.done() for one in answers) == ADDRESSES - MAX_AT_ONE, seconds=10)
        told = [one.result() for one in answers if one.done()]
        assert len(hanging) == MAX_AT_ONE
        assert {answer.status_code for answer in told} == {429}
        assert all("PROVIDER_BUSY" in answer.content.decode() for answer in told)
        assert {answer["Retry-After"] for answer in told} == {"2"}
        assert sign_in(client, issuer, "sub-new", "ann@acme.example").status_code == 403, "followed to its person"
        may_answer.set()
    later = Client(REMOTE_ADDR="192.0.2.99")
    assert come_back(later, begin(later, tenant="acme"), "code").status_code == 400, "it is called again"
    assert len(hanging) == MAX_AT_ONE + 1
