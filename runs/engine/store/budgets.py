"""Usage and holds in the database: usage is counted with events, holds reserve room for calls in flight."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from runs.engine.store.connection import Database, transaction
from runs.engine.store.liveness import check_alive
from runs.step_api.base import StepFailed
from runs.step_api.resources import Budget, Hold
from runs.usage.amounts import NOTHING, Amount, amount_of
from runs.usage.budgets import BudgetAccount, check_room, resets_at

BUDGET_LOCK = 0x6C6C6D62
"""First key of the advisory locks of budgets; the second is a hash of the tenant."""

# Each writer counts in a row of its own, or a commit of one host would wait for those of all others.
COUNT = """
with said as (
  select e.*, r.tenant_id, r.segment_id, r.is_test, to_timestamp(e.at) as moment
  from unnest(%b::uuid[], %b::int[], %b::int[], %b::float8[], %b::text[], %b::int[], %b::int[], %b::text[], %b::text[],
              %b::text[], %b::int[], %b::int[], %b::text[], %b::bool[], %b::int[], %b::text[], %b::text[])
    as e(run_id, seq, ordinal, at, step_id, activation, attempt, connection, provider,
         model, input_tokens, output_tokens, cost, estimated, latency_ms, request_id, prompt)
  join runs_run r on r.id = e.run_id
)
, entered as (
  insert into runs_usageentry (
    tenant_id, run_id, seq, ordinal, at, segment_id, step_id, activation, attempt, connection, provider, model,
    input_tokens, output_tokens, cost, estimated, latency_ms, request_id, prompt, is_test)
  select tenant_id, run_id, seq, ordinal, moment, segment_id, step_id, activation, attempt, connection, provider, model,
    input_tokens, output_tokens, cost::numeric, estimated, latency_ms, request_id, prompt, is_test
  from said order by run_id, seq, ordinal
)
insert into runs_usageday as d (
  tenant_id, day, segment_id, provider, model, is_test, shard,
  calls, input_tokens, output_tokens, cost, unpriced_calls, estimated_calls)
select tenant_id, (moment at time zone 'UTC')::date, segment_id, provider, model, is_test, mod(pg_backend_pid(), 16),
  count(*), sum(input_tokens), sum(output_tokens), coalesce(sum(cost::numeric), 0),
  count(*) filter (where cost is null), count(*) filter (where estimated)
from said
group by 1, 2, 3, 4, 5, 6
order by 1, 2, 3, 4, 5, 6
on conflict (tenant_id, day, segment_id, provider, model, is_test, shard) do update
set calls = d.calls + excluded.calls,
    input_tokens = d.input_tokens + excluded.input_tokens,
    output_tokens = d.output_tokens + excluded.output_tokens,
    cost = d.cost + excluded.cost,
    unpriced_calls = d.unpriced_calls + excluded.unpriced_calls,
    estimated_calls = d.estimated_calls + excluded.estimated_calls
"""
RELEASE = """
delete from runs_budgethold h
using unnest(%b::uuid[], %b::text[], %b::int[], %b::int[]) as e(run_id, step_id, activation, attempt)
where h.run_id = e.run_id and h.step_id = e.step_id and h.activation = e.activation and h.attempt = e.attempt
"""
RELEASE_OF_WORKERS = "delete from runs_budgethold where worker_id = any(%s)"
LOCK = """
with tenants as materialized (select distinct hashtext(id::text) as hash from unnest(%s::uuid[]) as t(id) order by hash)
select pg_advisory_xact_lock(%s, hash) from tenants
"""
# In one statement, so that what an outcome moves from held to spent is in either, never in neither.
STANDINGS = """
with today as (select (clock_timestamp() at time zone 'UTC')::date as day)
select t.id, today.day, t.daily_token_budget, t.daily_cost_budget, u.tokens, u.cost, h.tokens, h.cost
from tenants_tenant t
cross join today
cross join lateral (
  select coalesce(sum(input_tokens + output_tokens), 0)::bigint as tokens, coalesce(sum(cost), 0) as cost
  from runs_usageday where tenant_id = t.id and day = today.day
) u
cross join lateral (
  select coalesce(sum(tokens), 0)::bigint as tokens, coalesce(sum(cost), 0) as cost
  from runs_budgethold where tenant_id = t.id
) h
where t.id = any(%s)
"""
OWN = """
select h.run_id, h.step_id, h.activation, h.attempt, h.tokens, h.cost from runs_budgethold h
join unnest(%s::uuid[], %s::text[], %s::int[], %s::int[]) as e(run_id, step_id, activation, attempt)
  on h.run_id = e.run_id and h.step_id = e.step_id and h.activation = e.activation and h.attempt = e.attempt
