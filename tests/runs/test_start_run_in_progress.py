"""A key whose first start has not committed: who comes second waits, then is told to come again."""

import time
from collections.abc import Callable

import psycopg
import pytest
from django.db import connection
from rest_framework.test import APIClient

from foundation.scope import unscoped
from kernel.ids import new_id
from runs.models import Run
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
BODY = {"segment": steps_in_a_row("input"), "input": 1}
HEADERS = {"Idempotency-Key": "k"}


@pytest.mark.django_db(transaction=True)
def test_an_open_start_is_a_409_with_a_time_to_come_back_and_leaves_nothing(acme: Customer, api: Api) -> None:
    client = api(acme)
    with psycopg.connect(**connection.get_connection_params(), autocommit=False) as winner:  # type: ignore[arg-type]
        # The winner's transaction, as far as it matters; its run is checked at its commit only.
        winner.execute(
            "insert into runs_idempotencykey (tenant_id, key, request_hash, run_id, created_at)"
            " values (%s, 'k', '', %s, now())",
            [acme.tenant.id, new_id()],
        )
        began = time.monotonic()
        answer = client.post("/api/v1/runs", BODY, headers=HEADERS)
        assert 4 < time.monotonic() - began < 8
        assert (answer.status_code, answer.json()["code"]) == (409, "START_IN_PROGRESS")
        assert answer["Retry-After"] == "1"
        assert client.post("/api/v1/runs", BODY, headers={"Idempotency-Key": "other"}).status_code == 202
        winner.rollback()
    again = client.post("/api/v1/runs", BODY, headers=HEADERS)
    assert again.status_code == 202
    assert "Idempotent-Replayed" not in again
    with unscoped("tests look at everything"):
        assert Run.objects.count() == 2
