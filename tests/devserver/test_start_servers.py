import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from devserver import folders
from devserver.errors import NameInUse
from devserver.servers import start_servers
from tests.support.checkouts import open_checkout
from tests.support.child_python import child_python, read_words
from tests.support.process_ends import eventually, is_gone

STARTED = {"DATABASE_URL": "postgres", "REDIS_URL": "valkey"}
BOTH = tuple(STARTED)


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    with open_checkout() as folder:
        yield folder


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REDIS_URL")


def answers(database_url: str, redis_url: str) -> bool:
    with psycopg.connect(database_url) as connection, redis.Redis.from_url(redis_url) as client:
        return connection.execute("select 1").fetchone() == (1,) and bool(client.ping())


def test_pytest_has_servers_that_answer() -> None:
    assert answers(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])


@pytest.mark.usefixtures("unset")
def test_starts_both_and_stops_both(checkout: Path) -> None:
    with start_servers("one", durable=False, checkout=checkout) as servers:
        assert answers(servers.database_url, servers.redis_url)
        children = [server.child for server in servers.running if server.child]
        assert len(children) == 2
    assert all(is_gone(child.pid) for child in children)
    with folders.FolderClaim(checkout=checkout, name="one"):
        pass


@pytest.mark.usefixtures("unset")
def test_a_name_has_one_holder(checkout: Path) -> None:
    with start_servers("one", durable=False, checkout=checkout):
        with pytest.raises(NameInUse, match=f"process {os.getpid()}"):
            start_servers("one", durable=False, checkout=checkout)
        with start_servers("one", durable=False, side_by_side=True, checkout=checkout) as beside:
            assert beside.claim
            assert beside.claim.name == "one-2"
            assert answers(beside.database_url, beside.redis_url)


@pytest.mark.parametrize("named", [{"DATABASE_URL", "REDIS_URL"}, {"DATABASE_URL"}, {"REDIS_URL"}])
def test_starts_nothing_that_the_environment_names(
    checkout: Path, named: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {name: os.environ[name] for name in named}
    for name in {"DATABASE_URL", "REDIS_URL"} - named:
        monkeypatch.delenv(name)
    with start_servers("one", durable=False, checkout=checkout) as servers:
        assert {name: servers.environment()[name] for name in named} == given
        assert {server.name for server in servers.running} == {STARTED[name] for name in STARTED.keys() - named}
        assert answers(servers.database_url, servers.redis_url)


def test_ensure_shares_the_servers_of_another_process(checkout: Path) -> None:
    code = f"""if True:
        import os, pathlib, time
        from devserver.servers import ensure
        ensure("one", durable=False, checkout=pathlib.Path({str(checkout)!r}))
        print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], flush=True)
        time.sleep(60)
    """
    with child_python(code, without=BOTH) as first:
        urls = read_words(first)
        with child_python(code, without=BOTH) as second:
            assert read_words(second) == urls
        assert answers(*urls)


def test_a_killed_parent_leaves_no_process_and_data_that_recover(checkout: Path) -> None:
    code = f"""if True:
        import pathlib, time
        import psycopg
        from devserver.servers import start_servers
        servers = start_servers("killed", checkout=pathlib.Path({str(checkout)!r}))
        with psycopg.connect(servers.owner_url) as connection:
            connection.execute("create table if not exists starts (at timestamptz default now())")
            connection.execute("insert into starts default values")
        with psycopg.connect(servers.owner_url) as connection:
            count = connection.execute("select count(*) from starts").fetchone()[0]
        print(count, *[server.child.pid for server in servers.running], flush=True)
        time.sleep(60)
    """  # noqa: S608 - no part of the statements comes from outside
    for expected in ("1", "2"):
        with child_python(code, without=BOTH) as parent:
            count, *pids = read_words(parent)
            assert count == expected
            assert not any(is_gone(int(pid)) for pid in pids)
        assert eventually(lambda pids=pids: all(is_gone(int(pid)) for pid in pids), seconds=5)
