import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from devserver import folders, processes
from tests.support.development_sign_in import ask_to_sign_in, browser, choose, post_form
from tests.support.process_ends import eventually, is_gone
from tests.support.typed_commands import typed

README = (folders.CHECKOUT / "README.md").read_text(encoding="utf-8")


def free_name() -> str:
    """A name no other test session uses now; its data are kept, so that only the first run has to make them."""
    with folders.claim_free_name(checkout=folders.CHECKOUT, name="test-run") as claim:
        return claim.name


def get(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return connection.makefile("rb").read()


def start_run(port: int | str, name: str = "test-run") -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return subprocess.Popen(
        [sys.executable, "-m", "devserver", "run", "--name", name],
        env={**kept, "PYTHONPATH": str(folders.CHECKOUT / "platform"), "PORT": str(port), "EGRESS_LOOPBACK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_busy_port_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        answer = start_run(port)
        said, _ = answer.communicate(timeout=20)
    assert answer.returncode == 1
    assert said.startswith(f"Port {port} cannot be used (Address already in use)")
    assert "choose another port: make run PORT=" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none_is_a_sentence(port: str) -> None:
    answer = start_run(port)
    said, _ = answer.communicate(timeout=20)
    assert answer.returncode == 1
    assert said == f"PORT is {port!r}; write a number from 1 to 65535.\n"


@pytest.fixture
def port() -> int:
    return processes.free_port()


@pytest.fixture
def name() -> str:
    return free_name()


@pytest.fixture
def run(port: int, name: str) -> Iterator[subprocess.Popen[str]]:
    started = start_run(port, name)
    yield started
    started.kill()
    started.communicate()


def read_until(run: subprocess.Popen[str], words: str) -> list[str]:
    lines: list[str] = []
    assert run.stdout
    for line in run.stdout:
        lines.append(line.rstrip())
        if words in line:
            return lines
    pytest.fail("\n".join(["the run ended:", *lines]))


def addresses(lines: list[str]) -> dict[str, str]:
    """The addresses a run prints for people, by their names."""
    return dict(
        re.findall(r"^(API|API docs|Inbox|Console|Canvas) {2,}(http\S+)$", "\n".join(lines), flags=re.MULTILINE)
    )


def pids_below(pid: int) -> dict[str, int]:
    children = subprocess.run(["/bin/ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in children.splitlines()]
    return {row[2]: int(row[0]) for row in rows if int(row[1]) == pid}


@pytest.mark.soak
def test_everything_comes_up_a_killed_part_comes_back_and_sigterm_ends_it_all(
    run: subprocess.Popen[str], port: int, name: str
) -> None:
    said = read_until(run, "Ctrl-C stops everything")
    assert any("Steps may call this machine" in line for line in said)
    assert any(line.startswith("Sign in to the inbox as Rita Reviewer") for line in said)
    up = [line.split()[0] for line in said if re.search(r"^\S+ +up\b", line)]
    assert up == ["postgres", "valkey", "api", "worker", "beat", "sign-in"]
    access = json.loads((folders.CHECKOUT / ".data" / name / "demo.json").read_text())
    assert access["base_url"] == f"http://127.0.0.1:{port}"
    assert get(port, "/healthz").startswith(b"HTTP/1.0 200")
    doors = {"API": "/api/v1/", "API docs": "/api/docs/", "Inbox": "/inbox/", "Console": "/admin/"}
    canvas = {"Canvas": f"http://127.0.0.1:{port}/canvas/#key={access['api_key']}"}
    assert addresses(said) == canvas | {door: f"http://127.0.0.1:{port}{path}" for door, path in doors.items()}
    answers = {door: int(get(port, path).split()[1]) for door, path in doors.items()}
    # The API's root is no route of its own; the inbox and the console lead to their sign-in.
    assert answers == {"API": 404, "API docs": 200, "Inbox": 302, "Console": 302}
    assert f"http://127.0.0.1:{port}" in get(port, "/api/schema/").decode(), "what links begin with"

    decide_as_the_readme_says(port, access)

    parts = pids_below(run.pid)
    assert len(parts) == 6
    os.kill(next(pid for args, pid in parts.items() if " worker " in args), signal.SIGKILL)
    read_until(run, "was ended by SIGKILL; starting it again")
    assert read_until(run, "up")[-1].split() == ["worker", "up"]

    pids = pids_below(run.pid).values()
    started_at = time.monotonic()
    run.terminate()
    assert run.wait(10) == 0
    assert time.monotonic() - started_at < 10
    assert all(is_gone(pid) for pid in pids)


def decide_as_the_readme_says(port: int, access: dict[str, Any]) -> None:
    """Type the README's commands that ask a person, decide in the inbox as Rita, and see the run end."""
    start, look = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[3:]
    (shown,) = re.findall(r'"output": (\{"pay".*?\}\}), \.\.\.', README)
    url = f"http://127.0.0.1:{port}"
    typed(start, folder=folders.CHECKOUT, url=url, key=access["api_key"])

    def newest() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(typed(look, folder=folders.CHECKOUT, url=url, key=access["api_key"]))
        newest: dict[str, Any] = found["data"][0]
        return newest

    assert eventually(lambda: newest()["status"] == "waiting", seconds=20)
    with browser(url) as rita:
        assert "Acme Ltd · Rita Reviewer" in choose(rita, ask_to_sign_in(rita), "rita@acme.example").text
        (task,) = re.findall(r'href="(/inbox/tasks/[^"]+)"', rita.get("/inbox/?box=groups").text)
        page = rita.get(task)
        assert "Refund of 120 EUR for Ann?" in page.text
        decided = post_form(rita, page, f"{task}decide/", {"decision": "approved"})
        assert "The run goes on." in decided.text
    assert eventually(lambda: newest()["status"] == "completed", seconds=20)
    assert newest()["output"] == json.loads(shown)
    with browser(url) as gina:
        assert "Globex Corp · Gina Globex" in choose(gina, ask_to_sign_in(gina), access["people"][2]["email"]).text
        assert gina.get(task).status_code == 404, "another tenant's task"
    with browser(url) as stranger:
        refused = choose(stranger, ask_to_sign_in(stranger), "nobody@acme.example")
        assert (refused.status_code, "NOT_INVITED" in refused.text) == (403, True)


@pytest.mark.soak
def test_a_run_killed_while_it_starts_leaves_no_process(run: subprocess.Popen[str]) -> None:
    read_until(run, "valkey")
    pids = pids_below(run.pid).values()
    assert len(pids) >= 2
    run.kill()
    assert eventually(lambda: all(is_gone(pid) for pid in pids), seconds=8)
