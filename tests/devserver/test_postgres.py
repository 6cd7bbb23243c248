import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devserver import folders, postgres, programs
from devserver.errors import FolderNotTrusted
from tests.support.checkouts import open_checkout
from tests.support.process_ends import eventually, is_gone

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root has to run Postgres as somebody else")


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    with open_checkout() as folder:
        yield folder


@pytest.fixture
def claim(checkout: Path) -> Iterator[folders.FolderClaim]:
    with folders.FolderClaim(checkout=checkout, name="postgres-test") as taken:
        yield taken


@pytest.fixture
def server(claim: folders.FolderClaim, checkout: Path) -> Iterator[postgres.Postgres]:
    running = postgres.start(claim, checkout=checkout, durable=True)
    yield running
    running.stop()


def ask(server: postgres.Postgres, question: str) -> object:
    with psycopg.connect(server.url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def rounds_of_hashing(server: postgres.Postgres) -> set[str]:
    question = "select string_agg(distinct split_part(split_part(rolpassword, '$', 2), ':', 1), ' ') from pg_authid"
    return set(str(ask(server, question)).split())


def tell(server: postgres.Postgres, statement: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_answers(server: postgres.Postgres) -> None:
    assert ask(server, "select 1") == 1
    assert int(str(ask(server, "show server_version_num"))) >= 150000


def test_knows_letter_case_beyond_ascii(server: postgres.Postgres) -> None:
    assert ask(server, "select upper('rückgabe')") == "RÜCKGABE"


def test_is_durable_and_on_loopback_only(server: postgres.Postgres) -> None:
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
    }
    assert {name: ask(server, f"show {name}") for name in wanted} == wanted


def test_may_trade_durability_for_speed(claim: folders.FolderClaim, checkout: Path) -> None:
    server = postgres.start(claim, checkout=checkout, durable=False)
    try:
        assert ask(server, "show fsync") == "off"
        if int(str(ask(server, "show server_version_num"))) >= postgres.HAS_SCRAM_ITERATIONS:
            assert rounds_of_hashing(server) == {"1"}
    finally:
        server.stop()


def test_lets_nobody_in_without_the_password(server: postgres.Postgres) -> None:
    assert ask(server, "select 1") == 1
    flawed = server.url.replace("@", "x@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(flawed)


def test_keeps_data_over_a_restart(server: postgres.Postgres, claim: folders.FolderClaim, checkout: Path) -> None:
    tell(server, "create table kept (word text)")
    tell(server, "insert into kept values ('stays')")
    server.stop()
    again = postgres.start(claim, checkout=checkout)
    try:
        assert ask(again, "select word from kept") == "stays"
    finally:
        again.stop()


def test_recovers_committed_data_after_sigkill(server: postgres.Postgres) -> None:
    tell(server, "create table committed (word text)")
    tell(server, "insert into committed values ('safe')")
    assert server.child
    os.kill(server.child.pid, signal.SIGKILL)
    assert eventually(lambda: not server.alive(), seconds=5)
    url = server.url
    server.revive()
    assert server.url == url
    assert ask(server, "select word from committed") == "safe"


def test_ends_a_server_left_behind_on_the_same_data(
    server: postgres.Postgres, claim: folders.FolderClaim, checkout: Path
) -> None:
    assert server.child
    again = postgres.start(claim, checkout=checkout)
    try:
        assert is_gone(server.child.pid)
        assert ask(again, "select 1") == 1
    finally:
        again.stop()


def test_starts_although_a_stale_pid_file_names_a_living_process(
    server: postgres.Postgres, claim: folders.FolderClaim, checkout: Path
) -> None:
    server.stop()
    (server.site.data / "postmaster.pid").write_text(f"{os.getppid()}\n{server.site.data}\n")
    again = postgres.start(claim, checkout=checkout)
    try:
        assert ask(again, "select 1") == 1
    finally:
        again.stop()


def test_makes_data_again_when_making_was_cut_short(claim: folders.FolderClaim, checkout: Path) -> None:
    home = claim.folder / "postgres"
    shutil.rmtree(home, ignore_errors=True)
    (home / "unfinished").mkdir(parents=True)
    (home / "unfinished" / "PG_VERSION").write_text("18")
    server = postgres.start(claim, checkout=checkout, durable=False)
    try:
        assert ask(server, "select 1") == 1
    finally:
        server.stop()


def unprivileged_user() -> str:
    return "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"


@root_only
def test_keeps_data_elsewhere_where_its_user_may_not_enter_the_checkout(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert not folders.may_enter(unprivileged_user(), tmp_path)
    place = folders.open_folder(tmp_path)
    try:
        with folders.FolderClaim(checkout=tmp_path, name="private") as claim:
            server = postgres.start(claim, checkout=tmp_path, durable=False)
            try:
                assert ask(server, "select 1") == 1
                assert server.site.home.is_relative_to(place)
                assert stat.S_IMODE(server.site.home.stat().st_mode) == 0o700
            finally:
                server.stop()
    finally:
        shutil.rmtree(place)


@root_only
def test_a_copy_of_the_programs_runs_as_any_user(tmp_path: Path) -> None:
    found = programs.find_postgres()
    if found.wheel is None:
        pytest.skip("the programs come from PATH")
    place = folders.open_folder(tmp_path)
    try:
        copy = programs.copy_for_others(found, into=place)
        assert copy.folder.is_relative_to(place)
        assert folders.may_enter(unprivileged_user(), copy.folder / "postgres")
        answer = subprocess.run(
            [copy.folder / "initdb", "--version"],
            user=unprivileged_user(),
            extra_groups=[],
            cwd="/",
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PostgreSQL" in answer.stdout, answer.stderr
        assert programs.copy_for_others(found, into=place) == copy
        assert [path.name for path in place.iterdir() if path.is_dir()] == [copy.folder.parents[2].name]
    finally:
        shutil.rmtree(place)


def test_refuses_a_place_for_the_copy_that_others_may_write_to(tmp_path: Path) -> None:
    place = folders.open_folder(tmp_path)
    try:
        assert folders.open_folder(tmp_path) == place
        place.chmod(0o777)
        with pytest.raises(FolderNotTrusted, match="only this user may write"):
            folders.open_folder(tmp_path)
    finally:
        place.rmdir()


def without_packages(code: str, *, path: str) -> subprocess.CompletedProcess[str]:
    """Run code that sees our package but no installed one."""
    start = f"import sys; sys.path.insert(0, {str(folders.CHECKOUT / 'platform')!r}); {code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", start], env={"PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("finder", "variable"), [("find_postgres", "DATABASE_URL"), ("find_valkey", "REDIS_URL")])
def test_says_what_to_do_when_there_is_no_program(finder: str, variable: str) -> None:
    answer = without_packages(f"from devserver import programs; programs.{finder}()", path="/nonexistent")
    assert "ServerNotInstalled" in answer.stderr
    assert f"set {variable}" in answer.stderr
    assert "install the development dependencies" in answer.stderr


def test_falls_back_to_programs_on_path(tmp_path: Path) -> None:
    for name in ("initdb", "postgres", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    code = "from devserver import programs; print(programs.find_postgres().folder); print(programs.find_valkey())"
    answer = without_packages(code, path=str(tmp_path))
    assert answer.stdout.split("\n")[:2] == [str(tmp_path), str(tmp_path / "valkey-server")]
