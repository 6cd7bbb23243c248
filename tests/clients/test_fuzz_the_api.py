"""Schemathesis sends a live stack what the API's description allows and what it forbids, with keys of two tenants.

It is installed by pip into an environment of its own; where that cannot be, this is skipped, and says so.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from segments.examples import TWO_STEPS, TWO_STEPS_INPUT
from tenants.connections.serializers import HTTP_EXAMPLE
from tenants.services import create_api_key
from tenants.types import SCOPES
from tests.conftest import Customer
from tests.support.server import ServerProcess
from tests.support.tasks import ask, make_member
from tests.support.tools import installed_tool
from tests.support.worker import running_worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]
SCHEMATHESIS = "schemathesis==4.32.5"
CONFIG = Path(__file__).with_name("schemathesis.toml")
Fuzz = Callable[[str], int]
Known = dict[str, str]
"""What paths name, by the parameter's name."""


@pytest.fixture(scope="module")
def schemathesis() -> Path:
    return installed_tool(SCHEMATHESIS) / "schemathesis"


@pytest.fixture
def known(acme: Customer, server: ServerProcess) -> Iterator[Known]:
    """One of each thing of acme; the worker goes on for runs that are started since."""
    with running_worker(), server.caller(acme.key) as caller:

        def put(path: str, body: object) -> None:
            caller.put(f"/api/v1/{path}", json=body).raise_for_status()

        put("segments/order_total", TWO_STEPS)
        put("segments/asking", ask(task_type="approval", title="Pay?", assign_to="all_reviewers"))
        put("prompts/sort", {"prompt": "Sort."})
        put("connections/crm", HTTP_EXAMPLE)
        started = caller.post("/api/v1/segments/order_total/runs?wait=20", json={"input": TWO_STEPS_INPUT})
        run = started.raise_for_status().json()
        assert run["status"] == "completed"
        asking = caller.post("/api/v1/segments/asking/runs?wait=20", json={}).raise_for_status().json()
        assert asking["status"] == "waiting"
        (task,) = caller.get("/api/v1/human-tasks").raise_for_status().json()["data"]
        yield {
            "segment_id": "order_total",
            "template_id": "sort",
            "ref": "crm",
            "type_id": "transform",
            "run_id": run["run_id"],
            "task_id": task["task_id"],
            "member_id": str(make_member(acme.tenant, "ann").id),
        }


@pytest.fixture
def fuzz(schemathesis: Path, tmp_path: Path, server: ServerProcess, known: Known) -> Fuzz:
    """Run every phase and check with a key, on what acme has where a path names something; give how many cases."""
    description = tmp_path / "openapi.json"
    call_command("spectacular", "--fail-on-warn", "--format", "openapi-json", "--file", str(description))
    description.write_text(json.dumps(naming(json.loads(description.read_text()), known)))
    (tmp_path / "schemathesis.toml").write_text(CONFIG.read_text())

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


def naming(description: dict[str, Any], known: Known) -> dict[str, Any]:
    """Say in the description which ids there are: nobody guesses them. Names that a PUT makes up stay free."""
    for operations in description["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in known.keys() - {"ref", "template_id"}:
                    parameter["schema"]["enum"] = [known[parameter["name"]]]
                elif parameter["in"] == "path" and parameter["name"] in known:
                    parameter["example"] = known[parameter["name"]]
    return description


@pytest.mark.parametrize("scopes", [["segments:read"], SCOPES], ids=["one scope", "all scopes"])
def test_nothing_made_of_the_description_meets_a_5xx_or_what_is_not_described(
    acme: Customer, fuzz: Fuzz, scopes: list[str]
) -> None:
    assert fuzz(create_api_key(tenant=acme.tenant, name="fuzz", scopes=scopes).text) > 1000


def test_nor_does_a_neighbour_who_knows_the_ids_and_nothing_changes(
    acme: Customer, globex: Customer, server: ServerProcess, known: Known, fuzz: Fuzz
) -> None:
    paths = [
        f"/api/v1/{name}s/{known[parameter]}"
        for name, parameter in (
            ("segment", "segment_id"),
            ("run", "run_id"),
            ("prompt", "template_id"),
            ("connection", "ref"),
            ("human-task", "task_id"),
            ("member", "member_id"),
        )
    ]
    with server.caller(acme.key) as caller:
        before = [caller.get(path).raise_for_status().json() for path in paths]
        assert fuzz(globex.key) > 1000
        assert [caller.get(path).raise_for_status().json() for path in paths] == before
