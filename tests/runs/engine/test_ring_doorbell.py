import time
from typing import Any

import pytest
from celery import current_app
from django.db import transaction

from kernel.ids import new_id
from runs.queue import Doorbell, doorbell, poke_owner, ring
from tenants.models import Tenant
from tests.support.engine import queue_run, wait_until_over
from tests.support.segments import segment, step
from tests.support.worker import running_worker


def test_a_ring_is_heard_long_before_the_next_sweep(acme: Tenant) -> None:
    with running_worker("worker-1", SWEEP_SECONDS="30"):
        time.sleep(1)
        began = time.monotonic()
        run_id = queue_run(acme, segment(step("one")))
        ring(run_id)
        assert wait_until_over(run_id, seconds=5) == ["completed"]
        assert time.monotonic() - began < 2


def test_nothing_is_sent_before_the_commit(transactional_db: None, django_capture_on_commit_callbacks: Any) -> None:
    with transaction.atomic(), django_capture_on_commit_callbacks() as callbacks:
        ring(new_id())
        poke_owner(new_id())
    assert len(callbacks) == 2


def test_a_dead_broker_costs_a_caller_little_and_never_raises(transactional_db: None) -> None:
    with current_app.connection_for_write() as live:
        live.ensure_connection(max_retries=1)
    before = doorbell.failures
    assert before == doorbell.failures
    broken = Doorbell()

    def unreachable() -> None:
        raise ConnectionRefusedError

    began = time.monotonic()
    for _ in range(100):
        broken.send(unreachable)
    assert broken.failures == 100
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("send", [ring, poke_owner])
def test_a_stopped_broker_is_counted(transactional_db: None, settings: Any, send: Any) -> None:
    assert send is not None
