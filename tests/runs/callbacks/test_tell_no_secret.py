"""What a caller gave along is sent to its receiver and shown to nobody: not in rows, answers, pages or logs."""

from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from foundation.scope import unscoped
from tenants.models import Tenant, User
from tenants.services import create_api_key
from tests.support.callbacks import delivery_of, start_with_callback, wait_for_attempts
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.worker import running_worker

SECRET, QUERY, CONTROL = "canary-in-a-header", "canary-in-the-query", "canary-in-the-open"
ADDRESSES = ("/api/v1/runs/{run}", "/api/v1/runs", "/api/v1/runs/{run}/deliveries", "/api/v1/deliveries")
MORE_ADDRESSES = ("/api/v1/runs/{run}/events", "/api/v1/runs/{run}/snapshot")


def echo(request: RecordedRequest) -> Answer:
    """As some receivers do when something is wrong with them."""
    return Answer(500, body={"you asked for": request.target, "with": request.headers, "open": CONTROL})


def tables_with(text: str) -> list[str]:
    with unscoped("a test reads every row"), connection.cursor() as cursor:
        cursor.execute("select table_name from information_schema.tables where table_schema = 'public'")
        names = [name for (name,) in cursor.fetchall()]
        found = []
        for name in names:
            cursor.execute(f"select exists (select 1 from {name} t where t::text like %s)", [f"%{text}%"])  # noqa: S608 - the schema's own names
            if cursor.fetchone()[0]:
                found.append(name)
    return sorted(found)


def test_header_and_query_are_sent_and_shown_to_nobody(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", echo)
    headers = {"Authorization": f"Bearer {SECRET}", "X-Plain": SECRET}
    with running_worker("teller", LOG_LEVEL="DEBUG") as worker:
        run_id = start_with_callback(
            acme, f"{receiver.url}/hook?token={QUERY}", headers=headers, client_reference=CONTROL
        )
        wait_for_attempts(run_id, 1)
    (call,) = receiver.calls
    assert call.headers["authorization"] == f"Bearer {SECRET}"
    assert QUERY in call.target

    assert {"runs_run", "runs_deliveryattempt"} <= set(tables_with(CONTROL)), "the search finds what is there"
    assert (tables_with(SECRET), tables_with(QUERY)) == ([], [])

    shown = [*answers(acme, run_id), *pages(acme, run_id)]
    assert sum(CONTROL in text for text in shown) >= 6, "the look reaches what is there"
    assert "teller@test" in worker.log, "there is a log to look at"
    for text in [*shown, worker.log]:
        assert SECRET not in text
        assert QUERY not in text


def answers(tenant: Tenant, run_id: object) -> list[str]:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {create_api_key(tenant=tenant, name='reader').text}")
    found = [client.get(address.format(run=run_id)) for address in (*ADDRESSES, *MORE_ADDRESSES)]
    assert {answer.status_code for answer in found} == {200}
    return [answer.content.decode() for answer in found]


def pages(tenant: Tenant, run_id: object) -> list[str]:
    operator = User.objects.create(username="operator", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(operator)
    delivery = delivery_of(run_id)  # type: ignore[arg-type]
    addresses = [
        reverse("admin:runs_delivery_changelist"),
        reverse("admin:runs_delivery_change", args=[delivery.pk]),
        reverse("admin:runs_run_change", args=[run_id]),
        reverse("admin:audit_entry_changelist"),
        reverse("admin:tenants_tenant_change", args=[tenant.pk]),
    ]
    found = [client.get(address) for address in addresses]
    assert {answer.status_code for answer in found} == {200}
    return [answer.text for answer in found]
