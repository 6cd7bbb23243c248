"""Every route, every method, every foreign object: 404, byte for byte as for an id that never was.

The routes come from the URL resolver. A new one fails here until it has an entry below.
"""

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import LogCheckpoint
from audit.reading.jobs import request_verification
from audit.sealing.sealer import seal_entries
from foundation.scope import tenant_scope, unscoped
from humantasks.models import HumanTask
from kernel.ids import new_id
from runs.models import Delivery, DeliveryAttempt, RunEvent
from tenants.models import ExportPart, Identity, TenantExport
from tests.conftest import Customer
from tests.support.api_routes import METHODS, methods_of, routes
from tests.support.definitions import steps_in_a_row
from tests.support.tasks import make_member
from tests.support.walls import CANARY, ONE_WALL, open_managers, open_policies

Api = Callable[[Customer], APIClient]
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
    "keys/<str:key_id>": {"GET", "DELETE"},
    "keys/<str:key_id>/rotate": {"POST"},
    "keys/<str:key_id>/end-old-secret": {"POST"},
    "members/<str:member_id>": {"GET", "PATCH"},
    "members/<str:member_id>/deactivate": {"POST"},
    "members/<str:member_id>/reactivate": {"POST"},
    "members/<str:member_id>/absence": {"PUT", "DELETE"},
    "members/<str:member_id>/accounts": {"GET"},
    "members/<str:member_id>/accounts/<str:account_id>": {"DELETE"},
    "invitations/<str:invitation_id>": {"DELETE"},
    "tenant/export/<str:export_id>": {"GET", "DELETE"},
    "human-tasks/<str:task_id>": {"GET"},
    "human-tasks/<str:task_id>/claim": {"POST"},
    "human-tasks/<str:task_id>/release": {"POST"},
    "human-tasks/<str:task_id>/delegate": {"POST"},
    "human-tasks/<str:task_id>/complete": {"POST"},
    "audit/verify/<str:verification_id>": {"GET"},
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
    "webhook-endpoints/<str:endpoint_id>": {"GET", "PATCH", "DELETE"},
    "webhook-endpoints/<str:endpoint_id>/rotate-secret": {"POST"},
    "webhook-endpoints/<str:endpoint_id>/test": {"POST"},
    "webhook-endpoints/<str:endpoint_id>/redeliver": {"POST"},
    "webhook-endpoints/<str:endpoint_id>/deliveries": {"GET"},
    "webhook-endpoints/<str:endpoint_id>/events": {"GET"},
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
    "keys": {"GET", "POST"},
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
    "tenant": {"GET"},
    "tenant/limits": {"GET", "PATCH"},
    "tenant/export": {"POST"},
    "tenant/suspension": {"PUT", "DELETE"},
    "tenant/deletion": {"PUT", "DELETE"},
    "tenant/deletion/confirm": {"POST"},
    "tenant/licence": {"GET", "PUT"},
    "tenant/trial": {"POST"},
    "tenant/notifications": {"GET", "PUT", "DELETE"},
    "ws-tickets": {"POST"},
    "deliveries": {"GET"},
    "callback-secret": {"GET", "POST"},
    "audit/entries": {"GET"},
    "audit/erase": {"POST"},
    "audit/export": {"GET"},
    "audit/key": {"GET"},
    "audit/report": {"POST"},
    "audit/verify": {"GET"},
    "webhook-endpoints": {"GET", "POST"},
}
"""Routes that name no object and answer about the caller's tenant."""

STREAM_OF_A_RUN = {"runs/<str:run_id>/events/stream": {"GET"}}
STREAM_OF_ALL = {"events/stream": {"GET"}}
"""Streams; ``tests/runs/events`` reads them."""

