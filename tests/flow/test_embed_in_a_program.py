"""The programs of docs/howto/embed.md, as they stand, in processes of their own against a real worker."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from devserver.folders import CHECKOUT
from tests.conftest import Customer
from tests.support.processes.environment import program_environment
from tests.support.worker import running_worker

PAGE = (CHECKOUT / "docs/howto/embed.md").read_text()
FIRST = (CHECKOUT / "docs/howto/first-segment.md").read_text()
PROGRAM, OWN_TYPE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WELCOME = next(block for block in re.findall(r"```json\n(.*?)```", FIRST, re.DOTALL) if '"entrypoint"' in block)
pytestmark = pytest.mark.django_db(transaction=True)


def run_program(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "welcome.json").write_text(WELCOME)
    return subprocess.run(
        [sys.executable, "-c", text],
        cwd=folder,
        env=program_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_program_defines_validates_saves_starts_and_awaits(acme: Customer, tmp_path: Path) -> None:
    with running_worker():
        ended = run_program(PROGRAM, tmp_path)
    assert (ended.stdout, ended.returncode) == ("completed {'again': 'Good to see you again, Ada'}\n", 0), ended.stderr


@pytest.mark.soak
def test_what_is_wrong_with_a_segment_is_told_and_raised(acme: Customer, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text(WELCOME.replace('"known", "type": "condition"', '"known", "type": "no_such"'))
    ended = run_program(PROGRAM.replace("welcome.json", "wrong.json"), tmp_path)
    assert ended.stdout.startswith("error /steps/0/type ")
    assert ended.returncode == 1
    assert "SegmentInvalid" in ended.stderr


@pytest.mark.soak
def test_a_program_runs_a_step_type_of_its_own(acme: Customer, tmp_path: Path) -> None:
    ended = run_program(OWN_TYPE, tmp_path)
    assert (ended.stdout, ended.returncode) == ("HELLO!\n", 0), ended.stderr


@pytest.mark.soak
def test_without_a_worker_the_program_is_told_that_the_run_goes_on(acme: Customer, tmp_path: Path) -> None:
    ended = run_program(PROGRAM.replace("seconds=30", "seconds=0.2"), tmp_path)
    assert re.search(r"TimeoutError: The run [0-9a-f-]{36} is queued after 0.2 s.", ended.stderr)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("program", "error"),
    [
        (PROGRAM.replace('"acme"', '"nobody"'), "LookupError: There is no tenant 'nobody'."),
        (
            OWN_TYPE.replace("platform = connect", 'connect("acme")\nplatform = connect'),
            "RuntimeError: Step types",
        ),
    ],
    ids=["tenant", "late"],
)
def test_a_wrong_use_is_told(acme: Customer, tmp_path: Path, program: str, error: str) -> None:
    ended = run_program(program, tmp_path)
    assert ended.returncode == 1
    assert error in ended.stderr
