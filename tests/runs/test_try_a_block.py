"""One block, tried out from the catalog: really run, its result by port, marked as a test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from examples.model_server import ModelServer
from tests.conftest import Customer
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def client(acme: Customer, api: Api) -> Iterator[APIClient]:
    with running_host():
        yield api(acme)


def tried(client: APIClient, type_id: str, **fields: Any) -> dict[str, Any]:
    """The body, once the run is over; the test's client does not wait, so it is asked again."""
    headers = {"Idempotency-Key": f"{type_id} {fields}"[:200].replace(" ", "_")}
    while True:
        answer = client.post(f"/api/v1/catalog/{type_id}/test?wait=5", fields, headers=headers)
        assert answer.status_code in {200, 202}, answer.content
        if answer.status_code == 200:
            body: dict[str, Any] = answer.json()
            return body


def test_a_transform_gives_its_result_by_port(client: APIClient) -> None:
    body = tried(client, "transform", config={"expression": "input.a + 1"}, inputs={"input": {"a": 1}})
    assert (body["status"], body["outputs"], "error" in body) == ("completed", {"output": 2}, False)
    assert body["duration_ms"] >= 0


def test_a_condition_tells_which_way_it_goes(client: APIClient) -> None:
    body = tried(client, "condition", config={"expression": "input > 3"}, inputs={"input": 5})
    assert body["outputs"] == {"true": 5}


def test_an_http_action_really_calls(client: APIClient) -> None:
    with CountingServer() as server:
        server.route("POST", "/echo", lambda request: Answer(body={"got": request.json()}))
        body = tried(client, "http_action", config={"url": f"{server.url}/echo"}, inputs={"body": {"n": 1}})
        assert body["outputs"] == {"response": {"got": {"n": 1}}, "status": 200}
        assert server.count("/echo") == 1


def test_a_step_that_fails_says_why(client: APIClient) -> None:
    body = tried(client, "transform", config={"expression": "input.missing.more"}, inputs={"input": {}})
    assert body["status"] == "failed"
    assert body["outputs"] is None
    assert body["error"]["code"].startswith("EXPRESSION")


def test_a_model_is_asked_and_its_usage_marked_as_a_test(client: APIClient) -> None:
    with ModelServer() as models:
        connection = {"kind": "llm", "provider": "openai", "base_url": f"{models.url}/v1", "model": "gpt-4o-mini"}
        assert client.put("/api/v1/connections/default", connection).status_code == 201
        body = tried(client, "llm_agent", config={"prompt": "Say {{ input.word }}"}, inputs={"input": {"word": "hi"}})
    assert body["outputs"] == {"output": "You asked: Say hi"}
    assert body["usage"]["model_calls"] == 1
    (row,) = client.get("/api/v1/tenant/usage").json()["data"]
    assert row["tests"] == 1


def test_such_runs_are_a_list_of_their_own(client: APIClient) -> None:
    body = tried(client, "transform", config={"expression": "1"})
    assert client.get("/api/v1/runs").json()["data"] == []
    (run,) = client.get("/api/v1/runs?is_test=true").json()["data"]
    assert (run["run_id"], run["is_test"]) == (body["run_id"], True)


def test_the_same_key_tries_once(client: APIClient) -> None:
    first = tried(client, "transform", config={"expression": "1"})
    assert tried(client, "transform", config={"expression": "1"})["run_id"] == first["run_id"]


def test_a_config_with_errors_is_refused_with_pointers_into_it(client: APIClient) -> None:
    good = {"config": {"expression": "input"}}
    assert client.post("/api/v1/catalog/transform/test", good).status_code in {200, 202}
    refused = client.post("/api/v1/catalog/transform/test", {"config": {"expression": "input +"}})
    assert refused.status_code == 422
    assert [item["pointer"] for item in refused.json()["errors"]] == ["/config/expression"]


@pytest.mark.parametrize(
    ("type_id", "fields", "status", "code"),
    [
        ("nothing", {}, 404, "STEP_TYPE_NOT_FOUND"),
        ("parallel_split", {}, 422, "NOT_AVAILABLE"),
        ("parallel_join", {}, 422, "NOT_AVAILABLE"),
        ("human_task", {"config": {"task_type": "approval"}}, 422, "NOT_AVAILABLE"),
        ("transform", {"inputs": {"a": 1, "b": 2}}, 422, "TRIAL_INPUTS_INVALID"),
        ("transform", {"input": {}}, 422, "INVALID"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_a_sentence(
    client: APIClient, type_id: str, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(f"/api/v1/catalog/{type_id}/test", fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]


def test_another_tenant_does_not_see_it(client: APIClient, globex: Customer, api: Api) -> None:
    body = tried(client, "transform", config={"expression": "1"})
    assert api(globex).get(f"/api/v1/runs/{body['run_id']}").status_code == 404
