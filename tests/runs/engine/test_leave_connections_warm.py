"""Tests' hosts leave their connections to the next host, which finds no trace of the one before."""

from contextlib import closing

import pytest
from django.db import connection

from runs.engine.store import threads
from tenants.models import Tenant
from tests.support.definitions import steps_in_a_row
from tests.support.engine import get_run, queue_run, wait_until_over
from tests.support.host import running_host

pytestmark = pytest.mark.django_db(transaction=True)
OURS = "from pg_stat_activity where application_name = 'llmteam writer' and datname = current_database()"


def writers() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"select pid {OURS}")
        return {pid for (pid,) in cursor.fetchall()}


def execute(tenant: Tenant) -> None:
    run = queue_run(tenant, steps_in_a_row("input"))
    with running_host() as host:
        host.poke()
        assert wait_until_over(run) == ["completed"], get_run(run).error


def test_the_next_host_writes_by_the_same_connection(acme: Tenant) -> None:
    execute(acme)
    left = writers()
    assert left
    execute(acme)
    assert writers() == left


def test_an_ended_connection_is_given_to_nobody(acme: Tenant) -> None:
    execute(acme)
    with connection.cursor() as cursor:
        cursor.execute(f"select pid, pg_terminate_backend(pid, 5000) {OURS}")
        ended = {pid for pid, is_ended in cursor.fetchall() if is_ended}
    assert ended
    with closing(threads.connect("writer")) as given:
        assert given.execute("select pg_backend_pid()").fetchone() not in {(pid,) for pid in ended}
