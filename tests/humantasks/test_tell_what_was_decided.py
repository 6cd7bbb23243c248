"""The audit tells what was decided, by a hash that says nothing once the person is erased."""

import pytest

from audit.erasure import erase_person
from audit.models import Entry
from audit.personal import ERASED
from foundation.scope import unscoped
from kernel.canonical import content_hash
from tenants.models import Membership, Tenant
from tests.support.audit_entries import shown
from tests.support.engine import queue_run
from tests.support.host import running_host
from tests.support.tasks import ask, decide, task_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_decisions_that_differ_in_their_data_differ_in_the_audit(acme: Tenant, ann: Membership) -> None:
    with running_host():
        runs = [
            queue_run(acme, ask(task_type="review", assignee_ref="finance"), input={"refund": 120}) for _ in range(2)
        ]
        tasks = [task_of(run_id) for run_id in runs]
        for task, refund in zip(tasks, (1, 999_999), strict=True):
            decide(ann, task, "modified", data={"refund": refund})
    with unscoped("tests look everywhere"):
        entries = {one.object_id: one for one in Entry.objects.filter(action="task.decided")}
    told = [entries[str(task.id)] for task in tasks]
    written = [shown(one, one.after) for one in told]
    assert [one["decided"] for one in written] == [content_hash({"refund": 1}), content_hash({"refund": 999_999})]
    assert all(one.after["decided"].startswith("sha256:") for one in told)
    actor = told[0].actor
    assert erase_person(tenant_id=acme.id, person=actor, actor="system") > 0
    assert [shown(one, one.after)["decided"] for one in told] == [ERASED, ERASED]
