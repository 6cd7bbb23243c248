"""Every route, every method, every foreign object: 404, byte for byte as for an id that never was.

The routes come from the URL resolver. A new one fails here until it has an entry below.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from foundation.scope import tenant_scope, unscoped
from humantasks.models import HumanTask
from kernel.ids import new_id
from runs.models import Delivery, DeliveryAttempt, RunEvent
from tenants.models import Identity
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.tasks import make_member

Api = Callable[[Customer], APIClient]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CANARY = "canary_of_globex"
NEVER = "never_" + "x" * (len(CANARY) - 6)

BY_OBJECT = {
    "segments/<str:segment_id>": {"GET", "PUT", "DELETE"},
    "segments/<str:segment_id>/revisions": {"GET"},
    "segments/<str:segment_id>/revisions/<str:number>": {"GET"},
    "segments/<str:segment_id>/runs": {"POST"},
    "connections/<str:ref>": {"GET", "PUT", "DELETE"},
    "connections/<str:ref>/test": {"POST"},
    "circuits/<str:circuit_id>/reset": {"POST"},
    "prompts/<str:template_id>": {"GET", "PUT", "DELETE"},
    "prompts/<str:template_id>/versions": {"GET"},
    "prompts/<str:template_id>/versions/<str:number>": {"GET"},
    "members/<str:member_id>": {"GET", "PATCH"},
    "members/<str:member_id>/deactivate": {"POST"},
    "members/<str:member_id>/reactivate": {"POST"},
    "members/<str:member_id>/absence": {"PUT", "DELETE"},
    "members/<str:member_id>/accounts": {"GET"},
    "members/<str:member_id>/accounts/<str:account_id>": {"DELETE"},
    "invitations/<str:invitation_id>": {"DELETE"},
    "human-tasks/<str:task_id>": {"GET"},
    "human-tasks/<str:task_id>/claim": {"POST"},
    "human-tasks/<str:task_id>/release": {"POST"},
    "human-tasks/<str:task_id>/delegate": {"POST"},
    "human-tasks/<str:task_id>/complete": {"POST"},
    "runs/<str:run_id>": {"GET"},
    "runs/<str:run_id>/steps": {"GET"},
    "runs/<str:run_id>/events": {"GET"},
    "runs/<str:run_id>/pause": {"POST"},
    "runs/<str:run_id>/resume": {"POST"},
    "runs/<str:run_id>/cancel": {"POST"},
    "runs/<str:run_id>/replay": {"POST"},
    "runs/<str:run_id>/snapshot": {"GET"},
    "runs/<str:run_id>/values/<str:seq>": {"GET"},
    "runs/<str:run_id>/deliveries": {"GET"},
    "runs/<str:run_id>/deliveries/<str:delivery_id>/redeliver": {"POST"},
}
"""Routes that name an object of a tenant, with their methods."""

CREATES_UNDER_THE_ADDRESS = {
    ("PUT", "segments/<str:segment_id>"),
    ("PUT", "connections/<str:ref>"),
    ("PUT", "prompts/<str:template_id>"),
}
"""Not a 404 for an unknown id: it makes the caller's own."""

OF_THE_CALLER = {
    "me": {"GET"},
    "members": {"GET"},
    "invitations": {"GET", "POST"},
    "human-tasks": {"GET"},
    "human-tasks/report": {"GET"},
    "connections": {"GET"},
    "circuits": {"GET"},
    "tokens": {"POST"},
    "prompts": {"GET"},
    "segments": {"GET", "POST"},
    "segments/validate": {"POST"},
    "runs": {"GET", "POST"},
    "events": {"GET"},
    "tenant/usage": {"GET"},
    "tenant/limits": {"GET"},
    "tenant/notifications": {"GET", "PUT", "DELETE"},
    "ws-tickets": {"POST"},
    "deliveries": {"GET"},
    "callback-secret": {"GET", "POST"},
    "webhook-endpoints": {"GET", "POST"},
}
"""Routes that name no object and answer about the caller's tenant."""

STREAM_OF_A_RUN = {"runs/<str:run_id>/events/stream": {"GET"}}
STREAM_OF_ALL = {"events/stream": {"GET"}}
"""Streams; ``tests/runs/events`` reads them."""

