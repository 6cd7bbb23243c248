"""Journals written by earlier cores fold to the same state. A new story is written with ``WRITE_GOLDEN=1``."""

import os
from typing import Any

import pytest

from runs.core.summary import summarise
from runs.models import Run
from segments.definition import read_segment
from segments.plan import SEMANTICS
from tenants.models import Tenant
from tests.support import golden
from tests.support.engine import events_of, get_run, queue_run, wait_until_over
from tests.support.host import running_host

ON_PURPOSE = os.environ.get("WRITE_GOLDEN") == "1"


def recorded(run: Run, definition: dict[str, Any]) -> dict[str, Any]:
    names = ("seq", "type", "step_id", "activation", "attempt", "payload")
    journal = [{name: getattr(event, name) for name in names} for event in events_of(run.id)]
    told = {"semantics": run.semantics, "definition": definition, "journal": journal}
    state, digests = golden.fold(told)
    outcome = {"status": run.status, "output": run.output, "error": run.error}
    return {**told, "state": summarise(state), "digests": digests, **outcome}


def test_every_story_has_a_journal() -> None:
    if not ON_PURPOSE:
        assert {path.stem for path in golden.FOLDER.glob("*.json")} == set(golden.STORIES)


@pytest.mark.parametrize("story", [story for story in golden.STORIES if golden.path_of(story).exists()])
def test_folds_to_the_same_state_after_every_event(story: str) -> None:
    told = golden.read(story)
    state, digests = golden.fold(told)
    assert summarise(state) == told["state"]
    assert digests == told["digests"]
    if told["status"] == "completed":
        assert state.output() == told["output"]
    else:
        assert state.failure == told["error"]


@pytest.mark.parametrize("story", golden.STORIES)
def test_the_engine_still_writes_it(acme: Tenant, story: str) -> None:
    run_id = queue_run(acme, golden.STORIES[story], input=golden.INPUT)
    with running_host():
        wait_until_over(run_id)
    segment = read_segment(golden.STORIES[story]).segment
    assert segment is not None
    now = recorded(get_run(run_id), segment.to_dict())
    if ON_PURPOSE and not golden.path_of(story).exists():
        golden.write(story, now)
    told = golden.read(story)
    if told["semantics"] != SEMANTICS:
        return
    assert facts(now) == facts(told)
    assert now["output"] == told["output"]
    assert now["status"] == told["status"]


def facts(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(fact["type"], fact["step_id"], fact["activation"], fact["attempt"]) for fact in told["journal"]]
