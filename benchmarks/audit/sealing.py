"""Costs of sealing: how long entries wait for it, and what starts through the API lose by it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Final

from benchmarks.audit.sealer import Sealers, sealers
from benchmarks.figures import against
from benchmarks.floor_harness import dsn
from benchmarks.stack import DATABASE, STOP_SIGNALS, Stack
from benchmarks.starts import start_for
from devserver import folders, parts, processes

RATE: Final = 1_000
SECONDS: Final = 60
TENANTS: Final = 50
MOST_SECONDS: Final = 2.0
ROUNDS: Final = 8
ROUND_SECONDS: Final = 5
LEAST: Final = 0.97
FORGET: Final = """
truncate runs_run, audit_entry, audit_unsealedentry, audit_sealedentry, audit_treenode, audit_logcheckpoint,
  audit_logverifier, audit_auditlog, audit_personalvalue cascade
"""
SEALED: Final = "select count(*) from audit_sealedentry"


def sealed_in_time(stack: Stack) -> dict[str, Any]:
    """Write a minute of entries of many tenants while scheduler and worker seal them; verify the logs."""
    stack.database.execute(FORGET)
    argv = [sys.executable, "-m", "benchmarks.audit.entries", dsn(DATABASE)]
    argv += ["--rate", str(RATE), "--seconds", str(SECONDS), "--tenants", str(TENANTS)]
    with _scheduler(stack), stack.idle_worker():
        figures: dict[str, Any] = json.loads(_run(argv, stack).stdout)
    verified = _run([sys.executable, "manage.py", "verify_audit"], stack).stdout.count(": verified")
    sealed = int(str((stack.database.execute(SEALED).fetchone() or (0,))[0]))
    if sealed < figures["entries"] or verified < TENANTS:
        raise RuntimeError(f"{sealed} of {figures['entries']} entries are sealed, {verified} logs verified")
    stack.database.execute(FORGET)
    stack.database.execute("delete from tenants_tenant where slug like 'sealed-%'")
    return {**figures, "logs_verified": verified, **against(figures["p99_s"], most=MOST_SECONDS)}


def starts_beside(stack: Stack) -> dict[str, Any]:
    """Start runs with sealing and without it, in turns; gives the median of the rounds' ratios of starts a second."""
    shares: list[float] = []
    rates: dict[bool, list[int]] = {True: [], False: []}
    with sealers(stack.environment, pause_seconds=1.0) as some:
        for number in range(ROUNDS):
            found = {on: _round(stack, some, on=on) for on in ((True, False) if number % 2 else (False, True))}
            shares.append(found[True] / found[False])
            for on, rate in found.items():
                rates[on].append(round(rate))
    share = round(median(shares), 3)
    return {"with": rates[True], "without": rates[False], "share": share, **against(share, least=LEAST)}


def _round(stack: Stack, some: Sealers, *, on: bool) -> float:
    stack.database.execute(FORGET)
    stack.database.execute(f"alter table audit_entry {'enable' if on else 'disable'} trigger await_seal".encode())
    if on:
        some.start()
    try:
        rate: float = start_for(stack, ROUND_SECONDS)["starts_per_second"]
        if on and not (stack.database.execute(SEALED).fetchone() or (0,))[0]:
            raise RuntimeError("nothing was sealed meanwhile")
        return rate
    finally:
        if on:
            some.kill()
        stack.database.execute("alter table audit_entry enable trigger await_seal")


@contextmanager
def _scheduler(stack: Stack) -> Iterator[None]:
    command = processes.Command(
        argv=parts.beat(stack.logs).argv,
        log=stack.logs / "beat.log",
        environment=stack.environment,
        folder=folders.CHECKOUT,
    )
    child = processes.spawn(command)
    try:
        yield
    finally:
        processes.stop(child, signals=STOP_SIGNALS)


def _run(argv: list[str], stack: Stack) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own programs
        argv, env=stack.environment, cwd=folders.CHECKOUT, stdout=subprocess.PIPE, check=True, text=True, timeout=300
    )
