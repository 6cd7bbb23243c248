"""A step type from another package: installed, drawn by the catalog, run by a real worker that has it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from devserver.folders import CHECKOUT
from runs.steps.registry import registry
from tests.support.child_python import SOURCE_ROOTS
from tests.support.platform import Platform, running_platform
from tests.support.stand_in_catalog import judged

PACKAGE = CHECKOUT / "examples" / "greeting_step"
SEGMENT: dict[str, Any] = json.loads((PACKAGE / "segment.json").read_text())
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(PACKAGE)], check=True, timeout=100)
    return target


@pytest.fixture(scope="module")
def platform(key: str, site: Path) -> Iterator[Platform]:
    with running_platform(key, PYTHONPATH=os.pathsep.join([SOURCE_ROOTS, str(site)])) as running:
        yield running


def test_installs_one_module_and_one_entry_point(site: Path) -> None:
    (found,) = distributions(path=[str(site)])
    assert [(point.group, point.name, point.value) for point in found.entry_points] == [
        ("llmteam.steps", "greeting", "greeting_step:GreetingHandler")
    ]
    assert [path.name for path in site.glob("*.py")] == ["greeting_step.py"]


def test_the_catalog_shows_its_card_beside_ours(platform: Platform) -> None:
    types = platform.caller.get("/api/v1/catalog").json()["types"]
    ours = set(registry().catalog)
    assert "greeting" not in ours
    assert set(types) == {*ours, "greeting"}
    card = types["greeting"]
    assert [port["name"] for port in card["output_ports"]] == ["greeting", "error"]
    assert card["config_schema"]["required"] == ["name"]
    assert card["config_schema"]["properties"]["language"]["enum"] == ["en", "de", "fr"]
    assert platform.caller.get("/api/v1/catalog/greeting").json() == card


def test_a_segment_with_it_gives_the_output_the_package_promises(platform: Platform) -> None:
    verdict = platform.validate(SEGMENT)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    example = SEGMENT["metadata"]["example"]
    assert platform.output(SEGMENT, example["input"]) == example["output"] == "BONJOUR, ANN !"


def test_what_it_raises_fails_the_run_with_its_own_words(platform: Platform) -> None:
    assert platform.output(SEGMENT, {"name": "Ann"}) == "BONJOUR, ANN !"
    run = platform.run(SEGMENT, {"name": " "})
    assert run["status"] == "failed"
    assert {name: run["error"][name] for name in ("code", "message", "step_id", "attempts")} == {
        "code": "NOBODY_TO_GREET",
        "message": "The name is empty, so there is nobody to greet.",
        "step_id": "greet",
        "attempts": 1,
    }


def test_its_config_is_checked_when_the_segment_is_saved(platform: Platform) -> None:
    assert platform.validate(SEGMENT)["valid"]
    wrong = json.loads(json.dumps(SEGMENT))
    wrong["steps"][0]["config"]["language"] = "tlh"
    verdict = platform.validate(wrong)
    found = [(finding["code"], finding["pointer"]) for finding in verdict["findings"]]
    assert (verdict["valid"], found) == (False, [("SCHEMA_VIOLATION", "/steps/0/config/language")])


@pytest.mark.soak
def test_the_package_s_own_test_needs_no_platform(site: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:django"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([SOURCE_ROOTS, str(site)]), "DATABASE_URL": "none"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    ran = subprocess.run(
        [*command, "-c", str(PACKAGE / "pyproject.toml"), str(PACKAGE)],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, "4 passed" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_without_the_package_the_type_is_unknown() -> None:
    assert judged(SEGMENT, "error", catalog=registry().catalog) == [("UNKNOWN_TYPE", "/steps/0/type")]


@pytest.mark.soak
def test_two_types_with_one_id_stop_the_start_with_a_sentence(tmp_path: Path) -> None:
    app = "from django.apps import AppConfig\nclass Late(AppConfig):\n    name = 'late'\n    step_types = ({})\n"
    (tmp_path / "late.py").write_text(app.format(""))
    steps = "from runs.steps.transform import Transform\nclass Again(Transform):\n    pass\n"
    (tmp_path / "late_steps.py").write_text(steps)
    assert checked(tmp_path).returncode == 0
    (tmp_path / "late.py").write_text(app.format("'late_steps.Again',"))
    refused = checked(tmp_path)
    assert refused.returncode != 0
    assert "repeats the step type 'transform'." in refused.stderr.splitlines()[-1]


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """Start Django with an app from a folder, as every process of the platform does."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([SOURCE_ROOTS, str(folder)]),
        "EXTRA_APPS": "late.Late",
        "DATABASE_URL": "",
    }
    command = [sys.executable, "-c", "import django; django.setup()"]
    return subprocess.run(
        command, check=False, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
