"""The programs of the platform on one machine: the commands that prepare it and the parts that stay."""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from devserver import folders, processes
from devserver.errors import PartDidNotStart
from devserver.servers import Servers
from devserver.supervisor import SupervisedPart, has_printed, listening

WORKER_ENVIRONMENT: Final = {"PYTHONMALLOC": "malloc"}
"""Environment of a worker beside that of all parts: the C library's memory can be returned by the page, that of
Python's own arenas by the MiB and only where nothing is left in one."""


def base_url(port: int) -> str:
    """Return the address of the API on a loopback port."""
    return f"http://{processes.LOOPBACK}:{port}"


def environment(servers: Servers, port: int) -> dict[str, str]:
    """Return the environment of every part: ours, the servers' addresses, and what makes a short stop possible.

    Args:
        servers: What the parts store in and send by.
        port: Where the API will listen: what links begin with, unless ``PUBLIC_URL`` is set.
    """
    # The supervisor kills after a few seconds; another worker would take over what a worker does not finish by then.
    chosen = {"LLMTEAM_DEVELOPMENT": "1", "WORKER_GRACE_SECONDS": "2", "EGRESS_LOOPBACK": "1"}
    chosen["PUBLIC_URL"] = base_url(port)
    source_roots = os.pathsep.join([str(folders.CHECKOUT / "platform"), str(folders.CHECKOUT)])
    fixed = {"PYTHONPATH": source_roots, "PYTHONUNBUFFERED": "1"}
    return {**chosen, **os.environ, **fixed, **servers.environment()}


def sign_in_environment(port: int) -> dict[str, str]:
    """Return what makes the sign-in for development the platform's own, and what the sign-in itself reads.

    In the environment and in no row: whoever opens the database elsewhere finds no way in.

    Args:
        port: Where the sign-in will listen.
    """
    return {
        "OIDC_ISSUER": f"{base_url(port)}/development",
        "OIDC_CLIENT_ID": "llmteam-development",
        "OIDC_CLIENT_SECRET": secrets.token_urlsafe(24),
    }


def setup_commands(port: int, *, access_file: Path, development_issuer: str = "") -> tuple[tuple[str, ...], ...]:
    """Return the management commands that prepare a database, in order; each may be repeated.

    Args:
        port: Where the API will listen.
        access_file: Gets the demo tenants' keys and the administrator's password.
        development_issuer: Address of the sign-in for development; empty where there is none.
    """
    demo = ["demo_tenants", "--base-url", base_url(port), "--output", str(access_file)]
    if development_issuer:
        demo += ["--development-issuer", development_issuer]
    return ("migrate", "--no-input"), ("ensure_roles",), tuple(demo)


def run_commands(
    commands: tuple[tuple[str, ...], ...],
    *,
    environment: Mapping[str, str],
    logs: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Run management commands one after the other.

    Raises:
        PartDidNotStart: One failed; those after it were not run.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "setup.log"
    for name, *options in commands:
        argv = [sys.executable, str(folders.CHECKOUT / "manage.py"), name, *options]
        command = processes.Command(argv=argv, log=log, environment=environment, folder=folders.CHECKOUT)
        child = processes.spawn(command)
        try:
            code = child.wait()
        finally:
            processes.finish(child, patience_seconds=0)
        if code != 0:
            raise PartDidNotStart(f"manage.py {name} failed. {processes.log_report(log)}")
        say(f"{name:<13} done")


def api(port: int) -> SupervisedPart:
    """Return the HTTP server."""
    argv = [sys.executable, "-m", "llmteam.web", "--bind", processes.LOOPBACK, "--port", str(port)]
    return SupervisedPart(name="api", argv=argv, ready=listening(port), address=base_url(port))


def sign_in(issuer: str, *, api_port: int, access_file: Path) -> SupervisedPart:
    """Return the sign-in for development; it lets people of the access file in, and those they invite."""
    argv = [sys.executable, "-m", "devserver.sign_in", "--api-port", str(api_port), "--people", str(access_file)]
    return SupervisedPart(name="sign-in", argv=argv, ready=listening(urlsplit(issuer).port or 0), address=issuer)


def worker(name: str = "worker") -> SupervisedPart:
    """Return a process that executes runs; several of different names share the work."""
    argv = [sys.executable, "-m", "celery", "-A", "llmteam", "worker", "--pool", "threads", "--concurrency", "2"]
    argv += ["--loglevel", "INFO", "--hostname", f"{name}@%h"]
    return SupervisedPart(name=name, argv=argv, ready=has_printed(" ready."), environment=WORKER_ENVIRONMENT)


def beat(folder: Path) -> SupervisedPart:
    """Return the scheduler; it keeps its times in the folder."""
    argv = [sys.executable, "-m", "celery", "-A", "llmteam", "beat", "--loglevel", "INFO"]
    argv += ["--schedule", str(folder / "beat-schedule"), "--pidfile="]
    return SupervisedPart(name="beat", argv=argv, ready=has_printed("beat: Starting"))
