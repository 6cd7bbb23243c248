"""One tenant attacks flat out, another measures what it notices: each attack without its bound, then with it."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from benchmarks.chaos.neighbours.attack import Attack
from benchmarks.chaos.neighbours.attacker import KEY_VARIABLE
from benchmarks.chaos.neighbours.attacks import ATTACKS
from benchmarks.chaos.neighbours.memory import CHILDREN, Residents
from benchmarks.chaos.neighbours.names import QUICK
from benchmarks.chaos.neighbours.neighbour import Neighbour
from benchmarks.chaos.neighbours.unbounded import VARIABLE
from benchmarks.chaos.programs import Program
from benchmarks.chaos.stack import DEFAULT_LEASE, Stack
from benchmarks.chaos.trial import Trial
from benchmarks.figures import line
from devserver import folders

WARM_SECONDS = 2.0
IDLE_SECONDS = 6.0
BITE_SECONDS = 8.0
PREPARED_SECONDS = 60.0
ENDED_SECONDS = 10.0
BACK_SECONDS = 60.0
LOOK_SECONDS = 0.25
TIMES_IDLE, RUN_MS, HEALTHZ_MS, RESIDENT_MIB, BACK_TIMES = 3, 500, 100, 600, 1.2
ENOUGH_MIB = 1_200
"""Of one process: an attack that has come so far has shown what it does, and is ended for the machine's sake."""
OUR_APPS = "benchmarks.chaos.block_step.BlockStepConfig,benchmarks.chaos.neighbours.unbounded.UnboundedConfig"


def attack_neighbours(trial: Trial, *, names: Sequence[str], seconds: float) -> None:
    """Try attacks, and print a line for each.

    Args:
        trial: Notes what does not hold.
        names: Of attacks.
        seconds: How long each lasts.
    """
    before = [(program, program.environment) for program in _programs(trial.stack)]
    try:
        for name in names:
            found = _try(trial.stack, name, seconds)
            print(json.dumps(found), flush=True)
            trial.expect(found["ok"], f"{name}: {'; '.join(found['violations'])}")
    finally:
        _restart(trial.stack, before)
    trial.figures["attacks"] = len(names)


def _try(stack: Stack, name: str, seconds: float) -> dict[str, Any]:
    attack, began = ATTACKS[name], time.monotonic()
    violations: list[str] = []
    facts: dict[str, Any] = {}
    if attack.stays:
        facts["bites"] = f"its bound cannot be removed: {attack.stays}"
    else:
        bite = _round(stack, name, attack, seconds=min(BITE_SECONDS, seconds), is_bounded=False)
        facts |= {"bites": bite["broken"], "without": _without_verdict(bite)}
        if not bite["broken"]:
            violations.append("it does not bite without its bound")
    held = _round(stack, name, attack, seconds=seconds, is_bounded=True)
    facts |= {"with": _without_verdict(held)}
    violations += held["broken"]
    took = round(time.monotonic() - began, 1)
    told = line("neighbours", attack=name, does=attack.does, ok=not violations, seconds=took, **facts)
    return {"experiment": told.pop("workload"), **told, "violations": violations}


def _without_verdict(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "broken"}


def _round(stack: Stack, name: str, attack: Attack, *, seconds: float, is_bounded: bool) -> dict[str, Any]:
    """Start the platform anew, with or without the bound, and measure once."""
    base = {name: text for name, text in stack.web.environment.items() if name != "REQUESTS_PER_MINUTE_PER_TENANT"}
    more = {**DEFAULT_LEASE, "EXTRA_APPS": OUR_APPS, "EGRESS_ALLOW_HOSTS": f"127.0.0.1:*,{QUICK}:*", VARIABLE: "{}"}
    if not is_bounded:
        more |= {**attack.settings, VARIABLE: json.dumps(dict(attack.without))}
    ours = {name for each in ATTACKS.values() for name in each.settings}
    base = {name: text for name, text in base.items() if name not in ours}
    apart = "DATABASE_URL"
    _restart(stack, [(one, {**base, **more, apart: one.environment[apart]}) for one in _programs(stack)])
    return asyncio.run(_measure(stack, name, seconds, is_bounded=is_bounded))


def _programs(stack: Stack) -> list[Program]:
    return [stack.web, *stack.workers]


def _restart(stack: Stack, programs: Sequence[tuple[Program, Mapping[str, str]]]) -> None:
    """End web process and workers, forget all runs, and start them with other environments."""
    for program, _ in programs:
        if program.ended_with is None:
            program.kill()
    stack.ask("truncate runs_run, audit_entry cascade")
    stack.ask("update tenants_tenant set is_active = true")
    with stack.broker() as broker:
        broker.flushdb()
    since = stack.now()
    for program, environment in programs:
        program.environment = environment
        program.start()
    stack.wait_for_workers(since=since)
    stack.wait_for_web()


