"""A process with the built-in development secret, which everybody knows, serves this machine only."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from llmteam.loopback import is_loopback
from tests.support.child_python import SOURCE_ROOTS
from tests.support.settings_reading import read_settings

OWN_SECRET = "x1Y2z3" * 12
BUILT_IN = "development-only-" * 4
ASK = """
import asyncio, os
from llmteam.asgi import application

async def ask(kind, client, server):
    sent = []
    scope = {"type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
             "path": "/api/v1/me" if kind == "http" else "/ws/v1/inbox/", "raw_path": b"/", "query_string": b"",
             "headers": [(b"host", b"localhost")], "client": client, "server": server, "subprotocols": []}
    coming = [{"type": "http.request"} if kind == "http" else {"type": "websocket.connect"}]
    async def receive():
        return coming.pop() if coming else await asyncio.Event().wait()
    async def send(message):
        sent.append(message)
    await application(scope, receive, send)
    return sent[0].get("status") or f'{sent[0]["type"]} {sent[0].get("code")}', sent[-1].get("body", b"")

async def main():
    here, there = ["127.0.0.1", 5], ["203.0.113.9", 5]
    for client, server in ((here, here), (["::1", 5], ["::1", 5]), (there, here), (here, there), (there, there),
                           (None, here)):
        status, body = await ask("http", client, server)
        print(status, b"DEVELOPMENT_ONLY" in body and b"SECRET_KEY" in body)
    try:
        print((await asyncio.wait_for(ask("websocket", there, there), 3))[0], flush=True)
    except TimeoutError:
        print("waits for a ticket", flush=True)
    os._exit(0)

asyncio.run(main())
"""


def in_child(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in {"LLMTEAM_DEVELOPMENT", "DEBUG"}}
    told = {**inherited, "PYTHONPATH": SOURCE_ROOTS, "DJANGO_SETTINGS_MODULE": "llmteam.settings", **environment}
    return subprocess.run([sys.executable, "-c", code], env=told, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "more",
    [
        {"ALLOWED_HOSTS": "llmteam.example"},
        {"ALLOWED_HOSTS": "localhost,*"},
        {"ALLOWED_HOSTS": "0.0.0.0"},  # noqa: S104 - nothing is bound
        {"PUBLIC_URL": "https://llmteam.example"},
    ],
)
@pytest.mark.parametrize("development", [{"LLMTEAM_DEVELOPMENT": "1"}, {"DEBUG": "1"}])
def test_it_does_not_start_for_more_than_this_machine(more: dict[str, str], development: dict[str, str]) -> None:
    read_settings(**development)
    read_settings(**development, **more, SECRET_KEY=OWN_SECRET)
    with pytest.raises(ImproperlyConfigured, match=r"^SECRET_KEY is the built-in one of development"):
        read_settings(**development, **more)
    with pytest.raises(ImproperlyConfigured):  # writing it down does not make it secret
        read_settings(**development, **more, SECRET_KEY=BUILT_IN)


@pytest.mark.soak
def test_it_answers_nobody_on_another_machine() -> None:
    asked = in_child(ASK, LLMTEAM_DEVELOPMENT="1")
    assert asked.stdout.splitlines() == [
        "401 False", "401 False", "403 True", "403 True", "403 True", "403 True", "websocket.close 4403",
    ], asked.stderr  # fmt: skip


def test_with_a_secret_of_its_own_it_answers_everybody() -> None:
    asked = in_child(ASK, LLMTEAM_DEVELOPMENT="1", SECRET_KEY=OWN_SECRET)
    assert asked.stdout.splitlines()[:6] == ["401 False"] * 6, asked.stderr
    assert len(asked.stdout.splitlines()) == 7
    assert "4403" not in asked.stdout


def test_what_is_this_machine() -> None:
    here = ["localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]
    there = ["", "*", ".localhost.example", "localhost.example", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "127.1"]  # noqa: S104 - nothing is bound
    assert [host for host in here if not is_loopback(host)] == []
    assert [host for host in there if is_loopback(host)] == []


@pytest.mark.parametrize(
    ("environment", "opens"),
    [
        ({"LLMTEAM_DEVELOPMENT": "1"}, True),
        ({"LLMTEAM_DEVELOPMENT": "1", "EGRESS_LOOPBACK": "0"}, False),
        (
            {"SECRET_KEY": OWN_SECRET, "SECRET_KEYS": f"a:{'A' * 43}=", "AUDIT_SIGNING_KEY": f"{'A' * 43}="},
            False,
        ),
    ],
)
def test_steps_reach_this_machine_in_development_only(environment: dict[str, str], opens: bool) -> None:
    code = """
from django.conf import settings
from kernel.egress import EgressBlocked, build_policy, check_url
policy = build_policy(allow_hosts=settings.EGRESS_ALLOW_HOSTS, allow_cidrs=settings.EGRESS_ALLOW_CIDRS)
try:
    for host in ("127.0.0.1:5000", "localhost:5000", "[::1]:5000"):
        assert check_url(f"http://{host}/", policy).listed
    print("opens")
except EgressBlocked as error:
    print(error)
"""
    kept = {"EGRESS_LOOPBACK": "", **environment}
    done = in_child(code, **kept)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("opens" if opens else "blocked by egress policy")
