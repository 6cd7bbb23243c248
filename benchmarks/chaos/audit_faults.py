"""Sealers of the audit that are killed while they seal."""

import subprocess
import sys
import time
from typing import Final, LiteralString

from benchmarks.audit.sealer import sealers
from benchmarks.chaos.trial import Trial
from devserver import folders

KILLS: Final = 100
NEW_ENTRIES: Final = 300
"""Entries written before each sealer, of three tenants and of the installation."""
SEALING_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.002
LONGEST_SECONDS: Final = 1.2
"""Longer than a sealer takes for a batch, so that some are killed in or behind the second."""
DRAIN_SECONDS: Final = 60.0
WRITE: LiteralString = """
insert into audit_entry (id, tenant_id, action, actor, object_type, object_id, outcome, request_id, source, created_at)
select gen_random_uuid(), (select id from tenants_tenant order by slug offset n %% 3 limit 1), 'segment.saved',
  'system', 'segment', 's' || n, 'done', '', '', clock_timestamp()
from generate_series(1, %s) n
"""
SEALS: LiteralString = "select count(*) from pg_locks where locktype = 'advisory' and granted and objid = 3987743463"
WAITING: LiteralString = "select count(*) from audit_unsealedentry"
SEALED: LiteralString = "select count(*) from audit_sealedentry"
# Each names rows that break a promise.
BROKEN: Final[dict[str, LiteralString]] = {
    "a log has a gap, or a leaf twice": """
        select log_id, count(*), min(n), max(n) from audit_sealedentry
        group by log_id having count(*) <> max(n) + 1 or min(n) <> 0 or count(distinct n) <> count(*)""",
    "an entry is sealed twice": """
        select entry_id, count(*) from audit_sealedentry group by entry_id having count(*) > 1""",
    "an entry is in no log": """
        select e.id from audit_entry e left join audit_sealedentry s on s.entry_id = e.id where s.id is null""",
    "an entry is in another's log": """
        select e.id from audit_entry e join audit_sealedentry s on s.entry_id = e.id
        where s.tenant_id is distinct from e.tenant_id""",
}


def kill_sealers(trial: Trial) -> None:
    """SIGKILL of a hundred sealers, at any point of what they do, while runs write entries as well."""
    stack = trial.stack
    trial.revives = False
    stack.beat.kill()
    trial.start_load(20.0)
    killed_at_work, undone = 0, 0
    with sealers(stack.environment, pause_seconds=0.0) as some:
        for _ in range(KILLS):
            stack.ask(WRITE, [NEW_ENTRIES])
            some.start()
            _wait_until_it_seals(trial)
            time.sleep(trial.rng.uniform(0, LONGEST_SECONDS))
            before = stack.ask(SEALED)[0][0]
            at_work = bool(stack.ask(SEALS)[0][0])
            trial.expect(some.kill(), "a sealer had ended before it was killed")
            killed_at_work += at_work
            undone += at_work and stack.ask(SEALED)[0][0] == before
        some.start()
        drained = trial.wait_for(lambda: not stack.ask(WAITING)[0][0], seconds=DRAIN_SECONDS)
        trial.expect(drained, f"{stack.ask(WAITING)[0][0]} entries were not sealed")
        trial.finish()
        trial.wait_for(lambda: not stack.ask(WAITING)[0][0], seconds=DRAIN_SECONDS)
        some.kill()
    trial.revives = True
    for promise, question in BROKEN.items():
        found = stack.ask(question)
        trial.expect(not found, f"{promise}: {found[:3]}")
    trial.figures |= {"kills": KILLS, "killed_at_work": killed_at_work, "of_them_undone": undone}
    trial.figures |= {"sealed": stack.ask(SEALED)[0][0], "logs_verified": _verify(trial)}
    trial.expect(killed_at_work >= KILLS // 2, f"only {killed_at_work} sealers were killed at work")


def _wait_until_it_seals(trial: Trial) -> None:
    deadline = time.monotonic() + SEALING_SECONDS
    while not trial.stack.ask(SEALS)[0][0] and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def _verify(trial: Trial) -> int:
    argv = [sys.executable, "manage.py", "verify_audit"]
    done = subprocess.run(  # noqa: S603 - our own program
        argv,
        check=False,
        env=trial.stack.environment,
        cwd=folders.CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    trial.expect(done.returncode == 0, f"the logs do not verify: {done.stdout}")
    return done.stdout.count(": verified")
