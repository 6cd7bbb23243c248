"""The description's schemas take what the API takes, and refuse what it refuses: bodies, parameters, ids, headers.

Each flaw of ``FLAWS`` is put into each field of each body and each parameter; schema and reader must judge alike.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.utils.dateparse import parse_datetime
from jsonschema import Draft202012Validator, FormatChecker
from rest_framework import serializers

from foundation.request_fields import PatternText, Texts
from foundation.requests import NoFields, PageQuery, Strict
from humantasks.api.serializers import DecideFields, DecisionField, DelegateFields, ReportQuery, TaskListQuery
from kernel.ids import new_id, parse_id
from llmteam.api.content import FORM
from runs.answer_options import WaitQuery
from runs.api.serializers import (
    MAX_METADATA_BYTES,
    CommandFields,
    InlineStart,
    InlineStartForm,
    ReplayFields,
    RunListQuery,
    SavedStart,
    SavedStartForm,
    ValueQuery,
)
from runs.api.trial_views import TrialFields
from runs.callbacks.serializers import DeliveryListQuery, NotificationFields, RedeliverFields
from runs.events.queries import EventQuery, EventStreamQuery
from runs.usage.serializers import UsageQuery
from runs.webhooks.serializers import (
    EndpointChanges,
    EndpointDeliveryQuery,
    EndpointEventQuery,
    EndpointFields,
    RangeFields,
)
from segments.api.serializers import SegmentListQuery
from segments.prompts.serializers import PromptFields, PromptListQuery, PromptTextField
from segments.versioned import read_number
from tenants.api.key_serializers import KeyFields, RevocationQuery, RotationFields
from tenants.api.serializers import MeQuery, TokenFields
from tenants.connections.serializers import HTTP_EXAMPLE, ConnectionFields
from tenants.members.serializers import AbsenceFields, InvitationFields, MemberFields
from tenants.sign_in.accounts.views import UnlinkQuery
from tests.api.test_keep_tenants_apart import Api
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

ID: Final = str(new_id())
CALLBACK_ADDRESS: Final = {"url": "https://hooks.example.com/a", "headers": {"X-A": "b"}}
CALLBACK: Final = {"url": "https://hooks.example.com/a", "headers": {"X-A": "b"}, "events": ["segment.paused"]}
START: Final = {
    "input": 1,
    "client_reference": "order-7",
    "on_duplicate": "return_existing",
    "metadata": {"a": 1},
    "timeout_seconds": 5,
    "priority": 1,
    "callback": CALLBACK,
}
AUTH: Final = {"type": "oauth2", "token_url": "https://a.example/t", "client_id": "a", "secret_in": "body"}
BODIES: Final[Mapping[tuple[str, str], tuple[type[Strict], dict[str, Any]]]] = {
    ("post", "/segments/{segment_id}/runs"): (SavedStart, {**START, "revision": 1}),
    ("post", "/runs"): (InlineStart, {**START, "segment": {}}),
    ("post", "/runs/{run_id}/pause"): (CommandFields, {"reason": "a"}),
    ("post", "/runs/{run_id}/replay"): (ReplayFields, {"from_activation": "a#1", "callback": CALLBACK}),
    ("post", "/runs/{run_id}/deliveries/{delivery_id}/redeliver"): (RedeliverFields, {"reason": "a"}),
    ("put", "/tenant/notifications"): (NotificationFields, {"url": "https://a.example", "headers": {"X-A": "b"}}),
    ("post", "/webhook-endpoints"): (
        EndpointFields,
        {
            **CALLBACK_ADDRESS,
            "event_types": ["segment.*"],
            "segments": ["a"],
            "severity": "info",
            "thin": True,
            "signing": "ed25519",
            "description": "a",
        },
    ),
    ("patch", "/webhook-endpoints/{endpoint_id}"): (
        EndpointChanges,
        {
            **CALLBACK_ADDRESS,
            "event_types": ["human.*"],
            "segments": ["a"],
            "severity": "error",
            "thin": False,
            "description": "a",
            "enabled": True,
        },
    ),
    ("post", "/webhook-endpoints/{endpoint_id}/redeliver"): (RangeFields, {"first": 1, "last": 2}),
    ("post", "/catalog/{type_id}/test"): (TrialFields, {"config": {}, "inputs": {}}),
    ("post", "/human-tasks/{task_id}/complete"): (
        DecideFields,
        {"decision": "approved", "data": 1, "choice": "a", "comment": "b", "content_hash": "c"},
    ),
    ("post", "/human-tasks/{task_id}/delegate"): (DelegateFields, {"to": ID}),
    ("post", "/human-tasks/{task_id}/claim"): (NoFields, {}),
    ("patch", "/members/{member_id}"): (MemberFields, {"role": "admin", "groups": ["a"]}),
    ("put", "/members/{member_id}/absence"): (
        AbsenceFields,
        {"away_from": "2026-12-24T00:00:00Z", "away_until": "2026-12-31T00:00:00Z", "stands_in": ID},
    ),
    ("post", "/invitations"): (InvitationFields, {"email": "a@b.example", "role": "admin", "groups": ["a"]}),
    ("put", "/connections/{ref}"): (
        ConnectionFields,
        {
            **HTTP_EXAMPLE,
            "auth": AUTH,
            "tls": {"ca": "a"},
            "headers": {"X-A": "b"},
            "options": {},
            "timeout_seconds": 1.5,
            "max_concurrency": 2,
            "allows_tools": True,
            "is_active": True,
        },
    ),
    ("put", "/prompts/{template_id}"): (PromptFields, {"prompt": "a", "system_prompt": "b"}),
    ("post", "/keys"): (KeyFields, {"name": "a", "scopes": ["runs:read"], "expires_at": "2099-12-24T00:00:00Z"}),
    ("post", "/keys/{key_id}/rotate"): (
        RotationFields,
        {"old_secret_seconds": 60, "expires_at": "2099-12-24T00:00:00Z"},
    ),
    ("post", "/tokens"): (TokenFields, {"scopes": ["runs:read"], "member": "a", "expires_in": 60}),
}
FORMS: Final[Mapping[str, tuple[type[Strict], dict[str, Any]]]] = {
    "/segments/{segment_id}/runs": (SavedStartForm, {"client_reference": "a", "priority": "1", "revision": "1"}),
    "/runs": (InlineStartForm, {"segment": "{}", "timeout_seconds": "1.5"}),
}
QUERIES: Final[Mapping[tuple[str, str], tuple[type[Strict], dict[str, str]]]] = {
    ("get", "/runs"): (RunListQuery, {"status": "queued,running", "client_reference": "a", "is_test": "true"}),
    ("post", "/runs"): (WaitQuery, {"wait": "1.5", "until": "over", "on_failure": "error"}),
    ("get", "/runs/{run_id}/events"): (EventQuery, {"after": "0", "limit": "1"}),
    ("get", "/runs/{run_id}/events/stream"): (EventStreamQuery, {"after": "0"}),
    ("get", "/runs/{run_id}/values/{seq}"): (ValueQuery, {"pointer": "/a"}),
    ("get", "/runs/{run_id}/steps"): (PageQuery, {"limit": "250", "cursor": "abc"}),
    ("get", "/human-tasks"): (TaskListQuery, {"status": "open", "run": ID, "overdue": "true", "box": "done"}),
    ("get", "/human-tasks/report"): (ReportQuery, {"by": "group", "after": "2026-12-24T00:00:00Z"}),
    ("get", "/deliveries"): (DeliveryListQuery, {"status": "pending", "run": ID}),
    ("get", "/webhook-endpoints/{endpoint_id}/deliveries"): (EndpointDeliveryQuery, {"status": "pending"}),
    ("get", "/webhook-endpoints/{endpoint_id}/events"): (EndpointEventQuery, {"after": "0", "limit": "1"}),
    ("get", "/tenant/usage"): (UsageQuery, {"by": "model,day", "from": "2026-12-24", "to": "2026-12-25"}),
    ("get", "/me"): (MeQuery, {"scopes": "runs:read, runs:write"}),
    ("get", "/segments"): (SegmentListQuery, {"q": "a", "archived": "false"}),
    ("get", "/prompts"): (PromptListQuery, {"archived": "false"}),
    ("delete", "/members/{member_id}/accounts/{account_id}"): (UnlinkQuery, {"allow_last": "true"}),
    ("delete", "/keys/{key_id}"): (RevocationQuery, {"allow_last": "true"}),
}
FLAWS: Final[tuple[Any, ...]] = (
    None,
    True,
    5,
    -1,
    2**40,
    0.5,
    "",
    " ",
    "a",
    "5",
    "true",
    "a,b",
    "queued,",
    "queued;running",
    "day,day",
    ID.upper(),
    ID.replace("-", ""),
    "x" * 100_001,
    "a" + " " * 10_001,
    [],
    [5],
    ["a"],
    [None],
    {},
    {"a": 5},
    {"a": "b"},
)
FORMATS: Final = FormatChecker(["email", "date", "uuid"])
FORMATS.checks("date-time")(lambda text: not isinstance(text, str) or parse_datetime(text) is not None)


pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("description") / "openapi.json"
    call_command("spectacular", "--fail-on-warn", "--format", "openapi-json", "--file", str(file))
    found: dict[str, Any] = json.loads(Path(file).read_text())
    return found


def judge_of(schema: dict[str, Any], document: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]}, format_checker=FORMATS)


def takes(kind: type[serializers.Serializer[Any]], sent: object) -> bool:
    reader: serializers.Serializer[Any] = kind(data=sent)
    return bool(reader.is_valid())


def flawed(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The body with each flaw in each member, without each, and with one more, on every level; which member is told."""
    yield "unknown", {**body, "unknown": 1}
    for name, value in body.items():
        yield name, {other: kept for other, kept in body.items() if other != name}
        yield from ((name, {**body, name: flaw}) for flaw in FLAWS)
        if isinstance(value, dict):
            yield from ((name, {**body, name: nested}) for _, nested in flawed(value))


