"""Journals written by earlier cores fold to the same state. A new story is written with ``WRITE_GOLDEN=1``."""

import os
from typing import Any

import pytest

from runs.commands import command_run
from runs.core.summary import summarise
from runs.journals.snapshots import snapshot_run
from runs.models import Run, SignalKind
from segments.definition import read_segment
from segments.plan import FIRST_SEMANTICS, KNOWN_SEMANTICS, SEMANTICS
from tenants.models import Tenant
from tests.support import golden_journals
from tests.support.engine import events_of, get_run, queue_run, wait_until_over
from tests.support.host import running_host

ON_PURPOSE = os.environ.get("WRITE_GOLDEN") == "1"


def recorded(run: Run, definition: dict[str, Any]) -> dict[str, Any]:
    names = ("seq", "type", "step_id", "activation", "attempt", "payload")
    journal = [{name: getattr(event, name) for name in names} for event in events_of(run.id)]
    told = {"semantics": run.semantics, "definition": definition, "journal": journal}
    state, digests = golden_journals.fold(told)
    outcome = {"status": run.status, "output": run.output, "error": run.error}
    return {**told, "state": summarise(state), "digests": digests, **outcome}


def test_every_story_has_a_journal() -> None:
    if not ON_PURPOSE:
        assert {path.stem for path in golden_journals.path_of("any").parent.glob("*.json")} == set(
            golden_journals.STORIES
        )


WRITTEN = [
    (semantics, story)
    for semantics in KNOWN_SEMANTICS
    for story in golden_journals.STORIES
    if golden_journals.path_of(story, semantics).exists()
]


@pytest.mark.parametrize(("semantics", "story"), WRITTEN)
def test_folds_to_the_same_state_after_every_event(semantics: int, story: str) -> None:
    told = golden_journals.read(story, semantics)
    assert told["semantics"] == semantics
    state, digests = golden_journals.fold(told)
    assert summarise(state) == told["state"]
    assert digests == told["digests"]
    if told["status"] == "completed":
        assert state.output() == told["output"]
    else:
        assert state.failure == told["error"]


@pytest.mark.parametrize("story", golden_journals.STORIES)
def test_the_engine_still_writes_it(acme: Tenant, story: str) -> None:
    run_id = queue_run(acme, golden_journals.STORIES[story], input=golden_journals.INPUT)
    with running_host():
        wait_until_over(run_id)
    segment = read_segment(golden_journals.STORIES[story]).segment
    assert segment is not None
    now = recorded(get_run(run_id), segment.to_dict())
    if ON_PURPOSE and not golden_journals.path_of(story).exists():
        golden_journals.write(story, now)
    told = golden_journals.read(story)
    assert told["semantics"] == SEMANTICS
    assert facts(now) == facts(told)
    assert now["output"] == told["output"]
    assert now["status"] == told["status"]


def facts(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(fact["type"], fact["step_id"], fact["activation"], fact["attempt"]) for fact in told["journal"]]


GONE_ON_WITH = [
    (semantics, story)
    for semantics, story in WRITTEN
    if semantics == FIRST_SEMANTICS or (semantics, story) in golden_journals.OTHER_UNDER_EARLIER
]


@pytest.mark.parametrize(("semantics", "story"), GONE_ON_WITH)
def test_a_run_begun_by_an_earlier_semantics_goes_on_to_its_end(acme: Tenant, semantics: int, story: str) -> None:
    told = golden_journals.read(story, semantics)
    whole = told["journal"]
    begun = {**told, "input": golden_journals.INPUT}
    run_ids = [golden_journals.put_run(acme, begun, whole[:cut], status="running") for cut in range(1, len(whole))]
    with running_host():
        for run_id in run_ids:
            wait_until_over(run_id)
    assert len(run_ids) >= 3
    for run_id in run_ids:
        run = get_run(run_id)
        assert (run.semantics, run.status, run.output) == (semantics, told["status"], told["output"])


@pytest.mark.parametrize(("strategy", "told"), golden_journals.stalled().items())
def test_a_run_that_an_earlier_engine_stalled_goes_on_when_resumed(
    acme: Tenant, strategy: str, told: dict[str, Any]
) -> None:
    assert told["semantics"] == FIRST_SEMANTICS
    begun = [(fact["step_id"], fact["activation"]) for fact in told["journal"] if fact["type"] == "step.started"]
    run_id = golden_journals.put_run(acme, told, told["journal"], status="stalled")
    assert b'"checksum"' in b"".join(snapshot_run(tenant=acme, run_id=run_id))
    command_run(tenant=acme, run_id=run_id, command=SignalKind.RESUME, actor="test", reason="mended")
    with running_host():
        wait_until_over(run_id)
    run = get_run(run_id)
    assert run.status == "completed", run.error
    ended = {
        (event.step_id, event.activation)
        for event in events_of(run_id)
        if event.type in ("step.completed", "step.failed", "step.skipped")
    }
    assert ended >= set(begun)
    assert run.output == {"any": None, "first": "caught", "quorum": None}[strategy]
