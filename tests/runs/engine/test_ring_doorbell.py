import os
import socket
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.db import transaction

from devserver.folders import CHECKOUT
from runs.bus.doorbell import poke_owner, ring
from tenants.models import Tenant
from tests.support.engine import queue_run, wait_until_over
from tests.support.segments import segment, step
from tests.support.valkeys import own_valkey
from tests.support.worker import running_worker


def test_a_ring_is_heard_long_before_the_next_sweep(acme: Tenant) -> None:
    """At most one of the two runs could be found by a sweep."""
    with running_worker("worker-1", SWEEP_SECONDS="60"):
        for _ in range(2):
            run_id = queue_run(acme, segment(step("one")))
            ring()
            assert wait_until_over(run_id, seconds=25) == ["completed"]


def test_nothing_is_sent_before_the_commit(transactional_db: None, django_capture_on_commit_callbacks: Any) -> None:
    with transaction.atomic(), django_capture_on_commit_callbacks() as callbacks:
        ring()
        poke_owner(uuid4())
    assert len(callbacks) == 2


def run_python(code: str, *, redis_url: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "REDIS_URL": redis_url, "DJANGO_SETTINGS_MODULE": "llmteam.settings"}
    environment["PYTHONPATH"] = f"{CHECKOUT}{os.pathsep}{CHECKOUT / 'platform'}"
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


RING = """
import os, time, uuid, django
django.setup()
import llmteam.celery
from runs.bus import doorbell as queue
began = time.monotonic()
for _ in range(20):
    queue.doorbell.send(queue._publish_poke)
    queue.doorbell.send(lambda: queue._publish_signal("x"))
print(queue.doorbell.failures, time.monotonic() - began)
"""


@pytest.mark.parametrize("is_listening", [True, False])
def test_a_dead_or_silent_broker_costs_a_caller_little_and_never_raises(is_listening: bool) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if is_listening:
            silent.listen(50)
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        done = run_python(RING, redis_url=address)
    assert done.returncode == 0, done.stderr
    failures, seconds = done.stdout.split()
    assert int(failures) == 40
    assert float(seconds) < 2.5, "one message waits, the others are dropped at once"


CHILD = """
import os, sys, django
django.setup()
import llmteam.celery
from runs.bus import doorbell as queue

queue.ringer.ask()  # the parent's thread runs
child = os.fork()
if child == 0:
    queue.ringer.ask()
    queue.ringer._thread.shutdown()
    print("child", queue.doorbell.failures, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.soak
def test_what_was_asked_for_is_sent_before_the_process_ends_and_by_a_forked_child_too() -> None:
    with own_valkey() as valkey, redis.Redis.from_url(valkey.url) as broker:
        done = run_python(CHILD, redis_url=valkey.url)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["child", "0"]
        assert broker.llen("celery") == 2