TRIALS = {"catalog/<str:type_id>/test": {"POST"}}
"""Names a type, which all tenants have; what comes of it is the caller's."""

OF_NOBODY = {"catalog", "catalog/<str:type_id>", "schemas/segment"}
"""Routes that answer all callers alike."""


@dataclass(frozen=True)
class Foreign:
    """What globex has, and how acme would have to name it."""

    segment_id: str
    run_id: str
    delivery_id: str
    task_id: str
    member_id: str
    invitation_id: str
    account_id: str
    ref: str = CANARY
    circuit_id: str = CANARY
    template_id: str = CANARY
    number: str = "1"
    seq: str = "1"

    def address(self, route: str) -> str:
        return "/api/v1/" + re.sub(r"<str:(\w+)>", lambda name: getattr(self, name[1]), route)


def routes() -> Iterator[tuple[str, URLPattern]]:
    def walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, path)
            else:
                yield path, pattern

    for path, pattern in walk(get_resolver(), ""):
        if path.startswith("api/v1/"):
            yield path.removeprefix("api/v1/"), pattern


def methods_of(pattern: URLPattern) -> set[str]:
    view = pattern.callback.cls  # type: ignore[union-attr]  # every route of the API is a class
    return {method for method in METHODS if method != "HEAD" and hasattr(view, method.lower())}


@pytest.fixture
def foreign(globex: Customer, api: Api) -> Foreign:
    client = api(globex)
    segment = {
        **steps_in_a_row("input", segment_id=CANARY),
        "name": CANARY,
        "description": CANARY,
        "metadata": {"text": CANARY},
    }
    assert client.put(f"/api/v1/segments/{CANARY}", segment).status_code == 201
    connection = {"kind": "http", "base_url": f"https://{CANARY.replace('_', '-')}.example.com/{CANARY}"}
    assert client.put(f"/api/v1/connections/{CANARY}", connection).status_code == 201
    assert client.put(f"/api/v1/prompts/{CANARY}", {"prompt": CANARY}).status_code == 201
    host = f"{CANARY.replace('_', '-')}.example.com"
    callback = {"url": f"https://{host}/{CANARY}?{CANARY}", "headers": {"X-Text": CANARY}}
    run = client.post(
        f"/api/v1/segments/{CANARY}/runs",
        {"input": CANARY, "client_reference": CANARY, "metadata": {"text": CANARY}, "callback": callback},
        headers={"Idempotency-Key": CANARY},
    )
    assert run.status_code == 202
    with tenant_scope(globex.tenant.id):
        delivery = Delivery.objects.create(
            tenant=globex.tenant, run_id=run.json()["run_id"], seq=1, type="segment.completed", host=host
        )
        DeliveryAttempt.objects.create(
            tenant=globex.tenant, delivery=delivery, number=1, at=delivery.created_at, status_code=500, response=CANARY
        )
        RunEvent.objects.create(
            tenant=globex.tenant, run_id=run.json()["run_id"], seq=1, type="segment.started", payload={"input": CANARY}
        )
        task = HumanTask.objects.create(
            tenant=globex.tenant,
            run_id=run.json()["run_id"],
            segment_id=CANARY,
            step_id=CANARY,
            activation=1,
            task_type="approval",
            title=CANARY,
            description=CANARY,
            data={"text": CANARY},
            asked=CANARY,
            is_for_all=True,
            timeout_seconds=3600,
            due_at=delivery.created_at + timedelta(hours=1),
        )
    invited = client.post("/api/v1/invitations", {"email": f"{CANARY}@example.com", "groups": [CANARY]})
    assert invited.status_code == 201
    member = make_member(globex.tenant, CANARY, CANARY)
    with unscoped("rows for a test"):
        account = Identity.objects.create(user=member.user, issuer=f"https://{CANARY}.example", subject=CANARY)
    ids = (run.json()["run_id"], delivery.id, task.id, member.id, invited.json()["invitation_id"], account.id)
    return Foreign(CANARY, *map(str, ids))


def call(client: APIClient, method: str, address: str) -> Any:
    return client.generic(method, address, b"" if method in {"GET", "HEAD"} else b"{}", content_type="application/json")


