"""Every statement a call sends runs as one of the two roles, never as the login: a login without rights serves too."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from foundation.scope import APP_ROLE, SYSTEM_ROLE, unscoped
from runs.models import Run, RunStatus
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
TABLES = ("tenants_", "segments_", "runs_", "audit_", "django_migrations")


class Watch:
    """Asks before each statement on our tables who it would run as."""

    def __init__(self) -> None:
        self.seen = 0
        self.strays: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if any(f'"{table}' in sql for table in TABLES):
            self.seen += 1
            row = context["connection"].connection.execute("select current_user").fetchone()
            if row[0] not in {APP_ROLE, SYSTEM_ROLE}:
                self.strays.append(sql)
        return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
def test_no_call_touches_a_table_as_the_login(acme: Customer, api: Api) -> None:
    client, watch = api(acme), Watch()
    with connection.execute_wrapper(watch):
        assert client.post("/api/v1/callback-secret").status_code == 201
        saved = client.put("/api/v1/segments/row", steps_in_a_row("input"))
        run = client.post("/api/v1/segments/row/runs", {"input": 1}, headers={"Idempotency-Key": "k"}).json()
        again = client.post("/api/v1/segments/row/runs?wait=0.2", {"input": 1}, headers={"Idempotency-Key": "k"})
        fields: dict[str, Any] = {
            "segment": steps_in_a_row("input"),
            "client_reference": "a",
            "on_duplicate": "return_existing",
        }
        fields["callback"] = {"url": "https://hooks.example.com/"}
        for _ in range(2):
            assert client.post("/api/v1/runs?wait=0.1", fields).status_code == 202
        links = run["links"]
        answers = [client.get(links[name]) for name in ("self", "steps", "events", "deliveries")]
        answers += [client.get(f"/api/v1/{path}") for path in ("me", "runs", "segments", "catalog", "tenant/limits")]
        answers += [client.get(f"/api/v1/{path}") for path in ("deliveries", "callback-secret")]
        answers += [client.get(f"/api/v1/segments/row{path}") for path in ("", "/revisions", "/revisions/1")]
        answers += [client.get(links["self"] + "?wait=0.1"), client.get(links["snapshot"])]
        answers += [client.post(links[command]) for command in ("pause", "resume", "cancel", "replay")]
        deleted = client.delete("/api/v1/segments/row")
    assert (saved.status_code, again.status_code, deleted.status_code) == (201, 202, 204)
    assert {answer.status_code for answer in answers} == {200, 202}
    assert watch.seen > 30
    assert watch.strays == []
    with unscoped("tests look at everything"):
        assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.QUEUED}
