import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.child_python import SOURCE_ROOTS

STORY = """
import os
import psycopg

def test_story():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        print("port", connection.info.port, connection.execute("show fsync").fetchone()[0])
"""

TELLING = """
import os

def pytest_runtest_call(item):
    item.path.with_suffix(".url").write_text(os.environ["DATABASE_URL"])
"""

OURS = {"DATABASE_URL", "REDIS_URL", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"}
"""What a pytest tells its children, which these are not."""


def run_pytest(
    folder: Path, *arguments: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    (folder / "test_story.py").write_text(STORY)
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    plugins = ["-p", "devserver.pytest_plugin", "-p", "no:django", "-p", "no:cacheprovider"]
    options = ["-s", "-c", os.devnull, f"--rootdir={folder}"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options, str(folder), *arguments],
        env={**kept, "PYTHONPATH": SOURCE_ROOTS, **variables},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.soak
def test_gives_a_pytest_beside_another_a_database_of_its_own(tmp_path: Path) -> None:
    answer = run_pytest(tmp_path)
    assert answer.returncode == 0, answer.stdout
    port, fsync = answer.stdout.split("port ")[1].split()[:2]
    assert fsync == "off"
    assert f":{port}/" not in os.environ["DATABASE_URL"]


@pytest.mark.soak
def test_uses_the_database_it_is_given(tmp_path: Path) -> None:
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    answer = run_pytest(tmp_path, **given)
    assert answer.returncode == 0, answer.stdout
    port = answer.stdout.split("port ")[1].split()[0]
    assert f":{port}/" in given["DATABASE_URL"]


@pytest.mark.parametrize("argument", ["--collect-only", "--version"])
def test_starts_nothing_when_no_test_will_run(tmp_path: Path, argument: str) -> None:
    answer = run_pytest(tmp_path, argument, PATH="/nonexistent")
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.soak
def test_processes_that_share_the_tests_out_have_a_database_each(tmp_path: Path) -> None:
    (tmp_path / "test_another_story.py").write_text(STORY)
    (tmp_path / "conftest.py").write_text(TELLING)
    answer = run_pytest(tmp_path, "-n", "2", "--dist", "loadfile", cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    told = [path.read_text() for path in tmp_path.glob("*.url")]
    assert (len(told), len(set(told))) == (2, 2), "as many files as processes, so each ran one"
