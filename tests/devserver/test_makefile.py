import os
import re
import subprocess
from pathlib import Path

import pytest

from devserver import folders
from tests.support.sampling import sampled

PROMISED = {
    "help",
    "venv",
    "run",
    "demo",
    "test",
    "soak",
    "canvas",
    "check",
    "fix",
    "bench",
    "pairs",
    "chaos",
    "browser",
    "pictures",
    "clients",
    "lock",
}


def make(*arguments: str, folder: Path = folders.CHECKOUT, **variables: str) -> subprocess.CompletedProcess[str]:
    # Under `make test` a make started here would take itself for a part of that one.
    outside = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return subprocess.run(
        ["make", *arguments],  # noqa: S607 - whichever make the person has
        cwd=folder,
        env={**outside, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    listed = dict(re.findall(r"^make (\S+) +(\S.*)$", make().stdout, flags=re.MULTILINE))
    assert listed.keys() == PROMISED


@pytest.mark.parametrize("target", sampled(sorted(PROMISED - {"help", "venv"}), one_in=4))
def test_every_target_sets_up_what_it_needs_first(target: str, tmp_path: Path) -> None:
    for name in ("Makefile", "requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((folders.CHECKOUT / name).read_bytes())
    planned = make("--dry-run", target, folder=tmp_path).stdout
    steps = ["-m venv .venv", "--require-hashes -r requirements-dev.txt", "--no-build-isolation --editable ."]
    assert [step for step in steps if step in planned] == steps
    assert planned.index(steps[0]) < planned.index(steps[1]) < planned.index(steps[2])


def test_without_a_new_enough_python_it_says_what_is_needed(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((folders.CHECKOUT / name).read_bytes())
    for name in ("python3.11", "python3", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    answer = make("venv", folder=tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert answer.returncode != 0
    assert "Python 3.11 or newer is needed" in answer.stderr


def without_chromium(folder: Path) -> str:
    """A search path with all programs there are but Chromium."""
    for program in (path for place in os.environ["PATH"].split(os.pathsep) for path in Path(place).glob("*")):
        link = folder / program.name
        if not program.name.startswith("chromium") and not link.is_symlink():
            link.symlink_to(program)
    return str(folder)


def test_without_chromium_the_browser_tests_fail_and_name_the_package(tmp_path: Path) -> None:
    answer = make("browser", PATH=without_chromium(tmp_path))
    assert answer.returncode != 0
    assert "install Debian's package `chromium`" in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("url", "passed"), [("", " -n 4 --dist loadfile --no-loadscope-reorder"), ("postgresql://elsewhere/tests", "")]
)
def test_the_tests_are_shared_out_unless_servers_are_given(url: str, passed: str) -> None:
    planned = make("--dry-run", "test", f"DATABASE_URL={url}").stdout.strip()
    assert planned.splitlines()[-1].rstrip() == f"exec .venv/bin/python -m pytest{passed}"


@pytest.mark.parametrize(("data", "passed"), [("", ""), ("my file.csv", ' "my file.csv"')])
def test_demo_passes_the_file_on(data: str, passed: str) -> None:
    planned = make("--dry-run", "demo", f"DATA={data}").stdout.strip()
    assert planned.splitlines()[-1] == f"exec .venv/bin/python -m examples.return_desk.demo{passed}".strip()


def made_by_ci(path: str, **variables: str) -> list[str]:
    """The lines that the run says."""
    script = str(folders.CHECKOUT / ".ci" / "run")
    environment = {"PATH": path, **variables}
    return subprocess.run([script], env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(("soak_by", "is_soaked"), [("1000", True), ("0", False)])
def test_ci_runs_check_test_demo_and_soak_where_there_is_time(tmp_path: Path, soak_by: str, is_soaked: bool) -> None:
    path = without_chromium(tmp_path)
    (tmp_path / "make").unlink()
    (tmp_path / "make").write_text("#!/bin/sh\necho made $*\n")
    (tmp_path / "make").chmod(0o755)
    said = made_by_ci(path, SOAK_BY=soak_by)
    made = ["made -j2 --output-sync check", "made test", "made demo", "made soak"]
    assert [line for line in said if line.startswith("made")] == (made if is_soaked else made[:3])
    assert any(line.startswith("SOAK: NOT RUN") for line in said) == (not is_soaked)


@pytest.mark.parametrize("has_chromium", [True, False])
def test_ci_shows_the_inbox_to_a_browser_or_says_that_it_did_not(tmp_path: Path, has_chromium: bool) -> None:
    path = without_chromium(tmp_path)
    (tmp_path / "make").unlink()
    for name in ["make", "chromium"] if has_chromium else ["make"]:
        (tmp_path / name).write_text("#!/bin/sh\necho made $1\n")
        (tmp_path / name).chmod(0o755)
    said = made_by_ci(path)
    assert ("made browser" in said) == has_chromium
    assert (said[-1] == "BROWSER: NOT RUN") == (not has_chromium)


@pytest.mark.parametrize("has_nginx", [True, False])
def test_ci_says_when_the_proxy_was_not_tested(tmp_path: Path, has_nginx: bool) -> None:
    path = without_chromium(tmp_path)
    for linked in ("make", "nginx"):
        (tmp_path / linked).unlink(missing_ok=True)
    for name in ["make", "nginx"] if has_nginx else ["make"]:
        (tmp_path / name).write_text("#!/bin/sh\necho made $1\n")
        (tmp_path / name).chmod(0o755)
    assert ("PROXY: NOT RUN" in made_by_ci(path)) == (not has_nginx)