def without_ids(answer: Any, foreign: Foreign) -> tuple[Any, ...]:
    text = answer.content.decode()
    text = re.sub(r'"request_id":"[^"]*"', "", text)
    headers = {name: value for name, value in answer.headers.items() if name not in {"X-Request-Id", "traceparent"}}
    return answer.status_code, text, headers


def test_every_route_has_an_entry_with_its_methods() -> None:
    found = {path: methods_of(pattern) for path, pattern in routes()}
    streams = STREAM_OF_A_RUN | STREAM_OF_ALL
    assert found == {**BY_OBJECT, **OF_THE_CALLER, **TRIALS, **streams, **{path: {"GET"} for path in OF_NOBODY}}


@pytest.mark.parametrize("route", BY_OBJECT | STREAM_OF_A_RUN)
def test_a_foreign_object_is_as_unknown_as_one_that_never_was(
    acme: Customer, foreign: Foreign, api: Api, route: str
) -> None:
    never = Foreign(NEVER, *(str(new_id()) for _ in range(6)), NEVER)
    for method in METHODS:
        refused = call(api(acme), method, foreign.address(route))
        unknown = call(api(acme), method, never.address(route))
        assert without_ids(refused, foreign) == without_ids(unknown, foreign), method
        assert refused.status_code == status_for_strangers(method, route), method


def status_for_strangers(method: str, route: str) -> int:
    has = (BY_OBJECT | STREAM_OF_A_RUN)[route]
    if (method, route) in CREATES_UNDER_THE_ADDRESS:
        return 422
    return 404 if method in has or (method == "HEAD" and "GET" in has) else 405


def test_what_one_receives_never_has_a_word_of_the_other_nor_changes_it(
    acme: Customer, globex: Customer, foreign: Foreign, api: Api
) -> None:
    client, owner = api(acme), api(globex)
    readable = [route for route, methods in BY_OBJECT.items() if "GET" in methods]
    seen = [owner.get(foreign.address(route)) for route in readable]
    assert {answer.status_code for answer in seen} == {200}, "its owner sees all of it"
    before = [answer.json() for answer in seen]
    own = steps_in_a_row("input", segment_id="own")
    answers = [
        client.put("/api/v1/segments/own", own),
        client.post("/api/v1/segments/own/runs", {"input": 1}, headers={"Idempotency-Key": CANARY}),
        client.post("/api/v1/runs", {"segment": own}),
        client.post("/api/v1/segments", {**own, "segment_id": "second"}),
        client.post("/api/v1/segments/validate", own),
        client.get(f"/api/v1/runs?client_reference={CANARY}"),
        client.get(f"/api/v1/runs?segment={CANARY}"),
        client.get("/api/v1/segments?archived=true"),
    ]
    for path, pattern in routes():
        address = foreign.address(path.replace("<str:type_id>", "transform"))
        if path not in STREAM_OF_ALL:
            answers.extend(call(client, method, address) for method in methods_of(pattern))
    assert [answer.status_code for answer in answers[:5]] == [201, 202, 202, 201, 200]
    for answer in answers:
        assert answer.status_code < 500
        text = answer.content.decode().replace(f"?client_reference={CANARY}", "").replace(f"?segment={CANARY}", "")
        assert CANARY not in text
    assert [owner.get(foreign.address(route)).json() for route in readable] == before


def test_a_cursor_of_the_other_shows_none_of_its_rows(
    acme: Customer, globex: Customer, foreign: Foreign, api: Api
) -> None:
    for number in range(3):
        api(globex).post("/api/v1/segments", steps_in_a_row("input", segment_id=f"{CANARY}_{number}"))
    page = api(globex).get("/api/v1/segments?limit=1").json()
    stolen = api(acme).get(page["next_url"])
    assert stolen.json() == {"data": [], "next_cursor": None, "next_url": None}


def test_the_same_idempotency_key_of_two_tenants_is_two(
    acme: Customer, globex: Customer, foreign: Foreign, api: Api
) -> None:
    body, headers = {"segment": steps_in_a_row("input")}, {"Idempotency-Key": "shared"}
    first = api(acme).post("/api/v1/runs", body, headers=headers)
    second = api(globex).post("/api/v1/runs", body, headers=headers)
    assert first.json()["run_id"] != second.json()["run_id"]
    assert "Idempotent-Replayed" not in second
