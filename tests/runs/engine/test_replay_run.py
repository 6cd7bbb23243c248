from typing import Any
from uuid import UUID

from runs.commands import command_run
from runs.models import SignalKind
from runs.replay import replay_run
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.journal_digests import digest_of, stored_events
from tests.support.segments import segment, step


def replay(tenant: Tenant, run_id: UUID, activation: str | None = None) -> UUID:
    started = replay_run(tenant=tenant, actor="key:tests", run_id=run_id, from_activation=activation)
    return started.run.id


def calls(server: CountingServer, *step_ids: str) -> list[dict[str, Any]]:
    return [step(step_id, "http_action", url=f"{server.url}/{step_id}", method="POST") for step_id in step_ids]


def counted(server: CountingServer) -> dict[str, int]:
    paths = [call.path.strip("/") for call in server.calls]
    return {path: paths.count(path) for path in paths}


def chained(run_id: UUID) -> tuple[bytes, int]:
    """The digest and size of what is stored, worked out anew."""
    texts = stored_events(run_id)
    return digest_of(texts), sum(len(text.encode()) for *_, text in texts)


def test_calls_whose_outcome_was_recorded_before_are_not_made_again(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/one", Answer(body={"n": 1}))
    server.route("POST", "/two", Answer(body={"n": 2}))
    server.route("POST", "/three", Answer(body={"n": 3}))
    run_id = queue_run(acme, segment(*calls(server, "one", "two", "three")))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
        assert counted(server) == {"one": 1, "two": 1, "three": 1}
        new_id = replay(acme, run_id, "two#1")
        assert wait_until_over(new_id) == ["completed"]
    assert counted(server) == {"one": 1, "two": 2, "three": 2}
    assert get_run(new_id).output == get_run(run_id).output
    assert event_types(new_id) == event_types(run_id)
    copied = [event for event in events_of(new_id) if "replayed_from" in event.payload]
    first = next(event.seq for event in events_of(run_id) if event.step_id == "two")
    assert [event.payload["replayed_from"] for event in copied] == [f"{run_id}:{seq}" for seq in range(1, first)]
    assert [event.seq for event in copied] == list(range(1, first))


def test_the_copied_journal_is_counted_and_chained(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one"), step("two"), step("three")))
    with running_host():
        wait_until_over(run_id)
    new_id = replay(acme, run_id, "three#1")
    copied = get_run(new_id)
    assert (copied.last_seq, copied.activations, copied.active) == (len(events_of(new_id)), 2, 0)
    assert copied.last_seq == events_of(run_id)[-1].seq - 3
    assert chained(new_id) == (bytes(copied.digest), copied.journal_bytes)
    with running_host():
        assert wait_until_over(new_id) == ["completed"]
    ended = get_run(new_id)
    assert chained(new_id) == (bytes(ended.digest), ended.journal_bytes)
    assert ended.activations == get_run(run_id).activations


def test_what_was_in_flight_is_done_again(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/slow", Answer(body={"slow": True}, delay_seconds=1))
    server.route("POST", "/quick", Answer(body={"quick": True}))
    server.route("POST", "/after", Answer(body={"after": True}))
    split = step("split", "parallel_split", branches=["a", "b"])
    join = step("join", "parallel_join")
    edges: list[dict[str, Any]] = [
        {"from": "split", "from_port": "a", "to": "slow"},
        {"from": "split", "from_port": "b", "to": "quick"},
        {"from": "quick", "to": "after"},
        {"from": "slow", "to": "join"},
        {"from": "after", "to": "join"},
    ]
    slow = {**calls(server, "slow")[0], "on_unknown": "fail"}
    run_id = queue_run(acme, segment(split, slow, *calls(server, "quick", "after"), join, edges=edges))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
        new_id = replay(acme, run_id, "after#1")
        assert get_run(new_id).active == 1
        assert wait_until_over(new_id) == ["completed"]
    assert counted(server) == {"slow": 2, "quick": 1, "after": 2}
    again = next(event for event in events_of(new_id) if event.type == "step.retrying")
    assert (again.step_id, again.payload["reason"], again.payload["consumed"]) == ("slow", "replayed", False)
    assert get_run(new_id).output == get_run(run_id).output


def test_a_failed_run_goes_on_from_the_step_that_failed(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/one", Answer(body={"n": 1}))
    server.route("POST", "/two", [Answer(500), Answer(body={"n": 2})])
    run_id = queue_run(acme, segment(*calls(server, "one", "two")))
    with running_host():
        assert wait_until_over(run_id) == ["failed"]
        new_id = replay(acme, run_id, "two#1")
        assert wait_until_over(new_id) == ["completed"]
    assert counted(server) == {"one": 1, "two": 2}


def test_every_activation_of_a_loop_leads_to_the_same_output(acme: Tenant) -> None:
    again = step("again", "condition", expression="input.n < 4")
    add = step("add", "transform", mapping={"n": "input.n + 1"})
    end = step("end", "transform", expression="input.n * 10")
    edges: list[dict[str, Any]] = [
        {"from": "add", "to": "again"},
        {"from": "again", "from_port": "true", "to": "add"},
        {"from": "again", "from_port": "false", "to": "end"},
    ]
    run_id = queue_run(acme, segment(add, again, end, edges=edges))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
        started = [event for event in events_of(run_id) if event.type == "step.started"]
        assert len(started) == 7
        names = [None, *(f"{event.step_id}#{event.activation}" for event in started)]
        new_ids = [replay(acme, run_id, name) for name in names]
        assert set(wait_until_over(*new_ids)) == {"completed"}
    assert get_run(run_id).output == 40
    for name, new_id in zip(names, new_ids, strict=True):
        assert get_run(new_id).output == 40, name
        assert event_types(new_id) == event_types(run_id), name
        assert get_run(new_id).replay_of == run_id


def test_a_replay_can_be_replayed_and_paused(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one"), step("slow", seconds=1), step("three", result=3)))
    with running_host():
        wait_for(lambda: "step.started slow" in event_types(run_id))
        for command in (SignalKind.PAUSE, SignalKind.RESUME):
            command_run(tenant=acme, actor="key:tests", run_id=run_id, command=command)
            if command is SignalKind.PAUSE:
                wait_for(lambda: get_run(run_id).status == "paused")
        assert wait_until_over(run_id) == ["completed"]
        second = replay(acme, run_id, "three#1")
        assert wait_until_over(second) == ["completed"]
        third = replay(acme, second, "slow#1")
        assert wait_until_over(third) == ["completed"]
    assert "segment.resumed" in event_types(second), "the pause was before it"
    assert events_of(third)[0].payload["replayed_from"] == f"{second}:1"
    assert get_run(third).output == 3


def test_a_running_run_can_be_replayed_from_what_it_has_begun(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one"), step("slow", seconds=2)))
    with running_host():
        wait_for(lambda: "step.started slow" in event_types(run_id))
        new_id = replay(acme, run_id, "slow#1")
        assert set(wait_until_over(run_id, new_id)) == {"completed"}
