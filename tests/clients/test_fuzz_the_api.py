"""Schemathesis sends a live stack what the API's description allows and what it forbids, with keys of two tenants.

It is installed by pip into an environment of its own; where that cannot be, this is skipped, and says so.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from segments.examples import TWO_STEPS, TWO_STEPS_INPUT
from tenants.services import create_api_key
from tenants.types import SCOPES
from tests.conftest import Customer
from tests.support.server import ServerProcess
from tests.support.tools import installed_tool
from tests.support.worker import running_worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]
SCHEMATHESIS = "schemathesis==4.32.5"
CONFIG = Path(__file__).with_name("schemathesis.toml")
Fuzz = Callable[[str], int]
SEGMENT = "/api/v1/segments/order_total"


@pytest.fixture(scope="module")
def schemathesis() -> Path:
    return installed_tool(SCHEMATHESIS) / "schemathesis"


@pytest.fixture
def run_path(acme: Customer, server: ServerProcess) -> Iterator[str]:
    """A run of acme's segment, completed; the worker goes on for runs that are started since."""
    with running_worker(), server.caller(acme.key) as caller:
        caller.put(SEGMENT, json=TWO_STEPS).raise_for_status()
        run = caller.post(f"{SEGMENT}/runs?wait=20", json={"input": TWO_STEPS_INPUT}).raise_for_status().json()
        assert run["status"] == "completed"
        yield f"/api/v1/runs/{run['run_id']}"


@pytest.fixture
def fuzz(schemathesis: Path, tmp_path: Path, server: ServerProcess, run_path: str) -> Fuzz:
    """Run every phase and check with a key, on acme's segment and run where a path names one; give how many cases."""
    call_command("spectacular", "--fail-on-warn", "--format", "openapi-json", "--file", str(tmp_path / "openapi.json"))
    known = f'"path.segment_id" = "order_total"\n"path.run_id" = "{run_path.rsplit("/", 1)[1]}"\n'
    (tmp_path / "schemathesis.toml").write_text(f"{CONFIG.read_text()}\n[parameters]\n{known}")

    def run(key: str) -> int:
        command = [schemathesis, "--config-file", "schemathesis.toml", "run", "openapi.json", "--no-color"]
        command += ["--url", server.url, "--header", f"Authorization: Bearer {key}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        made = re.search(r"(\d+) generated", done.stdout)
        assert made, done.stdout
        print(f"{made[1]} cases")
        return int(made[1])

    return run


@pytest.mark.parametrize("scopes", [["segments:read"], SCOPES], ids=["one scope", "all scopes"])
def test_nothing_made_of_the_description_meets_a_5xx_or_what_is_not_described(
    acme: Customer, fuzz: Fuzz, scopes: list[str]
) -> None:
    assert fuzz(create_api_key(tenant=acme.tenant, name="fuzz", scopes=scopes).text) > 1000


def test_nor_does_a_neighbour_who_knows_the_ids_and_nothing_changes(
    acme: Customer, globex: Customer, server: ServerProcess, run_path: str, fuzz: Fuzz
) -> None:
    with server.caller(acme.key) as caller:
        before = [caller.get(path).raise_for_status().json() for path in (SEGMENT, run_path)]
        assert fuzz(globex.key) > 1000
        assert [caller.get(path).raise_for_status().json() for path in (SEGMENT, run_path)] == before