@pytest.mark.parametrize("place", BODIES, ids=" ".join)
def test_a_body_is_described_as_it_is_read(place: tuple[str, str], document: dict[str, Any]) -> None:
    kind, body = BODIES[place]
    operation = document["paths"][f"/api/v1{place[1]}"][place[0]]
    violations_in = judge_of(operation["requestBody"]["content"]["application/json"]["schema"], document)
    assert takes(kind, body), kind(data=body).is_valid(raise_exception=True)
    assert violations_in.is_valid(body), list(violations_in.iter_errors(body))
    for name, sent in [*flawed(body), ("", []), ("", 5), ("", "a")]:
        if violations_in.is_valid(sent):
            assert takes(kind, sent) or is_said_in_words(sent), str(sent)[:500]
        elif not isinstance(kind().fields.get(name), PatternText | DecisionField | PromptTextField):
            assert not takes(kind, sent), str(sent)[:500]


def is_said_in_words(sent: Any) -> bool:
    """Whether two fields together decide, or a size in bytes: no schema says that."""
    nameless = sent.get("on_duplicate") is not None and not sent.get("client_reference")
    return nameless or len(str(sent.get("metadata"))) > MAX_METADATA_BYTES


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_described_as_it_is_read(path: str, document: dict[str, Any]) -> None:
    kind, form = FORMS[path]
    content = document["paths"][f"/api/v1{path}"]["post"]["requestBody"]["content"]
    violations_in = judge_of(content["application/x-www-form-urlencoded"]["schema"], document)
    assert takes(kind, Texts(form))
    numbers = {"priority", "revision", "timeout_seconds"}
    assert violations_in.is_valid({name: json.loads(text) if name in numbers else text for name, text in form.items()})
    assert not takes(kind, Texts({**form, "unknown": "1"}))
    assert not violations_in.is_valid({**form, "unknown": "1"})


