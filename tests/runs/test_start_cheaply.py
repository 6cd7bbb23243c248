"""What a start costs the database: round trips are most of what a start waits for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

BEGUN = ["select set_config", 'SELECT "segments_segment"', 'with "row_0" as (insert into "audit_entry"']


@pytest.mark.django_db(transaction=True)
def test_a_start_with_a_key_just_used_is_three_statements_in_one_transaction(
    acme: Customer, api: Callable[[Customer], APIClient]
) -> None:
    client, sent = api(acme), []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    assert client.put("/api/v1/segments/live", steps_in_a_row("input", segment_id="live")).status_code == 201
    assert client.post("/api/v1/segments/live/runs", {"input": {}}).status_code == 202, "reads the revision"
    with connection.execute_wrapper(note):
        assert client.post("/api/v1/segments/live/runs", {"input": {}}).status_code == 202
    assert len(sent) == len(BEGUN), sent
    assert all(sql.startswith(start) for sql, start in zip(sent, BEGUN, strict=True)), sent
    assert "audit_personalvalue" not in sent[-1], "the address has its row"
