from django.db import connection

from foundation.scope import unscoped
from runs.models import Run
from tenants.models import Tenant
from tests.support.engine import get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

TERMINATE = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'llmteam claims'"


def terminate_claims() -> int:
    with connection.cursor() as cursor:
        cursor.execute(TERMINATE)
        return int(cursor.fetchone()[0])


def test_a_run_whose_claim_was_committed_but_never_answered_is_executed(acme: Tenant) -> None:
    known = queue_run(acme, segment(step("slow", seconds=3)))
    with running_host() as host:
        wait_for(lambda: host.runners)
        run_id = queue_run(acme, segment(step("only")), wake_at=None, timeout_seconds=60)
        with unscoped("the test plays a claim whose answer got lost"):
            Run.objects.filter(id=run_id).update(
                owner=host.worker_id, epoch=1, status="running", deadline_at=get_run(known).deadline_at
            )
        assert terminate_claims() > 0
        assert wait_until_over(run_id, seconds=10) == ["completed"]
        assert wait_until_over(known) == ["completed"]
    assert get_run(run_id).epoch == 2
    assert get_run(known).epoch == 1, "a run the host knows is left alone"
