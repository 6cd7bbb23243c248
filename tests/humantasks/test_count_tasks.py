"""What a process counts about human tasks and their mails: what is committed, once, and no tenant's name."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from prometheus_client import REGISTRY, generate_latest

from foundation.scope import tenant_scope, unscoped
from humantasks.errors import TaskOver
from humantasks.mail.sender import send_due
from humantasks.models import HumanTask, Notice
from humantasks.selectors import count_open_tasks
from kernel.clock import utc_now
from runs.commands import command_run
from runs.engine.host.host import Host
from runs.models import SignalKind
from tenants.models import Membership, Tenant
from tests.support.counts import Watch
from tests.support.engine import queue_run, wait_until_over
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.tasks import ask, decide, task_of

SECOND = 1 / 3600


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


def ended(status: str) -> Watch:
    return Watch("llmteam_human_tasks_ended_total", status=status)


def mailed(outcome: str) -> Watch:
    return Watch("llmteam_mails_total", outcome=outcome)


def test_tasks_are_counted_by_type_and_by_how_they_ended(acme: Tenant, ann: Membership, host: Host) -> None:
    opened = Watch("llmteam_human_tasks_opened_total", task_type="review")
    done, late, closed = ended("completed"), ended("timed_out"), ended("cancelled")
    first, second, third = (queue_run(acme, ask(task_type="review")) for _ in range(3))
    fourth = queue_run(acme, ask("approved -> yes", "timeout -> no", task_type="review", timeout_hours=SECOND))
    task = task_of(first)
    decide(ann, task)
    with pytest.raises(TaskOver):
        decide(ann, task)
    task_of(second)
    command_run(tenant=acme, actor="test", run_id=second, command=SignalKind.CANCEL)
    task_of(third)
    wait_until_over(first, second, fourth)
    assert [watch.grown for watch in (opened, done, late, closed)] == [4, 1, 1, 1]
    assert acme.slug not in generate_latest(REGISTRY).decode()


def test_what_is_rolled_back_is_not_counted(acme: Tenant, ann: Membership, host: Host) -> None:
    done = ended("completed")
    task = task_of(queue_run(acme, ask()))
    with tenant_scope(acme.id):
        assert not decide(ann, task).is_open
        transaction.set_rollback(True)
    assert task_of(task.run_id).is_open
    assert done.grown == 0
    decide(ann, task)
    assert done.grown == 1


def test_mails_are_counted_by_what_came_of_each_try(
    acme: Tenant, ann: Membership, host: Host, mails: MailServer
) -> None:
    sent, failed, given_up = mailed("sent"), mailed("failed"), mailed("given_up")
    task_of(queue_run(acme, ask(assignee_ref="finance")))
    mails.refuses = True
    for _ in range(5):
        assert send_due() == 1
        with unscoped("tests look everywhere"):
            Notice.objects.exclude(next_at=None).update(next_at=utc_now())
    assert [watch.grown for watch in (sent, failed, given_up)] == [0, 4, 1]
    mails.refuses = False
    task_of(queue_run(acme, ask(assignee_ref="finance")))
    assert send_due() == 1
    assert [watch.grown for watch in (sent, failed, given_up)] == [1, 4, 1]


def test_open_and_late_tasks_of_all_tenants_are_counted_when_asked(acme: Tenant, ann: Membership, host: Host) -> None:
    assert count_open_tasks() == {"open": 0, "overdue": 0}
    first, second = (task_of(queue_run(acme, ask())) for _ in range(2))
    decide(ann, task_of(queue_run(acme, ask())))
    with unscoped("tests look everywhere"):
        HumanTask.objects.filter(id=first.id).update(due_at=utc_now() - timedelta(minutes=1))
    assert second.is_open
    assert count_open_tasks() == {"open": 2, "overdue": 1}
