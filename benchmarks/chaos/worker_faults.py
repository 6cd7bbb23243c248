"""Workers that are killed, frozen or blocked, and answers that arrive just before."""

import time
from functools import partial
from typing import LiteralString
from uuid import UUID

from benchmarks.chaos.programs import FaultDidNotHappen, Program
from benchmarks.chaos.stack import DEFAULT_LEASE
from benchmarks.chaos.trial import MOMENTS, Trial

OWNS_SECONDS = 10.0
BUSY_WORKER_SECONDS = 60.0
FREED_SECONDS = 8.0
TAKEOVER_SECONDS = 18.0
FROZEN_SECONDS = 5.0
"""About what it takes until the runs of a frozen worker are taken over and it is awake again."""
STOP_SECONDS = 1.0
"""About what a worker takes to hand its runs over."""
STALL_SECONDS = 90.0
BUSY_SECONDS = 30.0
"""Longer than a run that blocks needs to be stalled, so that no worker is idle meanwhile."""
LOSSES_TO_STALL = 5
FROZEN_EXIT = 70
HELD_CALLS = 3
HOLD_SECONDS = 3.0
"""About what it takes until a worker has so many calls without an answer."""
LEASED: LiteralString = "select id from runs_worker where name = %s"
EPOCHS: LiteralString = "select id, epoch from runs_run where id = any(%s)"
GOING_ON: LiteralString = "select id, epoch from runs_run where id = any(%s) and ended_at is null"
UNCLAIMED: LiteralString = "select count(*) from runs_run where id = any(%s) and ended_at is null and owner is null"
WRITES: LiteralString = "select run_id, epoch from chaos_write where at >= %s and login = %s and run_id = any(%s)"
STATE: LiteralString = "select status, error::text, losses, last_seq from runs_run where id = %s"


def kill_workers(trial: Trial) -> None:
    """SIGKILL of a worker, at five moments; it is started again at once."""
    moments = trial.moments(0.8, 2.4)
    trial.start_load(sum(moments))
    lost: set[UUID] = set()
    for moment in moments:
        trial.pause_before_fault(moment)
        victim = busy_worker(trial)
        lost |= trial.stack.owned_by(victim)
        victim.kill()
        victim.start()
    trial.finish()
    trial.figures |= {"kills": len(moments), "runs_lost_by_their_owner": len(lost)}
    trial.expect(len(lost) >= len(moments), f"the killed workers owned {len(lost)} runs only")
    trial.expect(trial.figures["owner_changes"] >= 1, "nothing was taken over")


def freeze_workers(trial: Trial) -> None:
    """SIGSTOP for longer than the lease, then SIGCONT, at five moments: who wakes up writes nothing."""
    moments = trial.moments(0.3, 1.2)
    trial.start_load(MOMENTS * FROZEN_SECONDS)
    taken = 0
    for moment in moments:
        trial.pause_before_fault(moment)
        taken += _freeze(trial, busy_worker(trial))
        trial.pause(0.5)
    trial.finish()
    trial.figures |= {"freezes": len(moments), "runs_taken_over": taken}
    trial.expect(taken >= len(moments), f"{taken} runs only were taken over from the frozen")


def _freeze(trial: Trial, victim: Program) -> int:
    stack = trial.stack
    lease = stack.ask(LEASED, [f"{victim.name}@chaos"])
    victim.freeze()
    owned = list(stack.owned_by(victim))
    before = epochs(trial, owned)
    gone = trial.wait_for(lambda: stack.ask(LEASED, [f"{victim.name}@chaos"]) != lease, seconds=FREED_SECONDS)
    trial.expect(gone, "the lease of a frozen worker did not end")
    claimed = trial.wait_for(lambda: stack.ask(UNCLAIMED, [owned])[0][0] == 0, seconds=FREED_SECONDS)
    trial.expect(claimed, "the runs of a frozen worker were not taken over")
    after = epochs(trial, owned)
    taken = [run_id for run_id in owned if after[run_id] > before[run_id]]
    trial.expect(len(taken) == len(owned), "a run of a frozen worker has its epoch still")
    woken_at = stack.now()
    victim.thaw()
    trial.pause(1.0)
    written = stack.ask(WRITES, [woken_at, victim.name, taken])
    stale = [row for row in written if row[1] <= before[row[0]]]
    trial.expect(not stale, f"a worker that woke up wrote under an old epoch: {stale[:3]}")
    return len(taken)


def kill_after_answers(trial: Trial) -> None:
    """An upstream that answers just before its caller is killed, five times: the call comes again with its key."""
    moments = trial.moments(0.5, 1.5)
    trial.start_load(MOMENTS * HOLD_SECONDS)
    certain = caught = 0
    for number, moment in enumerate(moments):
        trial.pause_before_fault(moment)
        victim = busy_worker(trial)
        trial.upstream.hold()
        trial.wait_for(partial(_has_held_calls, trial, victim), seconds=OWNS_SECONDS)
        frozen = number % 2 == 0
        if frozen:
            victim.freeze()  # the answer is sent, and surely not recorded
        cut_off = _held_calls(trial, victim)
        trial.upstream.release()
        time.sleep(trial.rng.uniform(0, 0.004))
        victim.kill()
        victim.start()
        caught += cut_off
        certain += cut_off if frozen else 0
    trial.finish()
    trial.figures |= {"kills": len(moments), "answers_cut_off": caught, "of_them_unseen_for_sure": certain}
    trial.expect(certain >= HELD_CALLS, f"{certain} answers only were cut off")
    repeats = trial.figures["repeated_calls"]
    trial.expect(repeats >= certain, f"{certain} answers were cut off, {repeats} calls came again")


