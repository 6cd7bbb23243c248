"""Web, scheduler, Postgres and Valkey that go away, and messages that come too often."""

import random
import signal
import time
from typing import LiteralString
from uuid import UUID, uuid4

import redis
from celery import Celery

from benchmarks.chaos.programs import FaultDidNotHappen
from benchmarks.chaos.stack import DEFAULT_LEASE
from benchmarks.chaos.trial import MOMENTS, Trial

AWAY_SECONDS = 25.0
DOWN_SECONDS = 14.0
CANCEL_SECONDS = 6.0
WEB_SECONDS = 2.0
"""About what the web process takes to come up again."""
MESSAGES = 200
STORM_SECONDS, STORM_RUNS = 60.0, 600
"""More than it takes to send them; what is left of the load is not started."""
DRAIN_SECONDS = 20.0
DONE_WHILE_DOWN = 20
STARTED: LiteralString = "select pg_postmaster_start_time()"
TERMINATE: LiteralString = """
select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
where pid <> pg_backend_pid() and datname = current_database() and backend_type = 'client backend'
"""
MINE: LiteralString = "select id, ended_at is not null from runs_run where created_at >= %s"
DONE: LiteralString = "select count(*) from runs_run where created_at >= %s and ended_at is not null"
IS_OWNED: LiteralString = "select 1 from runs_run where id = any(%s) and owner is not null having count(*) = %s"
STATUS: LiteralString = "select status from runs_run where id = %s"


def kill_web_and_beat(trial: Trial) -> None:
    """SIGKILL of the web process and the scheduler, at five moments."""
    moments = trial.moments(0.8, 1.8)
    trial.start_load(sum(moments) + MOMENTS * WEB_SECONDS)
    for moment in moments:
        trial.pause_before_fault(moment)
        for program in (trial.stack.web, trial.stack.beat):
            program.kill()
            program.start()
        trial.stack.wait_for_web()
    trial.finish()
    trial.figures["kills"] = 2 * len(moments)
    trial.expect(trial.figures["client_retries"] > 0, "no client noticed that the web process was killed")
    _expect_no_loss(trial)


def restart_postgres(trial: Trial) -> None:
    """An immediate stop of Postgres and a start, at five moments."""
    moments = trial.moments(0.8, 2.0)
    trial.start_load(sum(moments) + 6)
    started = {trial.stack.ask(STARTED)[0][0]}
    for moment in moments:
        trial.pause_before_fault(moment)
        _stop_postgres(trial)
        trial.stack.postgres.revive()
        started.add(trial.stack.ask(STARTED)[0][0])
    trial.finish()
    trial.figures["restarts"] = len(started) - 1
    trial.expect(len(started) == 1 + len(moments), "Postgres was not restarted each time")
    _expect_no_loss(trial)


def terminate_connections(trial: Trial) -> None:
    """``pg_terminate_backend`` of every connection, at five moments."""
    moments = trial.moments(0.8, 2.0)
    trial.start_load(sum(moments))
    counts = []
    for moment in moments:
        trial.pause_before_fault(moment)
        counts.append(trial.stack.ask(TERMINATE)[0][0])
    trial.finish()
    trial.figures["connections_terminated"] = counts
    trial.expect(min(counts) > 0, "no connection was terminated")
    _expect_no_loss(trial)


def take_postgres_away(trial: Trial) -> None:
    """Postgres away for 25 s: workers that live through it repeat no call."""
    trial.start_load(6.0)
    trial.pause_before_fault(trial.rng.uniform(1.5, 4.0))
    _stop_postgres(trial)
    time.sleep(1)  # for calls whose start was committed just before
    calls = len(trial.upstream.calls)
    time.sleep(AWAY_SECONDS - 1)
    trial.expect(len(trial.upstream.calls) == calls, "calls were made whose start could not be recorded")
    trial.stack.postgres.revive()
    trial.finish()
    trial.figures["away_seconds"] = AWAY_SECONDS
    _expect_no_loss(trial)


def flush_valkey(trial: Trial) -> None:
    """FLUSHALL, at five moments."""
    moments = trial.moments(0.5, 1.5)
    trial.start_load(sum(moments))
    with trial.stack.broker() as broker:
        for number, moment in enumerate(moments):
            trial.pause_before_fault(moment)
            broker.set("chaos", number)
            broker.flushall()
            trial.expect(broker.get("chaos") is None, "the broker kept something")
    trial.finish()
    trial.figures["flushes"] = len(moments)
    _expect_no_loss(trial)


