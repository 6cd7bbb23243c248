"""Claims: which run goes to which host, fairly between tenants, each below its cap."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from runs.engine.errors import HostLost
from runs.engine.store.claimed import Claimed, ClaimPurpose, Taken, read_long_inputs, take
from runs.engine.store.connection import Database, transaction
from runs.engine.store.shares import ClaimingHost, WantedRuns, pick_runs
from segments.plan import KNOWN_SEMANTICS

SIGNALLED_AT_ONCE = 100
CLAIM_LOCK = 0x6C6C6D74
"""Key of the advisory lock of claims: one at a time, so what every tenant owns stands until the claim commits."""
FROZEN_MS = 1_000
"""Time the server waits for a host in the middle of a claim: for its next statement, or for it to read an answer. A
host that is frozen there, or whose machine is gone, keeps the others from claiming for as long."""

# The key share lock makes a claim and the sweep that deletes this host exclude each other. The advisory lock is taken
# here, so that the statements behind it see what the claim before it has committed.
BEGIN_CLAIM = """
select step_types,
  case when %(is_to_execute)s then pg_try_advisory_xact_lock(%(lock)s, 0) else false end,
  set_config('idle_in_transaction_session_timeout', %(frozen_ms)s, true),
  set_config('tcp_user_timeout', %(frozen_ms)s, true)
from runs_worker where id = %(worker)s and lease_until > clock_timestamp() for key share
"""

# To apply a command needs no slot, and no step types.
PICK_SIGNALLED = """
select r.id from runs_run r join tenants_tenant t on t.id = r.tenant_id
where r.owner is null and r.wake_at is not null and r.wake_at <= clock_timestamp() and r.signals_pending
  and r.semantics = any(%s) and t.is_active
order by r.id limit %s
for no key update of r skip locked
"""

# As the sweep frees the runs of a dead host; the time since the claim was nobody's, but it is short.
DISOWN = """
with unknown as (
  select id from runs_run where owner = %s and id <> all(%s::uuid[]) order by id for no key update
)
update runs_run r
set owner = null, wake_at = clock_timestamp(), deadline_at = null,
    seconds_left = greatest(0, extract(epoch from r.deadline_at - clock_timestamp()))
from unknown where r.id = unknown.id
"""


class Claim(NamedTuple):
    """Claimed runs. ``is_refused``: another host was claiming, so only runs that wait for a command are among them."""

    runs: list[Claimed]
    is_refused: bool


def claim_runs(
    connection: Database,
    *,
    host: ClaimingHost,
    room: int,
    without: Sequence[UUID] = (),
    semantics: Sequence[int] = KNOWN_SEMANTICS,
    suspects: bool = False,
    overdue_seconds: float = 0.0,
) -> Claim:
    """Take up to ``room`` runs that are due, and any number of those that only wait for a command to be applied.

    Room goes to the tenant that owns least for its weight, on all hosts together, then by priority, then by age; nobody
    gets above its cap, also when many hosts claim at once. Nothing of an inactive tenant is taken.

    Args:
        connection: Used for one transaction, and for a second where inputs are long.
        host: The host that takes them.
        room: How many it can take.
        without: Tenants of which it takes none, save for a command.
        semantics: The numbers of the rules it has.
        suspects: Take one run that has lost several owners instead; the host executes nothing beside it.
        overdue_seconds: Take only what has been due for so long.

    Raises:
        HostLost: The host's lease is over.
    """
    with transaction(connection):
        step_types, is_alone = _look_after_host(connection, host.worker_id, is_to_execute=room > 0)
        signalled = set() if suspects else _pick_signalled(connection, semantics)
        picked: set[UUID] = set()
        if is_alone:
            wanted = WantedRuns(semantics, step_types, suspects, overdue_seconds)
            picked = pick_runs(connection, host, 1 if suspects else room, without, wanted)
        taken = take(connection, host.worker_id, signalled | picked)
    claimed = _complete(connection, taken)
    runs = [one if one.run_id in picked else replace(one, purpose=ClaimPurpose.COMMAND) for one in claimed]
    return Claim(runs, is_refused=room > 0 and not is_alone)


def _look_after_host(connection: Database, worker_id: UUID, *, is_to_execute: bool) -> tuple[list[str], bool]:
    """Read what a host can execute, and keep others from declaring it dead until this transaction ends.

    Tells also whether it is the only one that claims until then; never where nothing is to be executed.
    """
    asked = {"worker": worker_id, "is_to_execute": is_to_execute, "lock": CLAIM_LOCK, "frozen_ms": str(FROZEN_MS)}
    alive = connection.execute(BEGIN_CLAIM, asked).fetchone()
    if alive is None:
        raise HostLost
    step_types: list[str] = alive[0]
    return step_types, bool(alive[1])


def _pick_signalled(connection: Database, semantics: Sequence[int]) -> set[UUID]:
    found = connection.execute(PICK_SIGNALLED, [list(semantics), SIGNALLED_AT_ONCE]).fetchall()
    return {run_id for (run_id,) in found}


def _complete(connection: Database, taken: Taken) -> list[Claimed]:
    """Read long inputs, when nobody waits for the claim to end any more."""
    if not taken.long:
        return taken.runs
    with transaction(connection):
        return read_long_inputs(connection, taken)


def disown_unknown(connection: Database, *, worker_id: UUID, known: Sequence[UUID]) -> int:
    """Free the runs a host owns without knowing it: the answer to its claim was lost, the claim was not.

    Only for the host itself, while it claims nothing.

    Returns:
        How many runs were freed.
    """
    with transaction(connection):
        return connection.execute(DISOWN, [worker_id, list(known)]).rowcount
