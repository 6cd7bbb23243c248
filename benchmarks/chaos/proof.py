"""The queries after each experiment: nothing is lost, nothing is listed twice."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from benchmarks.chaos.documents import WIDTHS
from benchmarks.chaos.stack import Stack
from benchmarks.chaos.upstream import Call

SHOWN = 3
UNTOUCHED_SECONDS = 20

# Each names runs that break a promise, among those created since a moment. All take that moment once.
BROKEN: Final[dict[str, LiteralString]] = {
    "the journal has a gap": """
        select r.id, r.last_seq, count(e.seq), min(e.seq), max(e.seq)
        from runs_run r left join runs_runevent e on e.run_id = r.id
        where r.created_at >= %s group by r.id
        having count(e.seq) <> r.last_seq or min(e.seq) <> 1 or max(e.seq) <> r.last_seq""",
    "an activation has not exactly one outcome": """
        select r.id, e.step_id, e.activation,
          count(*) filter (where e.type in ('step.completed', 'step.failed', 'step.skipped'))
        from runs_run r join runs_runevent e on e.run_id = r.id
        where r.created_at >= %s and r.ended_at is not null and e.step_id is not null
        group by r.id, e.step_id, e.activation
        having count(*) filter (where e.type in ('step.completed', 'step.failed', 'step.skipped')) <> 1""",
    "an attempt was started twice": """
        select r.id, e.step_id, e.activation, e.attempt, count(*)
        from runs_run r join runs_runevent e on e.run_id = r.id
        where r.created_at >= %s and e.type = 'step.started'
        group by r.id, e.step_id, e.activation, e.attempt having count(*) > 1""",
    "a run that is over has not exactly one audit entry of its end": """
        select r.id, r.status, count(a.id)
        from runs_run r left join audit_entry a on a.action = 'run.ended' and a.object_id = r.id::text
        where r.created_at >= %s and r.ended_at is not null group by r.id having count(a.id) <> 1""",
    "a run that is over has not its end as the last event": """
        select r.id, r.status, r.last_seq from runs_run r
        where r.created_at >= %s and r.ended_at is not null and 1 <> (
          select count(*) filter (where e.seq = r.last_seq) + count(*) filter (where e.seq <> r.last_seq) * 2
          from runs_runevent e
          where e.run_id = r.id and e.type in ('segment.completed', 'segment.failed', 'segment.cancelled'))""",
    "a run is due and nobody has touched it": """
        select id, status, wake_at from runs_run
        where created_at >= %s and owner is null and wake_at < clock_timestamp() - interval '20 seconds'""",
    "a run is over and still owned or due": """
        select id, status, owner, wake_at from runs_run
        where created_at >= %s and ended_at is not null and (owner is not null or wake_at is not null)""",
    "a run has an owner that does not exist": """
        select r.id, r.owner from runs_run r left join runs_worker w on w.id = r.owner
        where r.created_at >= %s and r.owner is not null and w.id is null""",
    "a host wrote into a journal that another owned": """
        select run_id, login, owner_name, epoch, first_seq, last_seq from chaos_write
        where at >= %s and owner is not null and split_part(coalesce(owner_name, ''), '@', 1) <> login""",
    "two hosts wrote under one epoch": """
        select run_id, epoch, array_agg(distinct login) from chaos_write
        where at >= %s group by run_id, epoch having count(distinct login) > 1""",
    "an older epoch wrote after a newer one": """
        select distinct late.run_id, late.epoch, early.epoch
        from chaos_write late join chaos_write early using (run_id)
        where late.at >= %s and late.first_seq > early.first_seq and late.epoch < early.epoch""",
}
RUNS: LiteralString = """
select id, segment_id, status, output::text, epoch, digest from runs_run where created_at >= %s
"""
JOURNALS: LiteralString = """
select e.run_id, e.seq, e.type, e.step_id, e.activation, e.attempt,
  (extract(epoch from e.created_at) * 1000000)::bigint, e.payload::text
from runs_runevent e join runs_run r on r.id = e.run_id
where r.created_at >= %s order by e.run_id, e.seq
"""
ATTEMPTS: LiteralString = """
select e.run_id, e.step_id, e.activation, count(*) filter (where e.type = 'step.started'),
  count(*) filter (where e.type = 'step.retrying' and (e.payload::jsonb ->> 'consumed')::boolean)
