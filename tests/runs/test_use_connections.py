"""Steps reach the world through their tenant's own connections, with its own secrets, and never tell them."""

import base64
import html
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlencode

import pytest
from django.db import connection
from psycopg import sql

from runs.engine.host.host import Host
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import delete_connection, save_connection
from tenants.models import Tenant
from tests.support.engine import events_of, get_run, make_tenant, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest

CANARY = 'canary/4f"2 of+a=secret'
TOKEN = CANARY.replace(" ", "-")
"""A bearer token holds no blank."""


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def host(acme: Tenant) -> Iterator[Host]:
    with running_host() as running:
        yield running


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        running.route("GET", "/api/ok", Answer(body={"n": 1}))
        yield running


def connect(tenant: Tenant, server: CountingServer, ref: str = "crm", secret: str | None = CANARY, **more: Any) -> None:
    spec = ConnectionSpec(kind="http", base_url=f"{server.url}/api", **more)
    save_connection(tenant=tenant, actor="system", ref=ref, spec=spec, secret=secret)


def call_step(path: str = "/ok", ref: str = "crm", **config: Any) -> dict[str, Any]:
    step = {
        "step_id": "call",
        "type": "http_action",
        "name": "call",
        "config": {"client_ref": ref, "path": path, "method": "GET", "retry_count": 0, **config},
    }
    return {"version": "1.0", "segment_id": "one_call", "entrypoint": "call", "steps": [step], "edges": []}


def run(tenant: Tenant, document: dict[str, Any]) -> Any:
    run_id = queue_run(tenant, document)
    wait_until_over(run_id)
    return get_run(run_id)


def forget(host: Host) -> None:
    """What a host remembers is at most 4 s old; tests do not wait for that."""
    host._around.contexts.facts._known.clear()


def told(tenant: Tenant, document: dict[str, Any]) -> list[str]:
    """Every text the tables of runs, connections and the audit hold after a run."""
    run(tenant, document)
    tables = ("runs_run", "runs_runevent", "audit_entry", "tenants_connection")
    rows = [sql.SQL("select to_json(t)::text from {} t").format(sql.Identifier(table)) for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" union all ").join(rows).as_string())
        return [text for (row,) in cursor.fetchall() for text in texts_in(json.loads(row))]


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)
    else:
        yield str(value)


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        ({"auth": "bearer", "secret": TOKEN}, lambda call: call.headers["authorization"] == f"Bearer {TOKEN}"),
        (
            {"auth": "basic", "username": "us"},
            lambda call: base64.b64decode(call.headers["authorization"].split()[1]).decode() == f"us:{CANARY}",
        ),
        ({"auth": "header", "auth_name": "X-Crm-Key"}, lambda call: call.headers["x-crm-key"] == CANARY),
        ({"auth": "query", "auth_name": "key"}, lambda call: call.query == {"key": [CANARY]}),
        ({"auth": "none"}, lambda call: CANARY not in str(call.headers)),
    ],
)
def test_each_way_shows_the_secret_to_the_host_and_to_nobody_else(
    acme: Tenant, host: Host, server: CountingServer, auth: dict[str, str], sent: Callable[[RecordedRequest], bool]
) -> None:
    connect(acme, server, headers={"X-Team": "returns"}, **auth)
    everything = told(acme, call_step())
    (call,) = server.calls
    assert sent(call)
    assert call.headers["x-team"] == "returns"
    assert "completed" in everything, "the tables were really read"
    assert not any(auth.get("secret", CANARY) in text for text in everything)


def test_what_a_host_sends_back_of_the_secret_is_cut_out(acme: Tenant, host: Host, server: CountingServer) -> None:
    def echo(request: RecordedRequest) -> Answer:
        status = 200 if request.path.endswith("/ok") else 403
        return Answer(status=status, body={"you_sent": request.headers.get("x-key", "nothing")})

    server.route("GET", "/api/*", echo)
    server.route("GET", "/api/ok", echo)
    connect(acme, server, ref="open", secret=None, headers={"X-Key": "plain header"})
    assert "plain header" in told(acme, call_step(ref="open")), "what is no secret comes back"
    connect(acme, server, auth="header", auth_name="X-Key")
    forget(host)
    for path in ("/ok", "/refused"):
        everything = told(acme, call_step(path))
        assert "[cut]" in everything
        assert not any(CANARY in text for text in everything)


