"""A step type from another package: built, installed and found by its entry point."""

import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "examples" / "greeting_step"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(PACKAGE)], check=True, timeout=100)  # noqa: S603 - our own command
    return target


def test_installs_one_module_and_one_entry_point(installed: Path) -> None:
    (found,) = distributions(path=[str(installed)])
    assert [(point.group, point.name, point.value) for point in found.entry_points] == [
        ("llmteam.steps", "greeting", "greeting_step:GreetingHandler")
    ]
    assert [path.name for path in installed.glob("*.py")] == ["greeting_step.py"]
