"""A Postgres of our own on loopback: made on first use, kept between runs, ended with its parent."""

import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from devserver import folders, processes, programs
from devserver.errors import ServerDidNotStart
from devserver.own_server import ATTEMPTS, OwnServer

NAME = "llmteam"
LOGIN = "llmteam_login"
"""Name of the login our processes have: it owns nothing and has no rights of its own."""
START_SECONDS = 30.0
HAS_SCRAM_ITERATIONS = 160_000
"""First version in which the rounds of hashing of a password can be chosen."""
SETTINGS = {
    "listen_addresses": processes.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "synchronous_commit": "on",
    # A container's /dev/shm is often too small for parallel plans, and the platform's queries never need one.
    "max_parallel_workers_per_gather": "0",
}
STOP_SIGNALS = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 1.5))


@dataclass(frozen=True)
class ServerSite:
    """Folder, programs and user of one server.

    Attributes:
        programs: What to run.
        home: The server's folder: `data`, `password`; owned by `user`.
        user: The user to become, None to stay who we are.
        log: The server's log.
    """

    programs: programs.PostgresPrograms
    home: Path
    user: str | None
    log: Path

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"


class Postgres(OwnServer):
    """One server with its data; `url` reaches its database as the owner, `login_url` as our processes do.

    Both stay what they are over restarts.
    """

    name = "postgres"
    stop_signals = STOP_SIGNALS

    def __init__(self, *, site: ServerSite, port: int, password: str, durable: bool) -> None:
        super().__init__()
        self.site = site
        self.port = port
        self.durable = durable
        self.password = password
        self.url = _url(NAME, password, port)
        self.login_password = hashlib.sha256(f"{LOGIN} {password}".encode()).hexdigest()[:32]
        self.login_url = _url(LOGIN, self.login_password, port)

    def spawn(self) -> processes.Child:
        """Start the process."""
        return processes.spawn(_command(self.site, self._argv()), death_signal=signal.SIGQUIT)

    def answers(self, child: processes.Child) -> bool:
        """Wait until the server answers; False once its process has ended or time is up."""
        return _answers(child, self.url)

    def did_not_start(self) -> ServerDidNotStart:
        """Say why, as far as its log tells, and what helps."""
        return ServerDidNotStart(
            f"Postgres did not start. {processes.log_report(self.site.log)}\n"
            f"If nothing in it is needed any more, remove {folders.short_path(self.site.home)} and try again."
        )

    def _argv(self) -> list[str]:
        argv = [str(self.site.programs.folder / "postgres"), "-D", str(self.site.data), "-p", str(self.port)]
        for name, value in {**SETTINGS, "fsync": "on" if self.durable else "off"}.items():
            argv += ["-c", f"{name}={value}"]
        return argv


def start(claim: folders.FolderClaim, *, checkout: Path, durable: bool = True) -> Postgres:
    """Start the server of a claimed name, making its data on first use and ending a server left behind.

    Args:
        claim: The right to the name, held by the caller until the server has stopped.
        checkout: The checkout whose data this is.
        durable: False switches fsync off: a crash of the machine may lose the data, for tests only. Passwords are
            hashed in one round then.

    Returns:
        The server, ready to answer, with an empty or kept database.

    Raises:
        ServerNotInstalled: No programs.
        ServerDidNotStart: It ended or did not answer in time.
        FolderNotTrusted: The place for the copy is not ours alone.
    """
    site = _choose_site(claim, checkout)
    password = _prepare(site, durable=durable)
    _end_leftover(site)
    for _ in range(ATTEMPTS):
        server = Postgres(site=site, port=processes.free_port(), password=password, durable=durable)
        if server.launch():
            _create_database(server)
            _create_login(server)
            if not durable:
                _sign_in_quickly(server)
            return server
    raise server.did_not_start()


def _choose_site(claim: folders.FolderClaim, checkout: Path) -> ServerSite:
    found = programs.find_postgres()
    home, log = claim.folder / "postgres", claim.folder / "log" / "postgres.log"
    folders.make_passable(log.parent)
    if os.getuid() != 0:
        return ServerSite(programs=found, home=home, user=None, log=log)
    user = _unprivileged_user()
    if found.wheel and not _may_run(user, found):
        found = programs.copy_for_others(found, into=folders.open_folder(checkout))
    if not folders.may_enter(user, claim.folder):
        home = folders.open_folder(checkout) / "data" / claim.name
    return ServerSite(programs=found, home=home, user=user, log=log)


