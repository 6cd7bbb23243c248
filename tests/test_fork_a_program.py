"""Servers and workers of tests are forked from a Python that has imported much: nobody can tell."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devserver.folders import CHECKOUT
from tests.support.child_python import child_python, read_words
from tests.support.process_ends import eventually, is_gone
from tests.support.processes.environment import environment_of_python
from tests.support.processes.forked import ForkedProcess, start_program

TELLING = "tests.support.processes.telling"


def tell_forked(log: Path, **more: str) -> dict[str, Any]:
    environment = environment_of_python(ONLY_HERE="1", **more)
    process = start_program(TELLING, "one", "two words", environment=environment, log=log)
    assert process.wait(60) == 3
    return dict(json.loads(log.read_text()))


def tell_started(**more: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", TELLING, "one", "two words"]
    environment = environment_of_python(ONLY_HERE="1", **more)
    done = subprocess.run(
        argv, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    return dict(json.loads(done.stdout))


def test_a_forked_program_is_given_what_a_started_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fork_server_first = tell_forked(tmp_path / "first.log")
    monkeypatch.setenv("SINCE_THE_FORK_SERVER_STARTED", "1")
    monkeypatch.delenv("LLMTEAM_DEVELOPMENT")
    told = tell_forked(tmp_path / "log")
    assert told == tell_started()
    assert told["environment"].keys() - fork_server_first["environment"].keys() == {"SINCE_THE_FORK_SERVER_STARTED"}
    assert (told["has settings"], told["threads"]) == (False, 1)


def test_what_it_prints_is_added_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"before": 1}\n')
    start_program(TELLING, environment=environment_of_python(), log=log).wait(60)
    assert [len(json.loads(line)) for line in log.read_text().splitlines()] == [1, 11]


def test_its_end_is_told_as_of_a_process_of_our_own(tmp_path: Path) -> None:
    environment = environment_of_python()
    process = start_program("asyncio", environment=environment, log=tmp_path / "log")
    assert process.wait(60) == 0, "its input is empty"
    for number in (signal.SIGKILL, signal.SIGTERM):
        waits = start_program("http.server", "0", environment=environment, log=tmp_path / f"{number}.log")
        assert isinstance(waits, ForkedProcess)
        with pytest.raises(subprocess.TimeoutExpired):
            waits.wait(0.1)
        assert (waits.poll(), waits.returncode) == (None, None)
        waits.send_signal(number)
        assert waits.wait(60) == waits.returncode == -number
        waits.kill()
        assert waits.poll() == -number, "a signal to what has ended goes nowhere"


def test_another_python_path_needs_a_python_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "only_there.py").write_text("import time\n")
    path = os.pathsep.join([environment_of_python()["PYTHONPATH"], str(tmp_path)])
    process = start_program("only_there", environment=environment_of_python(PYTHONPATH=path), log=tmp_path / "log")
    assert isinstance(process, subprocess.Popen)
    assert process.wait(60) == 0
    assert start_program("only_there", environment=environment_of_python(), log=tmp_path / "log").wait(60) == 1


def test_nothing_outlives_who_started_it(tmp_path: Path) -> None:
    code = f"""if True:
        import os, pathlib, signal
        from tests.support.processes.environment import environment_of_python
        from tests.support.processes.forked import start_program
        log = pathlib.Path({str(tmp_path)!r}) / "log"
        print(start_program("http.server", "0", environment=environment_of_python(), log=log).pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    with child_python(code) as parent:
        (pid,) = map(int, read_words(parent))
        assert eventually(lambda: is_gone(pid), seconds=60)