def test_it_is_cut_out_however_it_is_quoted(acme: Tenant, host: Host, server: CountingServer) -> None:
    quotes = (
        quote,
        quote_plus,
        lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
        lambda text: quote(quote(text, safe="")),
        html.escape,
        lambda text: json.dumps(text)[1:-1],
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    )

    def echo(request: RecordedRequest) -> Answer:
        key = request.headers.get("x-key", "nothing")
        return Answer(body={"you_sent": [f"<{one(key)}>" for one in quotes]})

    server.route("GET", "/api/ok", echo)
    connect(acme, server, ref="open", secret=None, headers={"X-Key": CANARY})
    assert {f"<{one(CANARY)}>" for one in quotes} <= {*told(acme, call_step(ref="open"))}, (
        "what is no secret comes back"
    )
    connect(acme, server, auth="header", auth_name="X-Key")
    forget(host)
    run_id = queue_run(acme, call_step())
    wait_until_over(run_id)
    assert get_run(run_id).output["you_sent"] == ["<[cut]>"] * len(quotes)


@pytest.mark.parametrize("as_number", [int, float, lambda pin: float(pin) * -1], ids=["int", "float", "minus"])
def test_one_of_digits_is_cut_out_where_a_host_takes_it_for_a_number(
    acme: Tenant, host: Host, server: CountingServer, as_number: Callable[[str], float]
) -> None:
    def echo(request: RecordedRequest) -> Answer:
        pin = as_number(request.headers.get("x-pin", "0"))
        rows = [{"n": 1}] * (10_000 if request.path.endswith("/large") else 0)
        return Answer(400 if request.path.endswith("/bad") else 200, {"you": {"sent": [pin]}, "pin": pin, "rows": rows})

    server.route("GET", "/api/*", echo)
    server.route("GET", "/api/ok", echo)
    ways = [{}, {"path": "/bad"}, {"path": "/large", "select": "response.you"}, {"select": "str(response.pin)"}]
    connect(acme, server, ref="open", secret=None, headers={"X-Pin": "4815162342"})
    assert all("4815162342" in "".join(told(acme, call_step(ref="open", **way))) for way in ways), "others come back"
    connect(acme, server, auth="header", auth_name="X-Pin", secret="4815162342")
    forget(host)
    for way in ways:
        run_id = queue_run(acme, call_step(**way))
        wait_until_over(run_id)
        everything = json.dumps([get_run(run_id).output, get_run(run_id).error, events_of(run_id)], default=str)
        assert "[cut]" in everything
        assert "4815162342" not in everything


def test_it_is_cut_out_of_where_a_host_leads_to(acme: Tenant, host: Host, server: CountingServer) -> None:
    def lead(request: RecordedRequest) -> Answer:
        back = quote(f"/orders?{urlencode({'api_key': request.query['api_key'][0]})}", safe="")
        return Answer(status=302, body="", headers={"Location": f"/api/login?next={back}"})

    server.route("GET", "/api/orders", lead)
    server.route("GET", "/api/login", Answer(body={"n": 1}))
    connect(acme, server, auth="query", auth_name="api_key")
    everything = told(acme, call_step("/orders"))
    assert [call.path for call in server.calls] == ["/api/orders", "/api/login"]
    assert f"{server.url}/api/login?next=%2Forders%3Fapi_key%3D[cut]" in everything
    assert not any("canary" in text for text in everything)


@pytest.mark.parametrize("secret", [CANARY, CANARY * 4], ids=["whole", "shortened"])
def test_it_is_cut_out_of_sentences_about_what_a_host_sent(
    acme: Tenant, host: Host, server: CountingServer, secret: str
) -> None:
    def twice(request: RecordedRequest) -> Answer:
        key = json.dumps(request.headers.get("x-key", "nothing"))
        return Answer(body=f"{{{key}: 1, {key}: 2}}", headers={"Content-Type": "application/json"})

    server.route("GET", "/api/ok", twice)
    connect(acme, server, ref="open", secret=None, headers={"X-Key": "the plain key"})
    assert 'An object has the key "the plain key" twice.' in " ".join(told(acme, call_step(ref="open")))
    connect(acme, server, auth="header", auth_name="X-Key", secret=secret)
    forget(host)
    everything = " ".join(told(acme, call_step()))
    assert "An object has the key" in everything
    assert "canary" not in everything


