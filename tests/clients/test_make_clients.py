"""The description passes other tools, and clients made of it are type-checked and drive a live stack.

Redocly, Spectral and the generators of TypeScript come with Node; without it this is skipped, and says so.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from runs.api.examples import RUN_EXAMPLE
from segments.examples import TWO_STEPS, TWO_STEPS_INPUT
from tests.conftest import Customer
from tests.support.python_client import make_python_client
from tests.support.server import ServerProcess
from tests.support.worker import running_worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]
HERE = Path(__file__).parent
NO_NODE = "Node is not installed here: the description was not judged by redocly and spectral, no TypeScript was made."


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tools and the description."""
    if shutil.which("npm") is None:
        pytest.skip(NO_NODE)
    folder = tmp_path_factory.mktemp("clients") / "workshop"
    shutil.copytree(HERE, folder)
    run(folder, ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
    call_command("spectacular", "--fail-on-warn", "--format", "openapi-json", "--file", str(folder / "openapi.json"))
    return folder


def run(folder: Path, command: Sequence[str], **environment: str) -> str:
    """Run a program and give what it prints."""
    told = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", **environment}
    done = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def driven(folder: Path, command: Sequence[str], server: ServerProcess, customer: Customer) -> dict[str, Any]:
    """Run a driver, which saves a segment, starts it, waits, and reads its events."""
    told = {"LLMTEAM_URL": server.url, "LLMTEAM_KEY": customer.key}
    told |= {"LLMTEAM_SEGMENT": json.dumps(TWO_STEPS), "LLMTEAM_INPUT": json.dumps(TWO_STEPS_INPUT)}
    with running_worker():
        found: dict[str, Any] = json.loads(run(folder, command, **told).splitlines()[-1])
    return found


FOUND = {"status": "completed", "output": RUN_EXAMPLE["output"], "calls": 0, "ports": ["output", "output"]}


def test_redocly_and_spectral_find_neither_an_error_nor_a_warning(workshop: Path) -> None:
    told = json.loads(
        run(workshop, ["npx", "redocly", "lint", "openapi.json", "--config", "redocly.yaml", "--format", "json"])
    )
    assert told["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}
    run(workshop, ["npx", "spectral", "lint", "openapi.json", "--ruleset", "spectral.yaml", "--fail-severity", "warn"])


def test_typescript_clients_are_sound_and_drive_a_live_stack(
    workshop: Path, acme: Customer, server: ServerProcess
) -> None:
    run(workshop, ["npx", "openapi-typescript", "openapi.json", "--output", "schema.d.ts"])
    run(workshop, ["npx", "openapi-ts"])
    run(workshop, ["npx", "tsc", "--project", "."])
    for driver in ("drive_openapi_typescript", "drive_hey_api"):
        assert driven(workshop, ["node", f"made/{driver}.js"], server, acme) == FOUND


def test_a_python_client_is_sound_and_drives_a_live_stack(
    tmp_path: Path, acme: Customer, server: ServerProcess
) -> None:
    call_command("spectacular", "--format", "openapi-json", "--file", str(tmp_path / "openapi.json"))
    make_python_client(tmp_path / "openapi.json", tmp_path)
    shutil.copy(HERE / "drive_python.py", tmp_path)
    run(tmp_path, [sys.executable, "-m", "mypy", "--strict", "drive_python.py"])
    assert driven(tmp_path, [sys.executable, "drive_python.py"], server, acme) == FOUND
