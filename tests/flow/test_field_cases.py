"""Every case of `tests/cases/field.json` but forms and sign-in, as a caller of the API meets it."""

import itertools
import json
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from devserver.processes import free_port
from tests.support.certificates import write_certificate
from tests.support.field_cases import CASES, assert_sent, serve_http
from tests.support.http_server import Answer, CountingServer
from tests.support.model_cases import LOOK, PATHS, answers_of, look_at_request
from tests.support.platform import Platform, running_platform
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
FIELD: dict[str, list[dict[str, Any]]] = json.loads(CASES.read_text())
AT_ONCE = 8
AUTH = ("username", "token_url", "client_id", "secret_in", "audience", "resource")
SEEN = {
    "step_id": "seen",
    "type": "transform",
    "config": {"expression": "{'response': response, 'status': steps.s.status, 'headers': steps.s.headers ?? null}"},
    "ports": {"input": ["response"]},
}
NUMBERS = itertools.count(1)
"""Name the connections of each case: a port is given again within the seconds that workers remember a connection."""
every_third_and_the_rest = pytest.mark.parametrize("first", sampled(range(3), one_in=3))
Play = Callable[[Platform, dict[str, Any]], None]


@pytest.fixture(scope="module")
def platform(key: str) -> Iterator[Platform]:
    with running_platform(key) as running:
        yield running


def play_all(play: Play, cases: list[dict[str, Any]], platform: Platform) -> None:
    """Play cases, a few at a time, and tell all that are wrong."""

    def look(case: dict[str, Any]) -> str | None:
        try:
            play(platform, case)
        except (AssertionError, ValueError) as wrong:
            return f"{case.get('id') or case['name']}: {wrong}"
        return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        wrong = [found for found in threads.map(look, cases) if found is not None]
    assert not wrong, "\n\n".join(wrong)


def run_step(platform: Platform, kind: str, config: dict[str, Any], given: Any, *, seen: bool = False) -> Any:
    """Run a segment of one step that is tried once; give the run, or the problem of one that was refused."""
    steps = [{"step_id": "s", "type": kind, "config": config, "retry": {"max_attempts": 1}}]
    edges = [{"from": "s", "from_port": "response", "to": "seen", "to_port": "response"}] if seen else []
    segment = {"version": "1.0", "segment_id": "field", "name": "F", "entrypoint": "s", "edges": edges}
    segment["steps"] = [*steps, SEEN] if seen else steps
    body = {"segment": segment, "input": given}
    return platform.caller.post("/api/v1/runs?wait=30&until=over", json=body).json()


def assert_failed(run: dict[str, Any], code: str, message: str, details: dict[str, Any]) -> None:
    error = run.get("error", run)
    error = error.get("details", {}).get("causes", [error])[0]
    assert error["code"] == code, run
    assert message in error["message"]
    assert {name: error["details"].get(name) for name in details} == details


def play_http(platform: Platform, case: dict[str, Any]) -> None:
    with CountingServer() as server:
        ref = f"c{next(NUMBERS)}"
        case = json.loads(json.dumps(case).replace("SERVER", server.url).replace('"crm"', f'"{ref}"'))
        serve_http(server, case)
        if not _is_connected(platform, server, case, ref):
            return
        run = run_step(platform, "http_action", case["step"], case.get("input"), seen=True)
        if "error" in case:
            assert_failed(run, case["error"], case.get("message", ""), case.get("details", {}))
        else:
            right = {"response": case.get("response", {"n": 1}), "status": case.get("status", 200)}
            assert run["output"] == {**right, "headers": case.get("headers")}, run
        for call, expected in zip(server.calls, case.get("sent", server.calls), strict=True):
            if isinstance(expected, dict):
                assert_sent(call, expected)


def _is_connected(platform: Platform, server: CountingServer, case: dict[str, Any], ref: str) -> bool:
    """Save the case's connection; one that the step could only call unusable is refused here."""
    spec = dict(case.get("connection", {}))
    auth = {"type": spec.pop("auth", "none"), **{name: spec.pop(name) for name in AUTH if name in spec}}
    body = {"kind": "http", "base_url": f"{server.url}/base", "auth": auth, **spec}
    saved = platform.caller.put(f"/api/v1/connections/{ref}", json=body)
    if case.get("error") == "CONNECTION_UNUSABLE":
        assert saved.status_code == 422
        return False
    assert saved.status_code == 201, saved.text
    return True