@pytest.mark.parametrize("place", QUERIES, ids=" ".join)
def test_a_parameter_is_described_as_it_is_read(place: tuple[str, str], document: dict[str, Any]) -> None:
    kind, query = QUERIES[place]
    operation = document["paths"][f"/api/v1{place[1]}"][place[0]]
    schemas = {one["name"]: one["schema"] for one in operation["parameters"] if one["in"] == "query"}
    assert query.keys() <= schemas.keys() == kind().fields.keys()
    assert takes(kind, Texts(query)), kind(data=Texts(query)).is_valid(raise_exception=True)
    for name, text in query.items():
        violations_in = judge_of(schemas[name], document)
        assert violations_in.is_valid(_as_written(text, schemas[name])), (name, text)
        for flaw in FLAWS:
            if not isinstance(flaw, str):
                continue
            if violations_in.is_valid(_as_written(flaw, schemas[name])):
                assert takes(kind, Texts({**query, name: flaw})), (name, flaw[:100])
            elif not isinstance(kind().fields[name], PatternText):
                assert not takes(kind, Texts({**query, name: flaw})), (name, flaw[:100])


def _as_written(text: str, schema: Mapping[str, Any]) -> Any:
    """What a text of an address stands for, where its schema wants a number, or true or false."""
    if schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


NAMES: Final = ("a", "crm_2-b", "a" * 64, "a" * 65, "1a", "_a", "a.b", "a b", "ä")