def stop_valkey(trial: Trial) -> None:
    """Valkey stopped, with the default lease: runs go on by sweeps, a cancel takes effect within 6 s."""
    trial.stack.start_workers(DEFAULT_LEASE)
    since = trial.stack.now()
    held = [trial.start_run("chaos_held") for _ in range(MOMENTS)]
    owned = trial.wait_for(lambda: trial.stack.ask(IS_OWNED, [held, MOMENTS]), seconds=10)
    trial.expect(owned, "the runs to be cancelled have no owner")
    trial.stack.valkey.stop()
    _expect_silence(trial)
    trial.start_load(DOWN_SECONDS - 4)
    seconds = [_cancel(trial, run_id) for run_id in held]
    trial.pause(max(0.0, DOWN_SECONDS - sum(seconds)))
    done = trial.stack.ask(DONE, [since])[0][0] - MOMENTS
    _expect_silence(trial)
    trial.stack.valkey.revive()
    trial.finish()
    trial.figures |= {"cancel_seconds": [round(taken, 1) for taken in seconds], "runs_over_while_stopped": done}
    trial.expect(max(seconds) <= CANCEL_SECONDS, f"a cancel took {max(seconds):.1f} s")
    trial.expect(done >= DONE_WHILE_DOWN, f"{done} runs only went on without the broker")
    _expect_no_loss(trial)


def storm_the_doorbell(trial: Trial) -> None:
    """Messages doubled, reordered, for runs that are over, running or unknown, at five moments."""
    moments = trial.moments(0.5, 1.5)
    since = trial.stack.now()
    trial.start_load(STORM_SECONDS, runs=STORM_RUNS)
    sent = 0
    with Celery(broker=trial.stack.redis_url) as bell, trial.stack.broker() as broker:
        for moment in moments:
            trial.pause_before_fault(moment)
            run_ids = [run_id for run_id, _ in trial.stack.ask(MINE, [since])]
            sent += _ring(bell, run_ids, trial.rng)
        trial.stop_load()
        drained = trial.wait_for(lambda: broker.llen("celery") == 0, seconds=DRAIN_SECONDS)
    trial.expect(drained, "the messages were not taken")
    trial.finish()
    trial.figures["messages"] = sent
    trial.expect(sent >= MOMENTS * MESSAGES, "too few messages were sent")
    _expect_no_loss(trial)


def _ring(bell: Celery, run_ids: list[UUID], rng: random.Random) -> int:
    known = [str(rng.choice(run_ids)) for _ in range(MESSAGES // 2)] if run_ids else []
    messages: list[str | None] = [*known, *known, None, "no id", *(str(uuid4()) for _ in range(MESSAGES))]
    rng.shuffle(messages)
    for message in messages:
        bell.send_task("runs.poke", args=[message], ignore_result=True)
    return len(messages)


def _cancel(trial: Trial, run_id: UUID) -> float:
    time.sleep(trial.rng.uniform(0, 1.0))
    trial.cancel(run_id)
    began = time.monotonic()
    ended = trial.wait_for(lambda: trial.stack.ask(STATUS, [run_id]) == [("cancelled",)], seconds=CANCEL_SECONDS + 5)
    trial.expect(ended, f"a cancelled run goes on: {run_id}")
    return time.monotonic() - began


def _stop_postgres(trial: Trial) -> None:
    """End Postgres at once, as ``pg_ctl -m immediate`` does.

    Raises:
        FaultDidNotHappen: It runs still.
    """
    child = trial.stack.postgres.child
    if child is None or child.poll() is not None:
        raise FaultDidNotHappen("Postgres had ended before it was stopped")
    child.send_signal(signal.SIGQUIT)
    child.wait(10)
    if trial.stack.postgres.alive():
        raise FaultDidNotHappen("Postgres runs still")


def _expect_silence(trial: Trial) -> None:
    try:
        with trial.stack.broker() as broker:
            broker.ping()
    except redis.RedisError:
        return
    trial.expect(False, "the broker answers while it is stopped")


def _expect_no_loss(trial: Trial) -> None:
    """No worker died here: no run changes hands, and no call is made again."""
    trial.expect(trial.figures["owner_changes"] == 0, f"{trial.figures['owner_changes']} runs changed hands")
    trial.expect(trial.figures["repeated_calls"] == 0, f"{trial.figures['repeated_calls']} calls were repeated")
