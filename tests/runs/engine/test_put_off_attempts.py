"""Middleware that puts an attempt off to a time that has passed already, as by a clock that is behind."""

from datetime import timedelta
from typing import Any

from kernel.clock import utc_now
from runs.step_api.base import Defer, Emit, Next, StepCall, Wait
from tenants.models import Tenant
from tests.support.engine import events_of, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step


async def put_off_into_the_past(_call: StepCall, _run: Next) -> Emit | Wait:
    raise Defer(utc_now() - timedelta(hours=1), "rate_limit")


def test_an_attempt_put_off_into_the_past_comes_back_at_a_walk(acme: Tenant, settings: Any) -> None:
    settings.STEP_MIDDLEWARE = [f"{__name__}.put_off_into_the_past"]
    with running_host():
        run_id = queue_run(acme, segment(step("one")), timeout_seconds=1)
        assert wait_until_over(run_id) == ["timed_out"]
    assert 3 < len([event for event in events_of(run_id) if event.type == "step.retrying"]) <= 20
