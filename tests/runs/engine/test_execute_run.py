from tenants.models import Tenant
from tests.support.engine import event_types, get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step


def test_a_chain_runs_to_its_output(acme: Tenant) -> None:
    document = segment(
        step("first", "transform", expression="input.n + 1"),
        step("call", "probe"),
        step("last", "transform", mapping={"total": "input * 10"}),
    )
    run_id = queue_run(acme, document, input={"n": 1})
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    run = get_run(run_id)
    assert run.output == {"total": 20}
    assert event_types(run_id) == [
        "segment.started",
        "step.started first",
        "step.completed first",
        "step.started call",
        "step.completed call",
        "step.started last",
        "step.completed last",
        "segment.completed",
    ]
    assert (run.last_seq, run.activations, run.active, run.owner, run.wake_at) == (8, 3, 0, None, None)