def test_names_in_paths_are_described_as_they_are_saved(acme: Customer, api: Api, document: dict[str, Any]) -> None:
    client = api(acme)
    row = steps_in_a_row("input")
    for path, body in (
        ("/connections/{ref}", HTTP_EXAMPLE),
        ("/prompts/{template_id}", {"prompt": "a"}),
        ("/segments/{segment_id}", None),
    ):
        (parameter,) = (one for one in document["paths"][f"/api/v1{path}"]["put"]["parameters"] if one["in"] == "path")
        violations_in = judge_of(parameter["schema"], document)
        for name in NAMES:
            sent = {**row, "segment_id": name} if body is None else body
            answer = client.put(f"/api/v1{path.replace('{' + parameter['name'] + '}', name)}", sent)
            assert answer.status_code == (201 if violations_in.is_valid(name) else 422), (path, name, answer.content)


def test_ids_and_numbers_in_paths_are_described_as_they_are_read(document: dict[str, Any]) -> None:
    paths = document["paths"]
    schemas = {
        one["name"]: one["schema"]
        for path in paths.values()
        for operation in path.values()
        for one in operation.get("parameters", ())
        if one["in"] == "path"
    }
    violations_in = judge_of(schemas["run_id"], document)
    for spelling in (ID, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", ID[:-1], f"{ID} ", "latest"):
        assert violations_in.is_valid(spelling) == (parse_id(spelling) is not None), spelling
    violations_in = judge_of(schemas["number"], document)
    for number in (-1, 0, 1, 2**31 - 1, 2**31):
        assert violations_in.is_valid(number) == (read_number(str(number)) is not None), number


def test_an_idempotency_key_is_described_as_it_is_read(acme: Customer, api: Api, document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/runs"]["post"]["parameters"]
    (schema,) = (one["schema"] for one in parameters if one["name"] == "Idempotency-Key")
    violations_in, client = judge_of(schema, document), api(acme)
    for key in ("k", "a" * 255, "~!", "", "a" * 256, "with space", "ümlaut", "tab\t"):
        answer = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}, headers={"Idempotency-Key": key})
        assert answer.status_code == (202 if violations_in.is_valid(key) else 422), key


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"client_reference": 42}, {"/client_reference"}),
        ({"priority": "1", "timeout_seconds": "5"}, {"/priority", "/timeout_seconds"}),
        ({"revision": "1", "metadata": []}, {"/revision", "/metadata"}),
        ({"callback": {"url": 5}}, {"/callback/url"}),
        ({"callback": {"url": "https://a.example", "headers": {"X-A": 5}}}, {"/callback/headers/X-A"}),
    ],
)
def test_in_json_a_number_is_no_text_and_a_text_no_number(
    acme: Customer, api: Api, fields: dict[str, Any], places: set[str]
) -> None:
    client = api(acme)
    assert client.put("/api/v1/segments/row", steps_in_a_row("input", segment_id="row")).status_code == 201
    assert client.post("/api/v1/segments/row/runs", {"client_reference": "42", "priority": 1}).status_code == 202
    answer = client.post("/api/v1/segments/row/runs", fields)
    assert answer.status_code == 422, answer.content
    assert {error["pointer"] for error in answer.json()["errors"]} == places
    form = client.post("/api/v1/segments/row/runs", "priority=1&timeout_seconds=5", content_type=FORM)
    assert form.status_code == 202, "in a form everything is a text"


@pytest.mark.parametrize(
    ("fields", "place"), [({"timeout_seconds": "nan"}, "/timeout_seconds"), ({"options": ["a"]}, "/options")]
)
def test_a_connection_has_finite_numbers_and_options_by_name(
    acme: Customer, api: Api, fields: dict[str, Any], place: str
) -> None:
    client = api(acme)
    right = {**HTTP_EXAMPLE, "timeout_seconds": 5, "options": {}}
    assert client.put("/api/v1/connections/crm", right).status_code == 201
    answer = client.put("/api/v1/connections/crm", {**right, **fields})
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [place])


def test_what_is_left_out_is_what_is_described_as_the_default(acme: Customer, api: Api) -> None:
    client = api(acme)
    told = client.get("/api/v1/tenant/usage").json()
    assert told["data"] == client.get("/api/v1/tenant/usage?by=day,segment,model").json()["data"] == []
    assert client.get("/api/v1/human-tasks").json() == client.get("/api/v1/human-tasks?box=all&limit=100").json()