async def _measure(stack: Stack, name: str, seconds: float, *, is_bounded: bool) -> dict[str, Any]:
    async with Neighbour(stack.base_url, stack.second_key) as neighbour:
        await neighbour.save()
        await neighbour.watch(WARM_SECONDS)
        idle = (await neighbour.watch(IDLE_SECONDS)).figures()
        residents = Residents({program.name: program.pid for program in _programs(stack)})
        before = residents.look()
        attacker = await _start_attacker(stack, name, seconds)
        enough = asyncio.create_task(_until_enough(residents))
        watching = asyncio.create_task(neighbour.watch(seconds))
        await asyncio.wait({enough, watching}, return_when=asyncio.FIRST_COMPLETED)
        answers = await _answers_of(attacker, cut_short=enough.done())
        seen = await watching
        load = round(os.getloadavg()[0], 2)
        enough.cancel()
        ended = [program.name for program in _programs(stack) if program.ended_with is not None]
        back = await _seconds_until_back(stack, residents, before) if is_bounded and not ended else None
    found = {"idle": idle, **seen.figures(), "resident_mib": residents.most, "ended": ended, "answers": answers}
    if is_bounded:
        found |= {"before_mib": before, "after_mib": residents.look(), "back_seconds": back}
    broken = _broken(found, is_bounded=is_bounded, first_failure=next(iter(seen.failures), ""))
    return {**found, "load1": load, "broken": broken}


async def _start_attacker(stack: Stack, name: str, seconds: float) -> asyncio.subprocess.Process:
    """Start the attack; returns when it has begun.

    Raises:
        RuntimeError: It could not be prepared.
    """
    argv = ["-m", "benchmarks.chaos.neighbours.attacker", name, stack.base_url, str(seconds)]
    environment = {**stack.web.environment, KEY_VARIABLE: stack.key}
    with (stack.logs / "attacker.log").open("ab") as log:
        attacker = await asyncio.create_subprocess_exec(
            sys.executable,
            *argv,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd=folders.CHECKOUT,
        )
    if attacker.stdout is None or not await asyncio.wait_for(attacker.stdout.readline(), PREPARED_SECONDS):
        raise RuntimeError(f"the attack {name} could not be prepared; see attacker.log")
    return attacker


async def _answers_of(attacker: asyncio.subprocess.Process, *, cut_short: bool) -> dict[str, int]:
    """Wait for the end of the attack, or end it; return what it was answered."""
    output = b""
    if not cut_short:
        with suppress(TimeoutError):
            output, _ = await asyncio.wait_for(attacker.communicate(), ENDED_SECONDS)
    with suppress(ProcessLookupError):
        attacker.kill()
    await attacker.wait()
    return json.loads(output) if output else {}


async def _until_enough(residents: Residents) -> None:
    """Look at the memory of all processes until one has much too much."""
    while max(residents.look().values()) < ENOUGH_MIB:  # noqa: ASYNC110 - processes tell nobody
        await asyncio.sleep(LOOK_SECONDS)


async def _seconds_until_back(stack: Stack, residents: Residents, before: Mapping[str, int]) -> float | None:
    """Switch the attacker off, as an operator does; return when memory is back, or None."""
    stack.ask("update tenants_tenant set is_active = false where slug = 'acme'")
    began = time.monotonic()
    while (took := time.monotonic() - began) < BACK_SECONDS:
        now = residents.look()
        if all(now[name] <= BACK_TIMES * mib for name, mib in before.items() if CHILDREN not in name):
            return round(took, 1)
        await asyncio.sleep(LOOK_SECONDS)
    return None


def _broken(found: Mapping[str, Any], *, is_bounded: bool, first_failure: str) -> list[str]:
    """Say which promises an attack broke."""
    idle = found["idle"]["run_p99_ms"]
    most = max(found["resident_mib"].values())
    checks = {
        f"p99 of runs {found['run_p99_ms']} ms, over {TIMES_IDLE} times the idle {idle}": found["run_p99_ms"]
        > TIMES_IDLE * idle,
        f"p99 of runs {found['run_p99_ms']} ms, over {RUN_MS}": found["run_p99_ms"] > RUN_MS,
        f"p99 of /healthz {found['healthz_p99_ms']} ms, over {HEALTHZ_MS}": found["healthz_p99_ms"] > HEALTHZ_MS,
        f"a process had {most} MiB, over {RESIDENT_MIB}": most > RESIDENT_MIB,
        f"ended by themselves: {', '.join(found['ended'])}": bool(found["ended"]),
        f"{found['failures']} failures of the neighbour, the first {first_failure}": found["failures"] > 0,
        "memory was not back within a minute": is_bounded and not found["ended"] and found["back_seconds"] is None,
    }
    return [sentence for sentence, is_broken in checks.items() if is_broken]
