"""Run the whole platform on one machine, for `make run`, until it is told to stop."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from devserver import folders, parts, processes
from devserver.errors import PortBusy
from devserver.servers import Servers, start_servers
from devserver.supervisor import Supervisor

DEFAULT_NAME = "run"
DEFAULT_PORT = 8000
LOOK_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(BaseException):
    """A person or the system asked the run to stop; not an error, so that nothing catches it by accident."""


def run(name: str = DEFAULT_NAME) -> None:
    """Bring everything up, say where it is, and keep it up until SIGINT, SIGTERM or SIGHUP.

    Everything has ended when this returns.

    Args:
        name: Whose data and logs: `.data/<name>`. The default name's keys are in `.data/demo.json`.

    Raises:
        DevserverError: Something did not come up, and everything has ended; its text says what.
    """
    port = _wanted_port()
    _require_free(port)
    for number in STOP_SIGNALS:
        signal.signal(number, _ask_to_stop)
    try:
        _run_on(port, name)
    except StopAsked:
        _say("stopped")


def _run_on(port: int, name: str) -> None:
    folder = folders.CHECKOUT / ".data" / name
    logs = folder / "log"
    access_file = (folder.parent if name == DEFAULT_NAME else folder) / "demo.json"
    with start_servers(name) as servers:
        _say_servers(servers)
        environment = parts.environment(servers, port)
        issuer = _development_issuer(environment)
        supervisor = Supervisor(folder=folders.CHECKOUT, logs=logs, environment=environment, say=_say)
        try:
            commands = parts.setup_commands(port, access_file=access_file, development_issuer=issuer)
            parts.run_commands(commands, environment=environment, logs=logs, say=_say)
            started = [parts.api(port), parts.worker(), parts.beat(folder)]
            if issuer:
                started.append(parts.sign_in(issuer, api_port=port, access_file=access_file))
            supervisor.start(*started)
            _say_addresses(port, access_file=access_file, logs=logs)
            _say_sign_in(environment, issuer)
            if environment["EGRESS_LOOPBACK"] == "1":
                _say("Steps may call this machine: 127.0.0.1, localhost. Not so in production.")
            _say("Ctrl-C stops everything.")
            while True:
                supervisor.watch()
                _watch_servers(servers, _say)
                time.sleep(LOOK_SECONDS)
        except StopAsked:
            _say("stopping")
            raise
        finally:
            supervisor.stop_all()


def _development_issuer(environment: dict[str, str]) -> str:
    """Set up the sign-in for development; empty where another is set up, or the platform may not call this machine."""
    if environment.get("OIDC_ISSUER") or environment["EGRESS_LOOPBACK"] != "1":
        return ""
    environment |= parts.sign_in_environment(processes.free_port())
    return environment["OIDC_ISSUER"]


def _wanted_port() -> int:
    written = os.environ.get("PORT", "") or str(DEFAULT_PORT)
    if not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise PortBusy(f"PORT is {written!r}; write a number from 1 to 65535.")
    return int(written)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((processes.LOOPBACK, port))
        except OSError as error:
            raise PortBusy(
                f"Port {port} cannot be used ({error.strerror}). Stop the program that listens there,"
                f" or choose another port: make run PORT={port + 1 if port < 65535 else DEFAULT_PORT}"
            ) from None


def _ask_to_stop(_number: int, _frame: FrameType | None) -> None:
    # Asked once, the stop must not be cut short: it takes a few seconds and leaves nothing.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise StopAsked


def _watch_servers(servers: Servers, say: Callable[[str], None]) -> None:
    for server in servers.dead():
        say(f"{server.name:<13} ended; starting it again")
        server.revive()
        say(f"{server.name:<13} up    {processes.LOOPBACK}:{server.port}")


def _say_servers(servers: Servers) -> None:
    started = {server.name: server.port for server in servers.running}
    for name, variable in (("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL")):
        where = f"{processes.LOOPBACK}:{started[name]}" if name in started else f"given by {variable}"
        _say(f"{name:<13} up    {where}")


def _say_addresses(port: int, *, access_file: Path, logs: Path) -> None:
    url = parts.base_url(port)
    for name, value in (
        ("API", f"{url}/api/v1/"),
        ("API docs", f"{url}/api/docs/"),
        ("Inbox", f"{url}/inbox/"),
        ("Console", f"{url}/admin/"),
        ("Canvas", f"{url}/canvas/#key={_demo_key(access_file)}"),
        ("Keys", folders.short_path(access_file)),
        ("Logs", folders.short_path(logs)),
    ):
        _say(f"{name:<13} {value!s}")


def _demo_key(access_file: Path) -> str:
    """The first demo tenant's key; no server is sent what stands behind the ``#`` of an address."""
    key: str = json.loads(access_file.read_text())["api_key"]
    return key


def _say_sign_in(environment: Mapping[str, str], issuer: str) -> None:
    if issuer:
        _say(
            "Sign in to the inbox as Rita Reviewer, or another of the demo's people: no password, in development only."
        )
    elif not environment.get("OIDC_ISSUER"):
        _say("The inbox opens once a sign-in is set up: docs/howto/sign-in.md")


def _say(line: str) -> None:
    print(line, flush=True)
