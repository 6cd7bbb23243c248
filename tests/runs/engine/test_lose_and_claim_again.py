from foundation.scope import unscoped
from runs.models import Run, Worker
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, get_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step


def test_a_host_that_lost_its_runs_goes_on_with_those_it_claims_again(acme: Tenant) -> None:
    run_ids = queue_runs(acme, segment(step("slow", seconds=1), step("next")), 20)
    with running_host() as host:
        wait_for(lambda: all("step.started slow" in event_types(run_id) for run_id in run_ids))
        first = host.worker_id
        with unscoped("a test plays the sweep of another host"):
            Run.objects.filter(owner=first).update(owner=None, wake_at=get_run(run_ids[0]).created_at)
            Worker.objects.filter(id=first).delete()
        assert set(wait_until_over(*run_ids)) == {"completed"}
        assert host.worker_id != first
    for run_id in run_ids:
        events = events_of(run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.type for event in events].count("step.completed") == 2
    assert any(get_run(run_id).epoch == 2 for run_id in run_ids), "nothing was claimed again"
