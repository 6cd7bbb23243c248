"""What expressions draw from clock and chance is the activation's: every attempt, on whatever host, draws the same."""

from datetime import datetime
from typing import Any

from runs.engine.clock import DatabaseClock
from runs.engine.store.connection import connect
from runs.step_api.base import Emit, Next, StepCall, StepFailed, Wait
from tenants.models import Tenant
from tests.support.engine import events_of, get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

SEEN: list[Any] = []
KEPT = (
    "select extract(epoch from to_timestamp(at))::float8 from unnest(%s::float8[]) with ordinality t(at, n) order by n"
)


async def fail_the_first_attempt(call: StepCall, run: Next) -> Emit | Wait:
    answer = await run(call)
    if call.step_id == "draw" and isinstance(answer, Emit):
        SEEN.append(answer.ports["output"])
        if len(SEEN) == 1:
            raise StepFailed("TRY_AGAIN", "Once more.", retryable=True, retry_after_seconds=1)
    return answer


def test_another_host_draws_the_same_in_the_next_attempt(acme: Tenant, settings: Any) -> None:
    settings.STEP_MIDDLEWARE = [f"{__name__}.fail_the_first_attempt"]
    SEEN.clear()
    drawn = {"at": "now()", "id": "uuid()", "other": ["uuid()"], "attempt": "run.attempt"}
    told = {"at": "now()", "id": "uuid()", "started_at": "run.started_at", "run": "run.id", "tenant": "tenant.slug"}
    edges = [{"from": "draw", "to": "tell", "condition": "at == now() and uuid() == uuid()"}]
    edges += [{"from": "draw", "to": "last", "condition": "else"}, {"from": "last", "to": "end"}]
    retry = {"max_attempts": 2}
    steps = [step("draw", "transform", mapping=drawn, retry=retry), step("tell", "transform", mapping={"no": "1"})]
    steps += [
        step("last", "transform", mapping=told),
        step("end", "transform", expression="[input, steps.draw.output]"),
    ]
    run_id = queue_run(acme, segment(*steps, edges=edges))
    with running_host():
        wait_for(lambda: bool(SEEN))
    with running_host():
        assert wait_until_over(run_id) == ["completed"], get_run(run_id).error
    owners = {event.attempt for event in events_of(run_id) if event.type == "step.started" and event.step_id == "draw"}
    assert owners == {1, 2}

    first, second = SEEN
    assert (first.pop("attempt"), second.pop("attempt")) == (1, 2)
    assert first == second
    began = next(event for event in events_of(run_id) if event.type == "step.started")
    assert datetime.fromisoformat(first["at"]) == began.created_at

    run = get_run(run_id)
    assert run.output is not None
    last, output = run.output["end"]
    assert output == {**second, "attempt": 2}
    assert len({first["id"], first["other"][0], last["id"]}) == 3
    assert datetime.fromisoformat(last["started_at"]) == run.started_at
    assert (last["run"], last["tenant"]) == (str(run_id), "acme")


def test_the_journal_keeps_exactly_the_times_that_were_shown(transactional_db: None) -> None:
    """Of times with parts of a microsecond Postgres rounds one in eight otherwise than Python does."""
    clock = DatabaseClock()
    clock.set(1_796_000_000.123, asked_at=0, answered_at=0)
    shown = [clock.now() for _ in range(20_000)]
    with connect("test") as connection:
        kept = [row[0] for row in connection.execute(KEPT, [shown]).fetchall()]
    assert kept == shown