"""
HOLD = """
insert into runs_budgethold as h (id, tenant_id, run_id, step_id, activation, attempt, tokens, cost, worker_id)
select gen_random_uuid(), e.*, %s::uuid
from unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int[], %s::int[], %s::bigint[], %s::numeric[])
  as e(tenant_id, run_id, step_id, activation, attempt, tokens, cost)
on conflict (run_id, step_id, activation, attempt) do update set tokens = excluded.tokens, cost = excluded.cost
"""

AttemptKey: TypeAlias = tuple[UUID, str, int, int]
"""Run, step, activation, attempt."""


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """An attempt asks its tenant's day for room: ``taken`` is what it took already, and has not recorded yet."""

    tenant_id: UUID
    key: AttemptKey
    taken: Amount
    hold: Hold

    @property
    def total(self) -> Amount:
        """The amount that has to be held for the attempt from now on."""
        return self.taken + amount_of(self.hold)


def reserve(connection: Database, *, worker_id: UUID, requests: Sequence[HoldRequest]) -> list[StepFailed | None]:
    """Hold room for attempts in their tenants' days, in one transaction; first come, first served.

    What an attempt held before is replaced. May be repeated: a request that was granted already is granted again.
    Nobody, on whatever host, can take the same room twice: requests of a tenant are decided one batch after another.

    Args:
        connection: Used for one transaction.
        worker_id: The host that holds; the holds go when it goes.
        requests: At most one of an attempt.

    Returns:
        For each request None, or why there is no room.

    Raises:
        HostLost: The host's lease is over.
    """
    keys = [list(column) for column in zip(*(request.key for request in requests), strict=True)]
    tenant_ids = sorted({request.tenant_id for request in requests})
    with transaction(connection):
        check_alive(connection, worker_id)
        connection.execute(LOCK, [tenant_ids, BUDGET_LOCK])
        own = connection.execute(OWN, keys).fetchall()
        standings = connection.execute(STANDINGS, [tenant_ids]).fetchall()
        books = _Books(standings, own)
        answers = [books.decide(request) for request in requests]
        granted = [request for request, refusal in zip(requests, answers, strict=True) if refusal is None]
        if granted:
            connection.execute(HOLD, [worker_id, *_columns(granted)])
    return answers


def release(connection: Database, keys: Sequence[AttemptKey]) -> None:
    """Let go of what attempts hold; those that hold nothing are passed over."""
    with transaction(connection):
        connection.execute(RELEASE, [list(column) for column in zip(*keys, strict=True)])


class _Books:
    """Usage of the tenants of one batch, request after request."""

    def __init__(self, standings: Sequence[Sequence[Any]], own: Sequence[Sequence[Any]]) -> None:
        self._own = {(run, step, activation, attempt): Amount(*held) for run, step, activation, attempt, *held in own}
        self._days: dict[UUID, tuple[date, Budget]] = {}
        self._spent: dict[UUID, Amount] = {}
        self._held: dict[UUID, Amount] = {}
        for tenant_id, day, tokens, cost, spent_tokens, spent_cost, held_tokens, held_cost in standings:
            self._days[tenant_id] = day, Budget(tokens, cost)
            self._spent[tenant_id] = Amount(spent_tokens, spent_cost)
            self._held[tenant_id] = Amount(held_tokens, held_cost)

    def decide(self, request: HoldRequest) -> StepFailed | None:
        """Grant a request, or say why not."""
        tenant_id = request.tenant_id
        day, budget = self._days.get(tenant_id, (date.min, Budget(0, Decimal(0))))
        spent = self._spent.get(tenant_id, NOTHING) + request.taken
        held = self._held.get(tenant_id, NOTHING) - self._own.get(request.key, NOTHING)
        try:
            check_room(BudgetAccount("day", budget, spent, held, resets_at(day)), request.hold)
        except StepFailed as refusal:
            return refusal
        self._held[tenant_id] = held + request.total
        self._own[request.key] = request.total
        return None


def _columns(granted: Sequence[HoldRequest]) -> list[list[Any]]:
    rows = [(one.tenant_id, *one.key, one.total.tokens, one.total.cost) for one in granted]
    return [list(column) for column in zip(*rows, strict=True)]