FILES = {
    "tenant/export/<str:export_id>/archive": {"GET"},
    "human-tasks/<str:task_id>/receipt": {"GET"},
    "audit/entries/<str:n>/proof": {"GET"},
    "audit/log/<path:path>": {"GET"},
}
"""Routes that name an object, and answer with no JSON."""

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
    export_id: str
    key_id: str
    n: str
    path: str
    endpoint_id: str
    verification_id: str
    ref: str = CANARY
    circuit_id: str = CANARY
    template_id: str = CANARY
    number: str = "1"
    seq: str = "1"

    def address(self, route: str) -> str:
        return "/api/v1/" + re.sub(r"<(?:str|path):(\w+)>", lambda name: getattr(self, name[1]), route)


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
        export = TenantExport.objects.create(tenant=globex.tenant, requested_by=CANARY, status="ready", sha256=CANARY)
        ExportPart.objects.create(tenant=globex.tenant, export=export, number=0, data=CANARY.encode())
    people = (member.id, invited.json()["invitation_id"], account.id)
    endpoint = client.post("/api/v1/webhook-endpoints", {"url": f"https://{host}/", "description": CANARY}).json()
    key = client.post("/api/v1/keys", {"name": CANARY, "scopes": ["runs:read"]}).json()
    seal_entries()
    with tenant_scope(globex.tenant.id):
        size = LogCheckpoint.objects.latest("id").size
    log = (size - 1, f"tile/0/000.p/{size}")
    verification = request_verification(globex.tenant.id, actor=CANARY)
    log = (*log, endpoint["id"], verification.id)
    ids = (run.json()["run_id"], delivery.id, task.id, *people, export.id, key["id"], *log)
    return Foreign(CANARY, *map(str, ids))


def call(client: APIClient, method: str, address: str) -> Any:
    return client.generic(method, address, b"" if method in {"GET", "HEAD"} else b"{}", content_type="application/json")


def text_of(answer: Any) -> str:
    """What an answer says; of a zip, what its files say."""
    data: bytes = answer.content
    if not data.startswith(b"PK"):
        return data.decode()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return "\n".join(archive.read(name).decode("latin-1") for name in archive.namelist())


def without_ids(answer: Any, foreign: Foreign) -> tuple[Any, ...]:
    text = answer.content.decode()
    text = re.sub(r'"request_id":"[^"]*"', "", text)
    headers = {name: value for name, value in answer.headers.items() if name not in {"X-Request-Id", "traceparent"}}
    return answer.status_code, text, headers


def test_every_route_has_an_entry_with_its_methods() -> None:
    found = {path: methods_of(pattern) for path, pattern in routes()}
    streams = STREAM_OF_A_RUN | STREAM_OF_ALL
    assert found == {
        **BY_OBJECT,
        **FILES,
        **OF_THE_CALLER,
        **TRIALS,
        **streams,
        **{path: {"GET"} for path in OF_NOBODY},
    }


@pytest.mark.parametrize("route", BY_OBJECT | FILES | STREAM_OF_A_RUN)
def test_a_foreign_object_is_as_unknown_as_one_that_never_was(
    acme: Customer, foreign: Foreign, api: Api, route: str
) -> None:
    never = Foreign(
        NEVER, *(str(new_id()) for _ in range(8)), "999", "tile/0/000.p/99", str(new_id()), str(new_id()), NEVER
    )
    for method in METHODS:
        refused = call(api(acme), method, foreign.address(route))
        unknown = call(api(acme), method, never.address(route))
        assert without_ids(refused, foreign) == without_ids(unknown, foreign), method
        assert refused.status_code == status_for_strangers(method, route), method


def status_for_strangers(method: str, route: str) -> int:
    has = (BY_OBJECT | FILES | STREAM_OF_A_RUN)[route]
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
        text = text_of(answer).replace(f"?client_reference={CANARY}", "").replace(f"?segment={CANARY}", "")
        assert CANARY not in text
    assert [owner.get(foreign.address(route)).json() for route in readable] == before


@pytest.fixture(params=ONE_WALL)
def one_wall(request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one of the two walls down: the manager's filter, or row-level security."""
    if request.param == "policies alone":
        open_managers(monkeypatch)
    else:
        open_policies()


@pytest.mark.usefixtures("one_wall")
def test_either_wall_alone_keeps_them_apart(acme: Customer, globex: Customer, foreign: Foreign, api: Api) -> None:
    for route in BY_OBJECT | FILES | STREAM_OF_A_RUN:
        test_a_foreign_object_is_as_unknown_as_one_that_never_was(acme, foreign, api, route)
    test_a_cursor_of_the_other_shows_none_of_its_rows(acme, globex, foreign, api)
    test_what_one_receives_never_has_a_word_of_the_other_nor_changes_it(acme, globex, foreign, api)
    test_the_same_idempotency_key_of_two_tenants_is_two(acme, globex, foreign, api)


def test_without_either_wall_the_other_s_rows_are_seen(
    acme: Customer, foreign: Foreign, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the matrix would find."""
    open_policies()
    assert api(acme).get(foreign.address("runs/<str:run_id>")).status_code == 404
    open_managers(monkeypatch)
    assert CANARY in api(acme).get(foreign.address("runs/<str:run_id>")).content.decode()


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
