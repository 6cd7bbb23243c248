"""Trying a connection says in words what failed, as a step would fail, and makes one small call."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from examples.model_server import ModelServer
from runs import connection_trials as trial
from tests.conftest import Customer
from tests.support.http_server import Answer, CountingServer, RecordedRequest

Api = Callable[[Customer], APIClient]
SECRET = "canary-of-the-secret"


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        yield running


def tried(client: APIClient, connection: dict[str, Any]) -> dict[str, Any]:
    assert client.put("/api/v1/connections/one", connection).status_code in {200, 201}
    answer = client.post("/api/v1/connections/one/test")
    assert answer.status_code == 200, answer.content
    assert SECRET not in answer.content.decode()
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("status", "code"),
    [(200, "OK"), (404, "OK"), (401, "HTTP_STATUS"), (403, "HTTP_STATUS"), (500, "HTTP_STATUS")],
)
def test_an_api_that_answers_is_fine_unless_it_refuses_the_secret(
    acme: Customer, api: Api, server: CountingServer, status: int, code: str
) -> None:
    server.route("GET", "/base", Answer(status=status, body={}))
    connection = {"kind": "http", "base_url": f"{server.url}/base", "auth": {"type": "bearer"}, "secret": SECRET}
    found = tried(api(acme), connection)
    assert (found["ok"], found["code"], found["status"]) == (code == "OK", code, status)
    assert str(status) in found["detail"]
    assert [call.headers["authorization"] for call in server.calls] == [f"Bearer {SECRET}"]


def test_a_challenge_that_cannot_be_answered_is_told(acme: Customer, api: Api, server: CountingServer) -> None:
    asked = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth-int"'}
    server.route("GET", "/base", [Answer(status=204), Answer(status=401, headers=asked)])
    auth = {"type": "digest", "username": "us"}
    connection = {"kind": "http", "base_url": f"{server.url}/base", "auth": auth, "secret": SECRET}
    assert tried(api(acme), connection)["ok"]
    found = tried(api(acme), connection)
    assert (found["ok"], found["code"], found["status"]) == (False, "HTTP_STATUS", 401)
    assert "qop" in found["detail"]


@pytest.mark.parametrize("kind", ["http", "llm"])
def test_a_token_that_is_not_taken_is_fetched_again_once_as_in_steps(
    acme: Customer, api: Api, server: CountingServer, kind: str
) -> None:
    tokens = (f"token-{number}" for number in range(1, 9))
    taken = {"token-1", "token-3"}

    def guarded(request: RecordedRequest) -> Answer:
        if request.headers["authorization"].removeprefix("Bearer ") not in taken:
            return Answer(status=401, body={"error": {"message": "No."}})
        return Answer(body={"model": "m-1", "choices": [{"message": {"content": "OK"}, "finish_reason": "stop"}]})

    server.route("POST", "/token", lambda _request: Answer(body={"access_token": next(tokens), "expires_in": 3600}))
    server.route("GET", "/v1", guarded)
    server.route("POST", "/v1/chat/completions", guarded)
    auth = {"type": "oauth2", "token_url": f"{server.url}/token", "client_id": "us"}
    connection = {"kind": kind, "base_url": f"{server.url}/v1", "auth": auth, "secret": SECRET}
    if kind == "llm":
        connection |= {"provider": "openai", "model": "m-1"}
    assert [tried(api(acme), connection)["ok"] for _ in range(2)] == [True, True]
    assert server.count("/token") == 3
    found = tried(api(acme), connection)
    assert (found["ok"], found["code"]) == (False, "LLM_AUTH_FAILED" if kind == "llm" else "HTTP_STATUS")
    assert server.count("/token") == 5


def test_a_token_server_that_leads_elsewhere_is_told(acme: Customer, api: Api, server: CountingServer) -> None:
    server.route(
        "POST", "/token", [Answer(body={"access_token": "t"}), Answer(302, headers={"Location": "/login?a=b"})]
    )
    auth = {"type": "oauth2", "token_url": f"{server.url}/token", "client_id": "us"}
    connection = {"kind": "http", "base_url": server.url, "auth": auth, "secret": SECRET}
    assert tried(api(acme), connection)["ok"]
    found = tried(api(acme), connection)
    assert (found["ok"], found["code"]) == (False, "OAUTH2_REFUSED")
    assert f"redirects: status 302 to {server.url}/login. " in found["detail"]


def test_an_api_is_tried_with_all_that_steps_send(acme: Customer, api: Api, server: CountingServer) -> None:
    connection = {"kind": "http", "base_url": f"{server.url}/base", "headers": {"X-Team": "returns"}}
    server.route("GET", "/base", [Answer(307, headers={"Location": "/base/"}), Answer(status=204)])
    server.route("GET", "/base/", Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n"))
    assert tried(api(acme), connection)["status"] == 200
    assert [call.headers["x-team"] for call in server.calls] == ["returns"] * 2
    assert len({call.headers["idempotency-key"] for call in server.calls}) == 1


def test_a_try_ends_in_time_whatever_it_waits_for(
    acme: Customer, api: Api, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRIAL_SECONDS", 1.0)
    slow = Answer(body={"access_token": "t"}, delay_seconds=1.5)
    server.route("POST", "/token", [Answer(body={"access_token": "t"}), slow])
    server.route("GET", "/", [Answer(status=204), Answer(status=401)])
    auth = {"type": "oauth2", "token_url": f"{server.url}/token", "client_id": "us"}
    connection = {"kind": "http", "base_url": server.url, "auth": auth, "secret": SECRET}
    assert tried(api(acme), connection)["ok"]
    found = tried(api(acme), connection)
    assert (found["ok"], found["code"]) == (False, "REQUEST_TIMED_OUT")
    assert found["duration_ms"] < 2_900


def test_a_port_nobody_listens_at(acme: Customer, api: Api) -> None:
    found = tried(api(acme), {"kind": "http", "base_url": "http://127.0.0.1:9/"})
    assert (found["ok"], found["code"], found["status"]) == (False, "CONNECTION_FAILED", None)


def test_a_host_that_is_not_allowed_any_more(acme: Customer, api: Api, server: CountingServer, settings: Any) -> None:
    connection = {"kind": "http", "base_url": server.url}
    assert tried(api(acme), connection)["ok"]
    settings.EGRESS_ALLOW_HOSTS = []
    answer = api(acme).post("/api/v1/connections/one/test").json()
    assert (answer["ok"], answer["code"]) == (False, "EGRESS_BLOCKED")
    assert server.count() == 1


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_language_model_answers_a_few_tokens(acme: Customer, api: Api, provider: str) -> None:
    with ModelServer(key=SECRET, models={"m-1"}) as models:
        address = models.url + ("/v1" if provider == "openai" else "")
        connection = {"kind": "llm", "provider": provider, "base_url": address, "secret": SECRET}
        client = api(acme)
        assert tried(client, {**connection, "model": "m-1"})["ok"]
        unknown = tried(client, {**connection, "model": "no-such-model"})
        assert (unknown["ok"], unknown["code"]) == (False, "LLM_MODEL_UNKNOWN")
        wrong = tried(client, {**connection, "model": "m-1", "secret": "another-secret"})
        assert (wrong["ok"], wrong["code"]) == (False, "LLM_AUTH_FAILED")
        nameless = tried(client, connection)
        assert nameless["code"] == "LLM_MODEL_MISSING"


def test_a_try_passes_the_gates_that_steps_pass(acme: Customer, api: Api, server: CountingServer) -> None:
    server.route("GET", "/", Answer(status=503))
    connection = {"kind": "http", "base_url": f"{server.url}/", "requests_per_minute": 11}
    for _ in range(10):
        assert tried(api(acme), connection)["code"] == "HTTP_STATUS"
    shut = tried(api(acme), connection)
    assert (shut["ok"], shut["code"], server.count()) == (False, "CIRCUIT_OPEN", 10)
    assert "HTTP_STATUS 503" in shut["detail"]
    with CountingServer() as other:
        eleventh, limited = [tried(api(acme), {**connection, "base_url": other.url}) for _ in range(2)]
        assert (eleventh["code"], limited["ok"], limited["code"], other.count()) == ("OK", False, "RATE_LIMIT", 1)


def test_a_model_is_tried_as_steps_ask_it(acme: Customer, api: Api, server: CountingServer) -> None:
    server.route("POST", "/v1/chat/completions", Answer(body={"error": {"code": 429, "message": "Slow down"}}))
    connection = {"kind": "llm", "provider": "openai", "base_url": f"{server.url}/v1", "model": "m-1"}
    found = tried(api(acme), connection)
    assert (found["ok"], found["code"]) == (False, "LLM_RATE_LIMITED")
    assert found["detail"].endswith("It says: Slow down.")
    assert server.calls[0].json()["stream"] is True
    tried(api(acme), {**connection, "options": {"stream": "never"}})
    assert "stream" not in server.calls[1].json()


ALONE = {"id": "c", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("calls", "code"),
    [(ALONE, "OK"), (5, "LLM_REPLY_UNREADABLE"), ([5], "LLM_REPLY_UNREADABLE"), ("x", "LLM_REPLY_UNREADABLE")],
)
def test_an_odd_answer_of_a_model_is_no_fault_of_ours(
    acme: Customer, api: Api, server: CountingServer, calls: Any, code: str
) -> None:
    said = {"content": "OK", "tool_calls": []}
    connection = {"kind": "llm", "provider": "openai", "base_url": server.url, "model": "m-1"}
    server.route("POST", "/chat/completions", Answer(body={"choices": [{"message": said}]}))
    assert tried(api(acme), connection)["ok"]
    server.route("POST", "/chat/completions", Answer(body={"choices": [{"message": {**said, "tool_calls": calls}}]}))
    assert tried(api(acme), connection)["code"] == code


def test_a_model_that_is_named_as_the_secret_is_does_not_tell_it(
    acme: Customer, api: Api, server: CountingServer
) -> None:
    client = api(acme)
    connection = {"kind": "llm", "provider": "openai", "base_url": f"{server.url}/v1", "model": "m-1", "secret": SECRET}
    for name, shown in (("m-1", "The model m-1 answered."), (SECRET, "The model [cut] answered.")):
        message = {"message": {"content": "OK"}, "finish_reason": "stop"}
        server.route("POST", "/v1/chat/completions", Answer(body={"model": name, "choices": [message]}))
        assert tried(client, connection)["detail"] == shown


def test_a_try_keeps_cookies_for_itself_where_steps_do(acme: Customer, api: Api, server: CountingServer) -> None:
    def wants_a_cookie(request: RecordedRequest) -> Answer:
        """As hosts do that look whether their caller keeps cookies."""
        if "cookie" in request.headers:
            return Answer(body={})
        return Answer(302, headers={"Location": "/base", "Set-Cookie": "seen=1; Path=/"})

    server.route("GET", "/base", wants_a_cookie)
    connection = {"kind": "http", "base_url": f"{server.url}/base"}
    without = tried(api(acme), connection)
    assert (without["ok"], without["code"]) == (False, "TOO_MANY_REDIRECTS")
    server.forget()
    for _ in range(2):
        assert tried(api(acme), {**connection, "options": {"keeps_cookies": True}})["ok"]
    assert [call.headers.get("cookie") for call in server.calls] == [None, "seen=1"] * 2


def test_another_tenant_s_is_unknown(acme: Customer, globex: Customer, api: Api, server: CountingServer) -> None:
    tried(api(acme), {"kind": "http", "base_url": server.url})
    assert api(globex).post("/api/v1/connections/one/test").status_code == 404
    assert server.count() == 1


def test_only_so_many_are_tried_at_once(acme: Customer, api: Api, server: CountingServer) -> None:
    tried(api(acme), {"kind": "http", "base_url": server.url})
    for _ in range(trial.MAX_TRIALS):
        trial._running.acquire()
    try:
        refused = api(acme).post("/api/v1/connections/one/test")
    finally:
        trial._running.release(trial.MAX_TRIALS)
    assert (refused.status_code, refused.json()["code"]) == (429, "TRIALS_UNDER_WAY")
    assert refused["Retry-After"] == "1"
    assert tried(api(acme), {"kind": "http", "base_url": server.url})["ok"]
