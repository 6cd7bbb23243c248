"""A tenant's secrets are shown to those they are for, and are in no row, log, event, error, page or answer of ours."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx
import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from examples.model_server import ModelServer
from foundation.scope import unscoped
from runs.models import RunEvent
from tenants.models import Connection, Tenant, User
from tenants.services import create_api_key, create_tenant
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.server import ServerProcess, running_server
from tests.support.worker import running_worker

HEADER, QUERY, MODEL, OAUTH = ("canary-header-4f2", "canary-query-4f2", "canary-model-4f2", "canary-oauth-4f2")
TOKEN_OF_OAUTH, CONTROL = "canary-token-4f2", "in-the-open-4f2"
HIDDEN_COOKIE, OPEN_COOKIE = "canary-hidden-cookie-4f2", "canary-open-cookie-4f2"
ENDS = [
    "in_header completed",
    "in_header failed HTTP_STATUS",
    "in_query completed",
    "in_query failed HTTP_STATUS",
    "by_token completed",
    "by_token failed HTTP_STATUS",
    "gpt completed",
    "gpt completed",
    "away failed LLM_CONNECTION_FAILED",
    "away failed LLM_CONNECTION_FAILED",
    "claude completed",
    "claude completed",
]
SECRETS = (HEADER, QUERY, MODEL, OAUTH, TOKEN_OF_OAUTH)
pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Witness:
    """Calls the API as the tenant, and keeps every word it is told."""

    caller: httpx.Client
    heard: list[str] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.caller.request(method, f"/api/v1{path}", json=body, timeout=60)
        self.heard.append(f"{answer.headers} {answer.text}")
        return answer

    def run(self, *steps: dict[str, Any]) -> dict[str, Any]:
        common = {"name": CONTROL, "retry": {"max_attempts": 1}}
        steps = tuple({"step_id": f"step_{number}", **common, **step} for number, step in enumerate(steps))
        edges = [{"from": before["step_id"], "to": behind["step_id"]} for before, behind in pairwise(steps)]
        segment = {"version": "1.0", "segment_id": "secrets", "entrypoint": "step_0", "steps": steps, "edges": edges}
        run = self.call(
            "POST", "/runs?wait=30", {"segment": segment, "input": CONTROL, "client_reference": CONTROL}
        ).json()
        for link in ("self", "steps", "events", "snapshot"):
            self.call("GET", run["links"][link].partition("/api/v1")[2])
        return dict(run)


def echo(request: RecordedRequest) -> Answer:
    """As some hosts do: all that came goes back, in words that refuse or agree."""
    status = 200 if request.path.endswith("/ok") else 401
    return Answer(status, body={"headers": request.headers, "query": request.query, "open": CONTROL})


@pytest.fixture
def tenant(transactional_db: None) -> Tenant:
    return create_tenant(slug="acme", name="Acme")


@pytest.fixture
def host() -> Iterator[CountingServer]:
    with CountingServer() as server:
        server.route("GET", "/api/*", echo)
        server.route("POST", "/token", Answer(body={"access_token": TOKEN_OF_OAUTH, "expires_in": 600}))
        yield server


def connections(host: CountingServer, models: ModelServer) -> dict[str, dict[str, Any]]:
    http = {"kind": "http", "base_url": f"{host.url}/api"}
    oauth = {"type": "oauth2", "token_url": f"{host.url}/token", "client_id": "us"}
    llm = {"kind": "llm", "provider": "openai", "model": "m-1", "secret": MODEL}
    return {
        "in_header": {**http, "auth": {"type": "header", "name": "X-Key"}, "secret": HEADER},
        "in_query": {**http, "auth": {"type": "query", "name": "key"}, "secret": QUERY},
        "by_token": {**http, "auth": oauth, "secret": OAUTH},
        "gpt": {**llm, "base_url": f"{models.url}/v1"},
        "away": {**llm, "base_url": "http://127.0.0.1:9/v1"},
        "claude": {**llm, "provider": "anthropic", "base_url": models.url},
    }


def tell_everything(witness: Witness, wanted: dict[str, dict[str, Any]]) -> list[str]:
    """Save, try and use every connection, well and badly; return how the runs ended."""
    ends = []
    for ref, fields in wanted.items():
        assert witness.call("PUT", f"/connections/{ref}", fields).status_code == 201
        assert witness.call("PUT", f"/connections/{ref}", {**fields, "kind": "neither"}).status_code == 422
        assert witness.call("PUT", f"/connections/{ref}", {**fields, "base_url": "http://10.0.0.1"}).status_code == 422
        assert witness.call("POST", f"/connections/{ref}/test").status_code == 200
        witness.call("GET", f"/connections/{ref}")
        if fields["kind"] == "llm":
            steps = [{"type": "llm_agent", "config": {"llm_ref": ref, "prompt": CONTROL}}]
            steps.append({"type": "llm_agent", "config": {"llm_ref": ref, "prompt": CONTROL, "max_tokens": 1}})
        else:
            call = {"client_ref": ref, "method": "GET", "retry_count": 0}
            steps = [{"type": "http_action", "config": {**call, "path": path}} for path in ("/ok", "/refused")]
        for step in steps:
            run = witness.run(step)
            ends.append(f"{ref} {run['status']} {run.get('error', {}).get('code', '')}".strip())
    for path in ("/me", "/connections", "/runs", "/segments", "/tenant/usage", "/tenant/limits", "/events"):
        assert witness.call("GET", path).status_code == 200
    return ends


def pages(*models: type[Model]) -> Iterator[str]:
    """The lists and every row's page of the console, of all models unless told otherwise."""
    operator = User.objects.create(username="operator", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(operator)
    reverse("admin:index")  # has the console register its pages
    assert admin.site._registry
    for model in models or admin.site._registry:
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield client.get(reverse(f"{place}_changelist")).text
        with unscoped("a test reads every row"):
            keys = list(model._default_manager.values_list("pk", flat=True)[:30])
        for key in keys:
            yield client.get(reverse(f"{place}_change", args=[key])).text


def tables_with(text: str) -> set[str]:
    with unscoped("a test reads every row"), connection.cursor() as cursor:
        cursor.execute("select table_name from information_schema.tables where table_schema = 'public'")
        names = [name for (name,) in cursor.fetchall()]
        found = set()
        for name in names:
            cursor.execute(f"select exists (select 1 from {name} t where t::text like %s)", [f"%{text}%"])  # noqa: S608 - the schema's own names
            if cursor.fetchone()[0]:
                found.add(name)
    return found


def followed(server: ServerProcess, key: str, run_id: str) -> str:
    with server.caller(key, Accept="text/event-stream") as caller:
        return caller.get(f"/api/v1/runs/{run_id}/events?after=0").text


def test_no_secret_is_anywhere_but_with_whom_it_is_for(tenant: Tenant, host: CountingServer) -> None:
    key = create_api_key(tenant=tenant, name="witness").text
    with (
        ModelServer(key=MODEL) as models,
        running_worker("teller", LOG_LEVEL="DEBUG") as worker,
        running_server(LOG_LEVEL="DEBUG") as server,
        server.caller(key) as caller,
    ):
        witness = Witness(caller)
        ends = tell_everything(witness, connections(host, models))
        token = witness.call("POST", "/tokens", {"scopes": ["runs:read"]}).json()["token"]
        witness.heard.pop()  # the one answer that shows a token
        run = witness.run({"type": "transform", "config": {"expression": "input"}})
        witness.heard += [followed(server, token, run["run_id"])]
        logs = [worker.log, server.log]
    assert ends == ENDS
    sent = json.dumps([[call.headers, call.query, call.body.decode()] for call in host.calls])
    assert all(secret in sent for secret in (HEADER, QUERY, TOKEN_OF_OAUTH)), "they were really shown to the host"
    assert all(MODEL in json.dumps(dict(asked.headers)) for asked in models.asked), "and to the models"

    looked_at = [*witness.heard, *logs, *pages()]
    assert {"runs_run", "runs_runevent"} <= tables_with(CONTROL), "the search finds what is there"
    assert sum(CONTROL in text for text in looked_at) > 20, "the look reaches what is there"
    for secret in (*SECRETS, key, token[8:]):
        assert tables_with(secret) == set()
        assert not [text[:300] for text in looked_at if secret in text]
    _look_with_the_protection_off()


def _look_with_the_protection_off() -> None:
    """The same search and the same look find a secret that is not sealed, and one that is put on a page."""
    with unscoped("a test takes the seal off"):
        Connection.objects.filter(ref="in_header").update(secret=HEADER, base_url=f"https://{HEADER}.example.com")
    assert tables_with(HEADER) == {"tenants_connection"}
    User.objects.filter(username="operator").delete()
    assert any(HEADER in text for text in pages(Connection))


def hop(request: RecordedRequest) -> Answer:
    """A login in two hops, each with a cookie, and a host that sends back what nobody but itself is to see."""
    shown = request.headers.get("cookie", "")
    if request.path.endswith("/login"):
        cookie = f"sid={HIDDEN_COOKIE}; Path=/; HttpOnly"
        return Answer(302, headers={"Location": "/api/landing", "Set-Cookie": cookie})
    if request.path.endswith("/landing"):
        return Answer(body={"open": CONTROL}, headers={"Set-Cookie": f"csrf={OPEN_COOKIE}; Path=/"})
    echoed = [pair for pair in shown.split("; ") if pair.startswith("sid=")]
    return Answer(403 if request.path.endswith("/refused") else 200, body={"you_sent": echoed, "open": CONTROL})


@pytest.mark.soak
def test_no_cookie_of_a_login_is_anywhere_but_with_its_host(tenant: Tenant, host: CountingServer) -> None:
    host.route("GET", "/api/*", hop)
    shop = {"kind": "http", "base_url": f"{host.url}/api", "options": {"keeps_cookies": True}}

    def get(path: str) -> dict[str, Any]:
        config = {"client_ref": "shop", "method": "GET", "path": path, "retry_count": 0}
        return {"type": "http_action", "config": config}

    key = create_api_key(tenant=tenant, name="witness").text
    with (
        running_worker("teller", LOG_LEVEL="DEBUG") as worker,
        running_server(LOG_LEVEL="DEBUG") as server,
        server.caller(key) as caller,
    ):
        witness = Witness(caller)
        assert witness.call("PUT", "/connections/shop", shop).status_code == 201
        assert witness.call("POST", "/connections/shop/test").status_code == 200
        run = witness.run(get("/login"), get("/me"), get("/refused"))
        again = witness.call("POST", f"/runs/{run['run_id']}/replay?wait=30", {"from_activation": "step_1#1"}).json()
        for link in ("self", "steps", "events", "snapshot"):
            witness.call("GET", again["links"][link].partition("/api/v1")[2])
        witness.heard += [followed(server, key, run["run_id"])]
        logs = [worker.log, server.log]
    assert (run["error"]["code"], host.count("/api/login")) == ("HTTP_STATUS", 1)
    shown = [call.headers.get("cookie", "") for call in host.calls if call.path in {"/api/me", "/api/refused"}]
    assert len(shown) >= 3
    assert all(HIDDEN_COOKIE in cookies and OPEN_COOKIE in cookies for cookies in shown), "they were really sent"

    looked_at = [*witness.heard, *logs, *pages()]
    assert {"runs_run", "runs_runevent"} <= tables_with(CONTROL), "the search finds what is there"
    assert sum(CONTROL in text for text in looked_at) > 10, "the look reaches what is there"
    assert any("[cut]" in text for text in witness.heard), "and the host did send one back"
    for cookie in (HIDDEN_COOKIE, OPEN_COOKIE):
        assert tables_with(cookie) == set()
        assert not [text[:300] for text in looked_at if cookie in text]
    with unscoped("a test takes the seal off"):
        RunEvent.objects.filter(type="action.completed").update(payload={"cookies": {"sealed": OPEN_COOKIE}})
        Connection.objects.update(base_url=f"https://{OPEN_COOKIE}.example.com")
    assert tables_with(OPEN_COOKIE) == {"runs_runevent", "tenants_connection"}
    User.objects.filter(username="operator").delete()
    assert any(OPEN_COOKIE in text for text in pages(Connection))