def stop_workers(trial: Trial) -> None:
    """SIGTERM of a worker, at five moments: it hands its runs over, and no call is made again."""
    moments = trial.moments(0.8, 1.6)
    trial.start_load(sum(moments) + MOMENTS * STOP_SECONDS)
    seconds = []
    for moment in moments:
        trial.pause_before_fault(moment)
        victim = busy_worker(trial)
        seconds.append(round(victim.ask_to_end(), 1))
        victim.start()
    trial.finish()
    trial.figures["stop_seconds"] = seconds
    trial.expect(trial.figures["owner_changes"] >= 1, "nothing was handed over")
    trial.expect(trial.figures["repeated_calls"] == 0, f"{trial.figures['repeated_calls']} calls were made again")


def take_over_by_default(trial: Trial) -> None:
    """SIGKILL of a worker with the default lease of 15 s: another goes on within 18 s."""
    trial.stack.start_workers(DEFAULT_LEASE)
    trial.start_load(6.0)
    trial.pause(trial.rng.uniform(1.5, 4.0))
    victim = busy_worker(trial)
    trial.revives = False
    owned = list(trial.stack.owned_by(victim))
    before = epochs(trial, owned)
    victim.kill()
    began = time.monotonic()
    goes_on = trial.wait_for(lambda: not _untaken(trial, before), seconds=TAKEOVER_SECONDS + 5)
    seconds = time.monotonic() - began
    victim.start()
    trial.revives = True
    trial.finish()
    trial.figures |= {"runs_lost_by_their_owner": len(owned), "takeover_seconds": round(seconds, 1)}
    trial.expect(trial.figures["owner_changes"] >= 1, "nothing was taken over")
    trial.expect(goes_on and seconds <= TAKEOVER_SECONDS, f"the takeover took {seconds:.1f} s")


def block_the_loop(trial: Trial) -> None:
    """A handler that blocks its host's loop: the process ends itself, the run is stalled, its neighbours finish."""
    trial.start_load(BUSY_SECONDS)
    trial.pause_before_fault(trial.rng.uniform(0.5, 2.0))
    poison = trial.start_run("chaos_blocking")
    began = time.monotonic()
    stalled = trial.wait_for(lambda: _state(trial, poison)[0] == "stalled", seconds=STALL_SECONDS)
    seconds = time.monotonic() - began
    status, error, losses, _ = _state(trial, poison)
    # Its last victim is freed of the run before it notices that it stands still.
    trial.wait_for(lambda: trial.ended_by_themselves >= LOSSES_TO_STALL, seconds=OWNS_SECONDS)
    trial.finish()
    trial.expect(stalled, f"the run that blocks is {status} after {losses} losses")
    trial.expect("OWNERS_LOST" in (error or ""), f"a stalled run says why: {error}")
    trial.expect(losses >= LOSSES_TO_STALL, f"it was stalled after {losses} losses")
    ended = trial.ended_by_themselves
    trial.expect(ended >= LOSSES_TO_STALL, f"{ended} workers only ended themselves")
    trial.ended_by_themselves = 0
    trial.figures |= {
        "workers_that_ended_themselves": ended,
        "losses": losses,
        "stalled_after_seconds": round(seconds, 1),
    }


def _held_calls(trial: Trial, worker: Program) -> int:
    owned = trial.stack.owned_by(worker)
    return sum(UUID(call.run) in owned for call in trial.upstream.held())


def _has_held_calls(trial: Trial, worker: Program) -> bool:
    return _held_calls(trial, worker) >= HELD_CALLS


def epochs(trial: Trial, run_ids: list[UUID]) -> dict[UUID, int]:
    """Tell under which epoch each run is now."""
    return {run_id: int(epoch) for run_id, epoch in trial.stack.ask(EPOCHS, [run_ids])}


def _untaken(trial: Trial, before: dict[UUID, int]) -> set[UUID]:
    """Tell which runs neither got another owner nor came to an end."""
    found = trial.stack.ask(GOING_ON, [list(before)])
    return {run_id for run_id, epoch in found if epoch == before[run_id]}


def _state(trial: Trial, run_id: UUID) -> tuple[str, str | None, int, int]:
    status, error, losses, last_seq = trial.stack.ask(STATE, [run_id])[0]
    return status, error, losses, last_seq


def busy_worker(trial: Trial) -> Program:
    """Choose a worker that owns something at this moment.

    Raises:
        FaultDidNotHappen: None does.
    """
    workers = list(trial.stack.workers)
    trial.rng.shuffle(workers)
    found: list[Program] = []

    def busy() -> bool:
        found[:] = [worker for worker in workers if trial.stack.owned_by(worker) and worker.ended_with is None]
        return bool(found)

    if not trial.wait_for(busy, seconds=BUSY_WORKER_SECONDS):
        raise FaultDidNotHappen("no worker owns a run")
    return found[0]
