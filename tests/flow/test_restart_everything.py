"""A paused run survives the end of the whole platform: web, worker, beat, Postgres and Valkey."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from devserver import folders, processes
from tests.support.engine import wait_for
from tests.support.http_server import Answer, CountingServer
from tests.support.process_ends import is_gone
from tests.support.segments import segment, step


@pytest.fixture
def name() -> Iterator[str]:
    """Data of its own, which are gone afterwards."""
    with folders.claim_free_name(checkout=folders.CHECKOUT, name="test-restart") as claim:
        name = claim.name
    yield name
    shutil.rmtree(folders.CHECKOUT / ".data" / name, ignore_errors=True)


@contextmanager
def running_everything(name: str) -> Iterator[httpx.Client]:
    """What ``make run`` starts; everything has ended when the block ends."""
    port = processes.free_port()
    kept = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}}
    own = {"PORT": str(port), "EGRESS_ALLOW_HOSTS": "127.0.0.1:*", "EGRESS_ALLOW_CIDRS": "127.0.0.1/32"}
    platform = subprocess.Popen(
        [sys.executable, "-m", "devserver", "run", "--name", name],
        env={**kept, "PYTHONPATH": str(folders.CHECKOUT / "platform"), **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert platform.stdout is not None
        said: list[str] = []
        for line in platform.stdout:
            said.append(line)
            if "Ctrl-C stops everything" in line:
                break
        else:
            pytest.fail("".join(said))
        access = json.loads((folders.CHECKOUT / ".data" / name / "demo.json").read_text())
        headers = {"Authorization": f"Bearer {access['api_key']}"}
        with httpx.Client(base_url=access["base_url"], headers=headers, timeout=60, trust_env=False) as caller:
            parts = _pids_below(platform.pid)
            assert len(parts) == 5
            yield caller
    finally:
        platform.terminate()
        platform.communicate(timeout=30)
    assert all(is_gone(pid) for pid in parts), "something outlived it"


def _pids_below(pid: int) -> list[int]:
    told = subprocess.run(["/bin/ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in (line.split() for line in told.splitlines()) if int(parent) == pid]


def path_of(run: dict[str, Any], link: str) -> str:
    """The address without the port, which is another after the restart."""
    return httpx.URL(run["links"][link]).path


@pytest.mark.soak
def test_what_is_paused_goes_on_after_everything_was_stopped(name: str) -> None:
    with CountingServer() as world:
        world.route("POST", "/one", Answer(body={"n": 1}, delay_seconds=1))
        world.route("POST", "/two", Answer(body={"n": 2}))
        one, two = (step(f"call_{path}", "http_action", url=f"{world.url}/{path}") for path in ("one", "two"))
        total = step("total", "transform", expression="{'one': steps.call_one.output, 'two': steps.call_two.output}")
        start = {"segment": segment(one, two, total), "input": {}}
        with running_everything(name) as caller:
            whole = caller.post("/api/v1/runs?wait=20", json=start).json()
            assert whole["output"] == {"one": {"n": 1}, "two": {"n": 2}}
            run = caller.post("/api/v1/runs", json=start).json()
            wait_for(lambda: world.count() == 3, what="the first call of the second run")
            asked = caller.post(path_of(run, "pause")).json()
            assert (asked["status"], asked["pause_requested"]) == ("running", True)
            wait_for(lambda: caller.get(path_of(run, "self")).json()["status"] == "paused")
        with running_everything(name) as caller:
            assert caller.get(path_of(run, "self")).json()["status"] == "paused"
            assert world.count() == 3
            assert caller.post(path_of(run, "resume")).status_code == 202
            ended = caller.get(path_of(run, "self") + "?wait=20").json()
            assert (ended["status"], ended["output"]) == ("completed", whole["output"])
        assert world.count() == 4
        assert set(world.keys().values()) == {1}
