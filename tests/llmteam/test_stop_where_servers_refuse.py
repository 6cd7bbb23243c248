"""A database or a Redis that refuses its setting stops the start with a sentence; one that is away is waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from django.db import connection

from devserver.processes import free_port
from llmteam.preflight import is_refused_by_database, is_refused_by_redis, stop_where_database_refuses
from tenants.database_roles import ensure_roles
from tests.support.process_ends import eventually
from tests.support.processes.environment import program_environment
from tests.support.processes.forked import Process, start_program
from tests.support.server import running_server
from tests.support.valkeys import own_valkey

NOBODY = "127.0.0.1:1"
PASSWORD = "canary-7d1e"
WEB = ("llmteam.web", "--bind", "127.0.0.1", "--port")
WORKER = ("celery", "-A", "llmteam", "worker", "--pool", "threads", "--concurrency", "2")
BEAT = ("celery", "--quiet", "-A", "llmteam", "beat", "--schedule")


@pytest.mark.parametrize(
    "words",
    [
        'FATAL:  password authentication failed for user "llmteam"',
        'FATAL:  Peer authentication failed for user "llmteam"',
        "fe_sendauth: no password supplied",
        'FATAL:  role "llmteam" does not exist',
        'FATAL:  role "llmteam" is not permitted to log in',
        'FATAL:  database "llmteam" does not exist',
        'FATAL:  permission denied for database "llmteam" DETAIL:  User does not have CONNECT privilege.',
        'FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "llmteam", database "llmteam", no encryption',
        "server does not support SSL, but SSL was required",
        "channel binding required, but SSL not in use",
        "GSSAPI encryption required but no credential cache",
        'root certificate file "/etc/ca.pem" does not exist Either provide the file or change sslmode',
        "SSL error: certificate verify failed",
        'server certificate for "db" does not match host name "10.0.0.5"',
        'could not read certificate file "/etc/client.pem": no start line',
        'private key file "/etc/client.key" has group or world access',
        'weak sslmode "require" may not be used with sslrootcert=system (use "verify-full")',
        "FATAL:  no such database: llmteam",
        "FATAL:  SASL authentication failed",
        "FATAL:  unsupported startup parameter: options",
        'connection to server at "db" (::1) failed: Connection refused connection to server at "db" failed: '
        'FATAL:  password authentication failed for user "llmteam"',
    ],
)
def test_words_that_no_waiting_mends_refuse(words: str) -> None:
    assert is_refused_by_database(words)


@pytest.mark.parametrize(
    "words",
    [
        'connection to server at "127.0.0.1", port 1 failed: Connection refused Is the server running on that host?',
        "connection timeout expired",
        "failed to resolve host 'db': [Errno -2] Name or service not known",
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is shutting down",
        "FATAL:  the database system is in recovery mode",
        "FATAL:  the database system is not yet accepting connections DETAIL:  Consistent recovery state has not been",
        "FATAL:  sorry, too many clients already",
        'FATAL:  too many connections for role "llmteam"',
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "FATAL:  terminating connection due to administrator command",
        "server closed the connection unexpectedly This probably means the server terminated abnormally",
        "session is read-only",
        "server is in hot standby mode",
        "FATAL:  pgbouncer cannot connect to server",
        'FATAL:  database "llmteam" is not currently accepting connections',
    ],
)
def test_words_of_a_database_that_is_away_do_not(words: str) -> None:
    assert not is_refused_by_database(words)


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (redis.AuthenticationError("invalid username-password pair or user is disabled."), True),
        (redis.exceptions.NoPermissionError("No permissions to access a channel"), True),
        (redis.ResponseError("DB index is out of range"), True),
        (redis.ResponseError("DENIED Redis is running in protected mode because"), True),
        (redis.ConnectionError("Error 1 connecting to r:6379. [SSL: CERTIFICATE_VERIFY_FAILED] certificate"), True),
        (redis.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."), False),
        (redis.TimeoutError("Timeout connecting to server"), False),
        (redis.exceptions.BusyLoadingError("Redis is loading the dataset in memory"), False),
        (redis.ConnectionError("max number of clients reached"), False),
        (redis.exceptions.ReadOnlyError("You can't write against a read only replica."), False),
        (redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), False),
    ],
)
def test_redis_refuses_for_good_or_for_now(error: Exception, refused: bool) -> None:
    assert is_refused_by_redis(error) is refused


def database_url(*, login: str = "", name: str = "", query: str = "") -> str:
    told = connection.settings_dict
    login = login or f"{told['USER']}:{told['PASSWORD']}"
    return f"postgresql://{login}@{told['HOST']}:{told['PORT']}/{name or told['NAME']}{query}"


@contextmanager
def role(name: str, *, more: str = "") -> Iterator[str]:
    """Make a role that may come in; gives its login."""
    with connection.cursor() as cursor:
        cursor.execute(f"create role {name} login password '{PASSWORD}' {more}")
        try:
            yield f"{name}:{PASSWORD}"
        finally:
            cursor.execute(f"drop role {name}")


@contextmanager
def started(tmp_path: Path, *argv: str, **environment: str) -> Iterator[tuple[Process, Path]]:
    log = tmp_path / f"{argv[0]}-{argv[-1].rpartition('/')[2]}.log"
    process = start_program(*argv, environment=program_environment(**environment), log=log)
    try:
        yield process, log
    finally:
        process.kill()
        process.wait(30)


def words_of_a_start_that_stops(tmp_path: Path, *argv: str, **environment: str) -> str:
    with started(tmp_path, *argv, **environment) as (process, log):
        assert process.wait(90) == 1, log.read_text()
        (sentence,) = [line for line in log.read_text().splitlines() if "cannot be honoured" in line]
        assert "Traceback" not in log.read_text()
        assert PASSWORD not in log.read_text()
        return sentence


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_tls_asked_of_a_server_without_it_stops_web_process_and_worker(tmp_path: Path) -> None:
    """That both start with the same address without the query, the other tests of this folder show."""
    wrong = {"DATABASE_URL": database_url(query="?sslmode=require")}
    for argv in ((*WEB, str(free_port())), WORKER):
        sentence = words_of_a_start_that_stops(tmp_path, *argv, **wrong)
        assert "DATABASE_URL cannot be honoured: connection to server at" in sentence
        assert sentence.endswith("server does not support SSL, but SSL was required")


@pytest.mark.django_db(transaction=True)
def test_the_start_stops_for_a_wrong_login_an_unknown_database_and_a_right_that_is_missing() -> None:
    def look(url: str) -> None:
        told = connection.settings_dict
        parts = urlsplit(url)
        stop_where_database_refuses(
            "DATABASE_DIRECT_URL",
            {**told, "USER": parts.username, "PASSWORD": parts.password, "NAME": parts.path[1:]},
        )

    with role("preflight_login") as login, role("preflight_full", more="connection limit 0") as full:
        look(database_url(login=login))
        look(database_url(login=full))
        for url in (
            database_url(login=f"preflight_login:{PASSWORD}x"),
            database_url(login=f"preflight_nobody:{PASSWORD}"),
            database_url(login=login, name="preflight_none"),
        ):
            with pytest.raises(SystemExit):
                look(url)


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_a_worker_names_the_direct_connection_that_refuses(tmp_path: Path) -> None:
    direct = {"DATABASE_DIRECT_URL": database_url(login=f"preflight_nobody:{PASSWORD}")}
    sentence = words_of_a_start_that_stops(tmp_path, *WORKER, **direct)
    assert "DATABASE_DIRECT_URL cannot be honoured: " in sentence
    assert 'password authentication failed for user "preflight_nobody"' in sentence


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_servers_that_are_away_are_waited_for() -> None:
    away = {"DATABASE_URL": f"postgresql://llmteam:{PASSWORD}@{NOBODY}/llmteam", "REDIS_URL": f"redis://{NOBODY}/0"}
    with running_server(**away) as server, server.caller() as caller:
        parts = caller.get("/readyz").json()["parts"]
        assert (parts["database"], parts["redis"]) == ("away", "degraded")
        assert "WARNING llmteam.preflight DATABASE_URL: the database is away and is waited for: " in server.log
        assert "WARNING llmteam.preflight REDIS_URL: Redis is away and is waited for: " in server.log
        assert PASSWORD not in server.log


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_a_password_that_changes_stops_the_next_start_and_nothing_that_runs(tmp_path: Path) -> None:
    with role("preflight_web", more="noinherit") as login:
        ensure_roles(login="preflight_web")
        url = {"DATABASE_URL": database_url(login=login)}
        with running_server(**url) as server, server.caller() as caller:
            assert caller.get("/readyz").json()["parts"]["database"] == "ok"
            with connection.cursor() as cursor:
                cursor.execute("alter role preflight_web password 'another'")
                cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'preflight_web'")
            assert eventually(lambda: caller.get("/readyz").json()["parts"]["database"] == "away", seconds=30)
            sentence = words_of_a_start_that_stops(tmp_path, *WEB, str(free_port()), **url)
            assert 'DATABASE_URL cannot be honoured: connection to server at "127.0.0.1"' in sentence
            assert 'password authentication failed for user "preflight_web"' in sentence
            assert caller.get("/healthz").status_code == 200
            with connection.cursor() as cursor:
                cursor.execute(f"alter role preflight_web password '{PASSWORD}'")
            assert eventually(lambda: caller.get("/readyz").json()["parts"]["database"] == "ok", seconds=30)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database_url(login=login))


@pytest.mark.django_db(transaction=True)
def test_a_login_that_no_wall_holds_stops_web_process_and_worker(tmp_path: Path) -> None:
    """That both start with a login that owns nothing, every test with a process shows."""
    with role("preflight_great", more="superuser") as login:
        for argv in ((*WEB, str(free_port())), WORKER):
            sentence = words_of_a_start_that_stops(tmp_path, *argv, DATABASE_URL=database_url(login=login))
            assert "DATABASE_URL cannot be honoured: the wall between tenants stands open: " in sentence
            assert "the login preflight_great is a superuser, for whom row-level security does not hold" in sentence


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_a_redis_that_refuses_stops_every_kind_of_process(tmp_path: Path) -> None:
    with own_valkey() as valkey:
        parts = urlsplit(valkey.url)
        with redis.Redis.from_url(valkey.url) as client:
            client.execute_command("ACL", "SETUSER", "all", "on", f">{PASSWORD}", "~*", "&*", "+@all")
            client.execute_command("ACL", "SETUSER", "mute", "on", f">{PASSWORD}", "~*", "resetchannels", "+@all")

        def address(login: str, number: int = 0) -> dict[str, str]:
            return {"REDIS_URL": f"redis://{login}@{parts.hostname}:{parts.port}/{number}"}

        with running_server(**address(f"all:{PASSWORD}")) as server, server.caller() as caller:
            assert caller.get("/readyz").json()["parts"]["redis"] == "ok"
        web = (*WEB, str(free_port()))
        beat = (*BEAT, str(tmp_path / "beat"))
        for argv, login, number, words in (
            (web, f"all:{PASSWORD}x", 0, "invalid username-password pair"),
            (WORKER, f"mute:{PASSWORD}", 0, "No permissions to access a channel"),
            (beat, f"all:{PASSWORD}", 77, "DB index is out of range"),
        ):
            sentence = words_of_a_start_that_stops(tmp_path, *argv, **address(login, number))
            assert "REDIS_URL cannot be honoured: " in sentence
            assert words in sentence


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("argv", "setting"), [(WORKER, "EXTRA_STEP_MIDDLEWARE"), (WORKER, "RUNTIME_SETUP"), (WEB, "RUNTIME_SETUP")]
)
def test_a_name_that_leads_nowhere_stops_the_start(tmp_path: Path, argv: tuple[str, ...], setting: str) -> None:
    argv = (*argv, str(free_port())) if argv is WEB else argv
    with started(tmp_path, *argv, **{setting: "tests.support.step_types.no_such"}) as (process, log):
        assert process.wait(90) == 1, log.read_text()
        sentence = f"{setting} names tests.support.step_types.no_such, which cannot be imported."
        assert log.read_text().rstrip().endswith(sentence)
        assert "Traceback" not in log.read_text()