from runs_runevent e join runs_run r on r.id = e.run_id
where r.created_at >= %s and e.step_id = any(%s) and e.type in ('step.started', 'step.retrying')
group by e.run_id, e.step_id, e.activation
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Results of the queries about one experiment.

    Attributes:
        violations: Sentences; empty when everything holds.
        completed: Runs of the load that completed with the right output.
        repeats: Calls beyond the first that no answer of the upstream asked for.
        changes: How often a run got another owner.
    """

    violations: list[str]
    completed: int
    repeats: int
    changes: int


@dataclass(frozen=True, slots=True)
class _Run:
    segment_id: str
    status: str
    output: str | None
    epoch: int
    digest: bytes


def prove(
    stack: Stack, *, since: datetime, outputs: Mapping[UUID, int], others: Collection[UUID], calls: Iterable[Call]
) -> Found:
    """Ask whether every accepted run of an experiment is there, whole and once.

    Args:
        stack: Whose database.
        since: When the experiment began, by the database's clock.
        outputs: The accepted runs of the load, with what each is to end with.
        others: The experiment's own runs, which end as it says itself.
        calls: What the upstream got.
    """
    violations: list[str] = []
    for promise, statement in BROKEN.items():
        violations += _violations_of(promise, stack.ask(statement, [since]))
    runs = {run_id: _Run(*facts) for run_id, *facts in stack.ask(RUNS, [since])}
    violations += _violations_of("an accepted run is missing", (outputs.keys() | set(others)) - runs.keys())
    violations += _violations_of("a run exists that no start was told of", runs.keys() - outputs.keys() - set(others))
    wrong = [
        (run_id, run.status, run.output)
        for run_id, run in runs.items()
        if run_id in outputs and (run.status != "completed" or json.loads(run.output or "null") != outputs[run_id])
    ]
    violations += _violations_of("a run of the load has not completed with its output", wrong)
    violations += _violations_of("a digest does not fit its journal", _unfit(stack, since, runs))
    found, repeats = _calls(stack, since, runs, list(calls))
    return Found(
        violations=violations + found,
        completed=len(outputs.keys() & runs.keys()) - len(wrong),
        repeats=repeats,
        changes=sum(max(0, run.epoch - 1) for run in runs.values()),
    )


def _unfit(stack: Stack, since: datetime, runs: Mapping[UUID, _Run]) -> list[UUID]:
    digests: dict[UUID, bytes] = defaultdict(bytes)
    for run_id, *head, payload in stack.ask(JOURNALS, [since]):
        event = json.dumps(head, separators=(",", ":"), ensure_ascii=False) + payload
        digests[run_id] = hashlib.sha256(digests[run_id] + event.encode()).digest()
    return [run_id for run_id, run in runs.items() if bytes(run.digest) != digests[run_id]]


def _calls(stack: Stack, since: datetime, runs: Mapping[UUID, _Run], calls: list[Call]) -> tuple[list[str], int]:
    """Hold the upstream's memory against the journals."""
    violations: list[str] = []
    made = Counter(call.key for call in calls)
    steps = sorted({call.step for call in calls})
    known: dict[str, UUID] = {}
    repeats: Counter[UUID] = Counter()
    for run_id, step_id, activation, started, asked_again in stack.ask(ATTEMPTS, [since, steps]):
        key = hashlib.sha256(f"{run_id}|{step_id}|{activation}|1".encode()).hexdigest()
        known[key] = run_id
        if not made[key] and runs[run_id].status == "completed":
            violations.append(f"an outcome was recorded of a call nobody got: {run_id} {step_id}#{activation}")
        if made[key] > started:
            violations.append(f"a call was made without an event that tells of it: {run_id} {step_id}#{activation}")
        extra = max(0, made[key] - 1 - asked_again)
        repeats[run_id] += extra
        if extra > runs[run_id].epoch - 1:
            violations.append(f"a call was repeated more often than its run lost its owner: {run_id} {step_id}")
    violations += _violations_of("a call has a key that is no activation's", made.keys() - known.keys())
    violations += _violations_of(
        "a call has another run's key", [c.key for c in calls if known.get(c.key) not in {None, UUID(c.run)}]
    )
    for run_id, extra in repeats.items():
        if extra > WIDTHS[runs[run_id].segment_id] * (runs[run_id].epoch - 1):
            violations.append(f"more calls were repeated than were in flight: {run_id}")
    return violations, sum(repeats.values())


def _violations_of(promise: str, broken: Collection[Any]) -> list[str]:
    if not broken:
        return []
    shown = ", ".join(str(one) for one in list(broken)[:SHOWN])
    return [f"{promise}: {len(broken)} times, {shown}"]