def play_model(platform: Platform, case: dict[str, Any]) -> None:
    with CountingServer() as server, CountingServer() as tools:
        dialect, right = case.get("dialect", "openai"), case["right"]
        base, path = PATHS[dialect]
        server.route("POST", path, answers_of(case))
        tools.route("GET", "/api/orders/*", Answer(body={"state": "sent"}))
        model = {"kind": "llm", "provider": dialect, "model": "m-1", "secret": "key", "base_url": server.url + base}
        number = next(NUMBERS)
        platform.connect(f"m{number}", {**model, "options": case.get("connection", {})})
        platform.connect(f"t{number}", {"kind": "http", "base_url": f"{tools.url}/api", "allows_tools": True})
        config = {"llm_ref": f"m{number}", "prompt": "Say hello", **case.get("step", {})}
        config["tools"] = [{**LOOK, "client_ref": f"t{number}"}] if config.get("tools") else None
        run = run_step(platform, "llm_agent", {name: value for name, value in config.items() if value}, {})
        if "code" in right:
            assert_failed(run, right["code"], right.get("message", ""), right.get("details", {}))
        else:
            assert run["output"] == right["output"], run
        assert len(server.calls) == len(case["answers"])
        assert [call.path for call in tools.calls] == right.get("tools", [])
        look_at_request(server.calls[-1].json(), right)


def play_connection(platform: Platform, case: dict[str, Any]) -> None:
    url = f"/api/v1/connections/{case['id']}"
    saved = platform.caller.put(url, json=case["connection"])
    if "error" in case:
        assert saved.status_code == 422
        (item,) = saved.json()["errors"]
        assert {name: item[name] for name in case["error"]} == case["error"]
        assert case.get("message", "") in item["detail"]
        assert platform.caller.get(url).status_code == 404
    else:
        assert saved.status_code == 201, saved.text
        assert saved.json()["base_url"] == case["connection"]["base_url"].strip()


def play_task(platform: Platform, case: dict[str, Any]) -> None:
    steps = [{"step_id": "s", "type": "human_task", "config": case["config"]}]
    segment = {"version": "1.0", "segment_id": "field", "name": "F", "entrypoint": "s", "steps": steps, "edges": []}
    run = platform.start(segment, case["input"])
    task = platform.task(run)
    assert {name: task[name] for name in case["right"]} == case["right"]
    assert platform.caller.post(run["links"]["cancel"]).status_code == 202


@every_third_and_the_rest
def test_servers_are_taken_as_they_are(platform: Platform, first: int) -> None:
    play_all(play_http, FIELD["http"][first::3], platform)


@every_third_and_the_rest
def test_models_are_taken_as_they_are(platform: Platform, first: int) -> None:
    play_all(play_model, FIELD["models"][first::3], platform)


def test_connections_say_at_once_what_could_not_work(platform: Platform) -> None:
    play_all(play_connection, FIELD["connections"], platform)


def test_people_are_asked_in_words_whatever_the_values_are(platform: Platform) -> None:
    play_all(play_task, FIELD["tasks"], platform)


@contextmanager
def own_authority(folder: Path) -> Iterator[int]:
    """A server with a certificate of its own."""
    write_certificate(folder / "own.pem", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    with CountingServer() as server:
        server.speak_tls(context)
        yield server.port


@contextmanager
def plain(_folder: Path) -> Iterator[int]:
    """A server without TLS."""
    with CountingServer() as server:
        yield server.port


@contextmanager
def hangs_up(_folder: Path) -> Iterator[int]:
    """A server that hangs up once it has been greeted."""

    def greet() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        threads.submit(greet)
        yield listener.getsockname()[1]


@contextmanager
def nobody(_folder: Path) -> Iterator[int]:
    """A port where nothing listens."""
    yield free_port()


TLS_SERVERS = {"own_authority": own_authority, "plain": plain, "hangs_up": hangs_up, "nobody": nobody}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in FIELD["tls"]])
def test_a_failed_connection_says_whose_failure_it_is(platform: Platform, tmp_path: Path, case: dict[str, Any]) -> None:
    with TLS_SERVERS[case["server"]](tmp_path) as port:
        run = run_step(platform, "http_action", {"method": "GET", "url": f"https://127.0.0.1:{port}/x"}, None)
    assert_failed(run, "CONNECTION_FAILED", "", case["right"])


def test_every_section_has_its_test_and_says_how_many_cases_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = {"forms", "sign_in"}
    tests = Path(__file__).parents[1]
    for name in elsewhere:
        assert any(f'cases_of("{name}")' in path.read_text() for path in tests.glob("*/**/test_*.py"))
    assert set(FIELD) == {"http", "models", "tls", "connections", "tasks"} | elsewhere
    counts = Counter({name: len(cases) for name, cases in FIELD.items()})
    with capsys.disabled():
        print(f"\nfield.json: {counts.total()} cases ({', '.join(f'{n} {name}' for name, n in counts.items())})")