def test_a_token_is_fetched_once_and_again_when_it_is_not_taken_any_more(
    acme: Tenant, host: Host, server: CountingServer
) -> None:
    tokens = iter(("token-1", "token-2"))
    valid = ["token-1"]

    def token(request: RecordedRequest) -> Answer:
        return Answer(body={"access_token": next(tokens), "expires_in": 3600, "token_type": "Bearer"})

    def guarded(request: RecordedRequest) -> Answer:
        return Answer(status=200 if request.headers["authorization"] == f"Bearer {valid[0]}" else 401, body={})

    server.route("POST", "/token", token)
    server.route("GET", "/api/ok", guarded)
    connect(acme, server, auth="oauth2", token_url=f"{server.url}/token", client_id="us", scope="read")
    assert [run(acme, call_step()).status for _ in range(3)] == ["completed"] * 3
    asked = [call for call in server.calls if call.path == "/token"]
    assert len(asked) == 1
    assert parse_qs(asked[0].body.decode()) == {"grant_type": ["client_credentials"], "scope": ["read"]}
    assert base64.b64decode(asked[0].headers["authorization"].split()[1]).decode().startswith("us:")
    valid[0] = "token-2"
    assert run(acme, call_step()).status == "completed"
    assert server.count("/token") == 2
    assert not any("token-" in text for text in told(acme, call_step()))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=401, body={"error": "invalid_client"}), "OAUTH2_REFUSED"),
        (Answer(body={"token": "x"}), "OAUTH2_REFUSED"),
        (Answer(body={"access_token": "a\r\nb"}), "OAUTH2_REFUSED"),
        (Answer(status=503), "OAUTH2_UNAVAILABLE"),
    ],
)
def test_a_token_server_that_does_not_help_is_a_clear_failure(
    acme: Tenant, host: Host, server: CountingServer, answer: Answer, code: str
) -> None:
    server.route("POST", "/token", answer)
    connect(acme, server, auth="oauth2", token_url=f"{server.url}/token", client_id="us")
    found = run(acme, call_step())
    assert (found.status, found.error["code"]) == ("failed", code)
    assert server.count("/api/ok") == 0


def test_two_tenants_use_their_own_and_a_third_is_told_it_has_none(
    acme: Tenant, host: Host, server: CountingServer
) -> None:
    globex, initech = make_tenant("globex"), make_tenant("initech")
    connect(acme, server, auth="bearer", secret="of-acme")
    connect(globex, server, auth="bearer", secret="of-globex")
    assert [run(tenant, call_step()).status for tenant in (acme, globex)] == ["completed"] * 2
    assert [call.headers["authorization"] for call in server.calls] == ["Bearer of-acme", "Bearer of-globex"]
    third = run(initech, call_step())
    assert (third.status, third.error["code"]) == ("failed", "CONNECTION_UNKNOWN")
    assert "crm" in third.error["message"]
    assert server.count() == 2


def test_a_change_holds_within_five_seconds(acme: Tenant, host: Host, server: CountingServer) -> None:
    connect(acme, server, auth="bearer", secret="first-secret")
    assert run(acme, call_step()).status == "completed"
    connect(acme, server, auth="bearer", secret="second-secret")
    forget(host)
    assert run(acme, call_step()).status == "completed"
    assert [call.headers["authorization"] for call in server.calls] == ["Bearer first-secret", "Bearer second-secret"]
    connect(acme, server, auth="bearer", secret="second-secret", is_active=False)
    forget(host)
    assert run(acme, call_step()).error["code"] == "CONNECTION_INACTIVE"
    delete_connection(tenant=acme, actor="system", ref="crm")
    forget(host)
    assert run(acme, call_step()).error["code"] == "CONNECTION_UNKNOWN"


def test_a_host_inside_is_called_by_the_tenant_it_is_allowed(
    acme: Tenant, host: Host, server: CountingServer, settings: Any
) -> None:
    settings.EGRESS_ALLOW_HOSTS = []
    globex = make_tenant("globex", egress_allow_hosts=[f"127.0.0.1:{server.port}"])
    bare = call_step()
    bare["steps"][0]["config"] = {"url": f"{server.url}/api/ok", "method": "GET", "retry_count": 0}
    assert run(globex, bare).status == "completed"
    assert run(acme, bare).error["code"] == "EGRESS_BLOCKED"
    assert server.count() == 1


def test_the_journal_tells_of_the_call_without_what_the_connection_adds(
    acme: Tenant, host: Host, server: CountingServer
) -> None:
    connect(acme, server, auth="query", auth_name="key")
    found = run(acme, call_step("/ok?page=2"))
    (started,) = [event for event in events_of(found.id) if event.type == "action.started"]
    assert started.payload["url"] == f"{server.url}/api/ok?page=2"
    assert server.calls[0].query == {"page": ["2"], "key": [CANARY]}


def test_steps_read_status_and_headers_of_an_answer_without_an_edge(
    acme: Tenant, host: Host, server: CountingServer
) -> None:
    server.route("GET", "/api/made", Answer(status=201, body={"n": 1}, headers={"Location": "/made/7"}))
    connect(acme, server)
    document = call_step("/made", response_headers=["Location"])
    read = {
        "step_id": "read",
        "type": "transform",
        "config": {"expression": "[steps.call.status, steps.call.headers.location, steps.call.output.n]"},
    }
    condition = "steps.call.status == 201 and steps.call.headers.location == '/made/7'"
    edge = {"from": "call", "to": "read", "condition": condition}
    found = run(acme, {**document, "steps": [*document["steps"], read], "edges": [edge]})
    assert (found.status, found.output) == ("completed", [201, "/made/7", 1])
    (completed,) = [one for one in events_of(found.id) if one.type == "step.completed" and one.step_id == "call"]
    assert completed.payload["ports"] == {"response": {"n": 1}, "status": 201, "headers": {"location": "/made/7"}}
