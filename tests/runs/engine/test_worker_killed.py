from collections import Counter

from tenants.models import Tenant
from tests.support.engine import event_types, queue_runs, wait_for, wait_until_over
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.worker import running_worker

RUNS = 30
STEPS = 5


def test_every_run_completes_and_calls_repeat_only_with_the_same_key(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/call/*", Answer(body={"ok": True}, delay_seconds=0.15))
    calls = [step(f"call_{n}", "http_action", url=f"{server.url}/call/{n}", method="POST") for n in range(STEPS)]
    run_ids = queue_runs(acme, segment(*calls), RUNS)
    with running_worker("worker-1") as first:
        wait_for(lambda: server.count() >= RUNS * STEPS // 3, what="the first worker calls")
        first.kill()
        at_the_kill = server.count()
        assert at_the_kill < RUNS * STEPS, "the kill came too late to prove anything"
        with running_worker("worker-2"):
            assert set(wait_until_over(*run_ids, seconds=40)) == {"completed"}
    keys = server.keys()
    assert len(keys) == RUNS * STEPS
    assert server.count() == sum(keys.values())
    assert max(keys.values()) <= 2, "a kill repeats a call once at most"
    repeated = sum(count - 1 for count in keys.values())
    print(f"{at_the_kill} calls at the kill, {repeated} repeated")
    for run_id in run_ids:
        counted = Counter(event_types(run_id))
        assert {counted[f"step.completed call_{n}"] for n in range(STEPS)} == {1}
