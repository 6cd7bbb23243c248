import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devserver import processes
from devserver.errors import PartDidNotStart
from devserver.supervisor import SupervisedPart, Supervisor, has_printed, listening
from tests.support.child_python import child_python, read_words
from tests.support.process_ends import eventually, is_gone

PATIENT = "import time; print('it is up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PATIENT}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); {PATIENT}"


def part(name: str, code: str = PATIENT) -> SupervisedPart:
    return SupervisedPart(name=name, argv=[sys.executable, "-c", code], ready=has_printed("it is up"), ready_seconds=60)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(folder=tmp_path, logs=tmp_path / "log", environment=dict(os.environ), say=said.append)
    yield made
    made.stop_all()


def test_starts_parts_and_says_so(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(part("first"), part("second"))
    assert [line.split() for line in said] == [["first", "up"], ["second", "up"]]
    assert supervisor.pid_of("first") != supervisor.pid_of("second")
    assert "it is up" in supervisor.log_of("first").read_text()


def test_shows_the_address_of_a_part(supervisor: Supervisor, said: list[str]) -> None:
    port = processes.free_port()
    argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    supervisor.start(SupervisedPart(name="web", argv=argv, ready=listening(port), address=f"127.0.0.1:{port}"))
    assert processes.listens(port)
    assert said[0].endswith(f"up    127.0.0.1:{port}")


def test_notices_a_killed_part_says_it_and_starts_it_again(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(part("mortal"))
    pid = supervisor.pid_of("mortal")
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: bool(supervisor.watch()) or len(said) == 3, seconds=60)
    assert "was ended by SIGKILL; starting it again in 0.5 s; see " in said[1]
    assert said[1].endswith("log/mortal.log")
    assert said[2].split() == ["mortal", "up"]
    assert supervisor.pid_of("mortal") != pid


def test_pauses_longer_after_each_death(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(part("weak", "print('it is up', flush=True); import time; time.sleep(0.05)"))
    assert eventually(lambda: bool(supervisor.watch()) or sum("again" in line for line in said) == 3, seconds=60)
    assert re.findall(r"again in (\S+) s", "\n".join(said)) == ["0.5", "1", "2"]
    with pytest.raises(KeyError):
        supervisor.pid_of("weak")


def test_reports_a_part_that_ends_at_once_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    with pytest.raises(PartDidNotStart, match=r"(?s)broken ended with exit code 1.*log/broken\.log.*no such luck"):
        supervisor.start(part("broken", "import sys; sys.exit('no such luck')"))


def test_reports_a_part_that_is_not_ready_in_time(supervisor: Supervisor) -> None:
    slow = SupervisedPart(name="slow", argv=part("slow").argv, ready=has_printed("never said"), ready_seconds=0.3)
    with pytest.raises(PartDidNotStart, match=r"slow was not ready after 0\.3 s"):
        supervisor.start(slow)


def test_an_earlier_runs_output_does_not_count_as_ready(supervisor: Supervisor) -> None:
    supervisor.start(part("again"))
    supervisor.stop("again")
    silent = SupervisedPart(
        name="again",
        argv=[sys.executable, "-c", "import time; time.sleep(9)"],
        ready=part("again").ready,
        ready_seconds=0.3,
    )
    with pytest.raises(PartDidNotStart):
        supervisor.start(silent)


def test_restart_gives_a_new_process(supervisor: Supervisor) -> None:
    supervisor.start(part("worker"))
    pid = supervisor.pid_of("worker")
    supervisor.restart("worker")
    assert supervisor.pid_of("worker") != pid
    assert is_gone(pid)


def test_stop_leaves_no_process_however_stubborn(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devserver.supervisor.STOP_SECONDS", 0.5)
    supervisor.start(part("calm"), part("stubborn", STUBBORN), part("parent", PARENT))
    groups = [supervisor.pid_of(name) for name in ("calm", "stubborn", "parent")]
    started_at = time.monotonic()
    supervisor.stop_all()
    assert time.monotonic() - started_at < 20, "they would go on for a minute"
    assert all(eventually(lambda group=group: not group_lives(group), seconds=20) for group in groups)


def group_lives(group: int) -> bool:
    listing = subprocess.run(["/bin/ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(line.split()[0] == str(group) and not line.split()[1].startswith("Z") for line in listing.splitlines())


def test_a_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    code = f"""if True:
        import os, pathlib, sys, time
        from devserver.supervisor import SupervisedPart, Supervisor, has_printed
        folder = pathlib.Path({str(tmp_path)!r})
        supervisor = Supervisor(folder=folder, logs=folder, environment=dict(os.environ), say=str)
        for name in ("one", "two"):
            argv = [sys.executable, "-c", {STUBBORN!r}]
            supervisor.start(SupervisedPart(name=name, argv=argv, ready=has_printed("it is up")))
        print(supervisor.pid_of("one"), supervisor.pid_of("two"), flush=True)
        time.sleep(60)
    """
    with child_python(code) as parent:
        pids = [int(word) for word in read_words(parent)]
        assert len(pids) == 2
        assert not any(is_gone(pid) for pid in pids)
    assert eventually(lambda: all(is_gone(pid) for pid in pids), seconds=5)