def _may_run(user: str, found: programs.PostgresPrograms) -> bool:
    return all(folders.may_enter(user, path) for path in (found.folder / "postgres", found.folder.parent / "share"))


def _unprivileged_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _prepare(site: ServerSite, *, durable: bool) -> str:
    """Make the data folder where there is none, and return the owner's password."""
    secret = site.home / "password"
    if (site.data / "PG_VERSION").exists() and secret.exists():
        return secret.read_text()
    shutil.rmtree(site.home, ignore_errors=True)
    folders.make_passable(site.home)
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24))
    if site.user:
        for path in (site.home, secret):
            shutil.chown(path, site.user, pwd.getpwnam(site.user).pw_gid)
    site.home.chmod(0o700)
    _initialise(site, secret, durable=durable)
    return secret.read_text()


def _initialise(site: ServerSite, secret: Path, *, durable: bool) -> None:
    # The data is made under another name, so that a folder cut short is never taken for a finished one.
    unfinished = site.home / "unfinished"
    argv = [str(site.programs.folder / "initdb"), "-D", str(unfinished), "-U", NAME, f"--pwfile={secret}"]
    argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
    argv += ["--locale=C", *_unicode_locale(site.programs.folder)]
    if not durable:
        argv.append("--no-sync")
    child = processes.spawn(_command(site, argv))
    if child.wait() != 0:
        raise ServerDidNotStart(
            f"The database's folder {folders.short_path(site.home)} could not be made. {processes.log_report(site.log)}"
        )
    unfinished.rename(site.data)


def _unicode_locale(folder: Path) -> list[str]:
    """Return the options for letter case beyond ASCII: without the system's locales where Postgres can (since 17)."""
    answer = subprocess.run([folder / "initdb", "--version"], capture_output=True, text=True, check=True)
    major = re.search(r"\) (\d+)", answer.stdout)
    if major and int(major[1]) >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--lc-ctype=C.UTF-8"]


def _end_leftover(site: ServerSite) -> None:
    """End a server that a killed parent left on this data; the claim says that no living process owns it.

    A pid file whose process is something else by now is removed: Postgres would refuse to start because of it.
    """
    pid_file = site.data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    if f"-D {site.data} " in processes.command_line(pid):
        processes.end_foreign_process(pid, first=signal.SIGQUIT, patience_seconds=7)
    pid_file.unlink(missing_ok=True)


def _command(site: ServerSite, argv: list[str]) -> processes.Command:
    # Only these variables: PG... ones of the caller would change what the programs do.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    return processes.Command(argv=argv, log=site.log, environment=environment, user=site.user)


def _answers(child: processes.Child, url: str) -> bool:
    """Wait until the server answers; False once its process has ended or time is up."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with psycopg.connect(_maintenance(url), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            time.sleep(0.03)
    return False


def _url(user: str, password: str, port: int) -> str:
    return f"postgresql://{user}:{password}@{processes.LOOPBACK}:{port}/{NAME}"


def _maintenance(url: str) -> str:
    """Name the database that always exists, instead of ours."""
    return url.removesuffix(NAME) + "postgres"


def _create_database(server: Postgres) -> None:
    with psycopg.connect(_maintenance(server.url), autocommit=True) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone()
        if found is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))


def _create_login(server: Postgres) -> None:
    login, password = sql.Identifier(LOGIN), sql.Literal(server.login_password)
    with psycopg.connect(_maintenance(server.url), autocommit=True) as connection:
        found = connection.execute("select 1 from pg_roles where rolname = %s", [LOGIN]).fetchone()
        if found is None:
            connection.execute(sql.SQL("create role {} login noinherit password {}").format(login, password))


def _sign_in_quickly(server: Postgres) -> None:
    """Write the passwords with one round of hashing, for tests only: they open very many connections.

    4,096 rounds, Postgres' own choice, take each of them some 4 ms of a processor. Postgres 15 has no choice.
    """
    with psycopg.connect(_maintenance(server.url), autocommit=True) as connection:
        if connection.info.server_version < HAS_SCRAM_ITERATIONS:
            return
        connection.execute("set scram_iterations = 1")
        for name, password in ((NAME, server.password), (LOGIN, server.login_password)):
            statement = sql.SQL("alter role {} password {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
