"""Takeover experiments: the time until a dead worker's runs go on, and their owners after many faults."""

import time
from collections.abc import Callable
from typing import Final, LiteralString
from uuid import UUID

from benchmarks.chaos.programs import Program
from benchmarks.chaos.stack import DEFAULT_LEASE
from benchmarks.chaos.trial import Trial
from benchmarks.chaos.worker_faults import busy_worker

KILLS = 20
RESTARTS = 5
RUNS = 100
SECONDS_BESIDE_ANOTHER = 3.0
SECONDS_ALONE = 5.0
SETTLE_SECONDS = 3.0
"""In which what was taken over comes to an outcome: a run that outlives no owner is suspected, and claimed alone."""
PATIENCE_SECONDS = 20.0
OWNED_SECONDS = 10.0
FAULTS = 200
LOAD_SECONDS = 900.0
"""Longer than the faults take on a busy machine; the load is stopped after the last."""
LOAD_RUNS = 1350
# A run goes on again when its call is made again, under another epoch.
GOES_ON: LiteralString = """
select count(distinct e.run_id) from runs_runevent e
where e.run_id = any(%s) and e.type = 'step.started' and e.attempt > 1
"""
CALLING: LiteralString = "select count(*) from runs_runevent where run_id = any(%s) and type = 'step.started'"
TERMINATE: LiteralString = """
select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
where usename = %s and application_name like %s
"""


def take_over_beside_another(trial: Trial) -> None:
    """SIGKILL of a worker that owns 100 runs while another is alive, 20 times, with the default lease."""
    trial.stack.start_workers(DEFAULT_LEASE)
    trial.start_load(KILLS * 8.0)
    seconds = []
    for number in range(KILLS):
        victim, other = trial.stack.workers[number % 2], trial.stack.workers[1 - number % 2]
        trial.stack.wait_for_workers()
        other.freeze()
        run_ids = _held_runs(trial, victim)
        other.thaw()
        trial.pause(trial.rng.uniform(0.2, 1.2))
        trial.expect(_owned(trial, victim, run_ids), "the other worker took something before the kill")
        trial.revives = False
        victim.kill()
        seconds.append(_going_on(trial, run_ids))
        victim.start()
        trial.revives = True
        trial.cancel_all(run_ids)
    _finish(trial, seconds, SECONDS_BESIDE_ANOTHER)


def take_over_alone(trial: Trial) -> None:
    """SIGKILL of the only worker, which is started again at once, five times, with the default lease."""
    trial.stack.start_workers(DEFAULT_LEASE)
    victim, other = trial.stack.workers
    other.stop()
    other.child = None
    trial.start_load(RESTARTS * 8.0)
    seconds = []
    for _ in range(RESTARTS):
        trial.pause(SETTLE_SECONDS)
        run_ids = _held_runs(trial, victim)
        victim.kill()
        victim.start()
        seconds.append(_going_on(trial, run_ids))
        trial.cancel_all(run_ids)
    other.start()
    _finish(trial, seconds, SECONDS_ALONE)


def mix_faults(trial: Trial) -> None:
    """Two hundred faults of five kinds, in random order: never do two hosts write one run under one epoch."""
    trial.start_load(LOAD_SECONDS, runs=LOAD_RUNS)
    kinds = [kind for kind in MIXED for _ in range(FAULTS // len(MIXED))]
    trial.rng.shuffle(kinds)
    for kind in kinds:
        victim = busy_worker(trial)
        trial.stack.wait_for_worker(victim)
        MIXED[kind](trial, victim)
        trial.pause(trial.rng.uniform(0.1, 0.6))
    trial.stop_load()
    trial.finish()
    trial.figures["faults"] = {kind: kinds.count(kind) for kind in MIXED}
    trial.expect(trial.figures["owner_changes"] >= FAULTS / 10, "too little changed hands to prove anything")


def _killed(_: Trial, victim: Program) -> None:
    victim.kill()
    victim.start()


def _stopped(_: Trial, victim: Program) -> None:
    victim.ask_to_end()
    victim.start()


def _frozen_briefly(trial: Trial, victim: Program) -> None:
    victim.freeze()
    trial.pause(trial.rng.uniform(0.2, 1.0))
    victim.thaw()


def _frozen_for_long(trial: Trial, victim: Program) -> None:
    victim.freeze()
    trial.pause(trial.rng.uniform(2.5, 4.0))
    victim.thaw()


def _cut_off(trial: Trial, victim: Program) -> None:
    purpose = trial.rng.choice(["llmteam lease", "llmteam %"])
    cut = trial.stack.ask(TERMINATE, [victim.name, purpose])[0][0]
    trial.expect(cut > 0, f"{victim.name} had no connection to be terminated")


MIXED: Final[dict[str, Callable[[Trial, Program], None]]] = {
    "killed": _killed,
    "stopped": _stopped,
    "frozen_briefly": _frozen_briefly,
    "frozen_for_long": _frozen_for_long,
    "cut_off": _cut_off,
}


def _held_runs(trial: Trial, owner: Program) -> list[UUID]:
    """Start 100 runs whose calls are never answered; return once all are made, by this worker."""
    run_ids = trial.start_runs("chaos_held", RUNS)
    calling = trial.wait_for(lambda: trial.stack.ask(CALLING, [run_ids])[0][0] >= RUNS, seconds=OWNED_SECONDS)
    trial.expect(calling and _owned(trial, owner, run_ids), f"{owner.name} did not own all of the {RUNS} runs")
    return run_ids


def _owned(trial: Trial, worker: Program, run_ids: list[UUID]) -> bool:
    return trial.stack.owned_by(worker).issuperset(run_ids)


def _going_on(trial: Trial, run_ids: list[UUID]) -> float:
    """Wait until the last run goes on; return the seconds since now."""
    began = time.monotonic()
    while trial.stack.ask(GOES_ON, [run_ids])[0][0] < RUNS:
        if time.monotonic() - began > PATIENCE_SECONDS:
            trial.expect(False, f"not all runs went on within {PATIENCE_SECONDS:g} s")
            break
        time.sleep(0.02)
    return time.monotonic() - began


def _finish(trial: Trial, seconds: list[float], bound: float) -> None:
    trial.finish()
    trial.figures |= {"kills": len(seconds), "last_of_100_seconds": [round(each, 2) for each in seconds]}
    trial.expect(max(seconds) <= bound, f"the last of {RUNS} runs went on after {max(seconds):.2f} s")
