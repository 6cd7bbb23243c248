"""The contract's reference example: a text is checked, written, reviewed and published, or written again.

Renamed ports, a three-way decision, a way back; the model and the person are stand-ins. In the core everything is;
in the real worker the article is really sent.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from segments.validation import validate
from tests.support.core_runs import run_in_core
from tests.support.http_server import Answer, CountingServer
from tests.support.platform import Platform, running_platform
from tests.support.stand_in_steps import offline_registry

pytestmark = pytest.mark.django_db

NEWSLETTER: dict[str, Any] = {
    "version": "1.0",
    "segment_id": "newsletter",
    "name": "Newsletter",
    "description": "Checks an idea, writes a text on it, lets an editor decide, and publishes what is approved.",
    "entrypoint": "validator",
    "params": {"max_retries": 3, "timeout_seconds": 600},
    "steps": [
        {
            "step_id": "validator",
            "type": "llm_agent",
            "name": "Is the idea clear?",
            "config": {"llm_ref": "small", "prompt_template_id": "check_idea", "temperature": 0.1},
            "ports": {"input": ["data"], "output": ["validated", "errors"]},
            "position": {"x": 0, "y": 0},
        },
        {
            "step_id": "generator",
            "type": "llm_agent",
            "name": "Write the text",
            "config": {"llm_ref": "large", "prompt_template_id": "write_text", "max_tokens": 900},
            "ports": {"input": ["topic", "style"], "output": ["content"]},
            "position": {"x": 200, "y": 0},
        },
        {
            "step_id": "reviewer",
            "type": "human_task",
            "name": "The editor decides",
            "config": {
                "task_type": "approval",
                "assignee_ref": "editors",
                "timeout_hours": 48,
                "escalation_chain": ["desk", "chief"],
            },
            "ports": {"input": ["content"], "output": ["approved", "rejected", "modified"]},
            "position": {"x": 400, "y": 0},
        },
        {
            "step_id": "publisher",
            "type": "http_action",
            "name": "Send it out",
            "config": {"client_ref": "press", "method": "POST", "path": "/letters", "retry_count": 2},
            "ports": {"input": ["content"], "output": ["result"]},
            "position": {"x": 600, "y": 0},
        },
    ],
    "edges": [
        {"from": "validator", "from_port": "validated", "to": "generator", "to_port": "topic"},
        {"from": "generator", "from_port": "content", "to": "reviewer", "to_port": "content"},
        {"from": "reviewer", "from_port": "approved", "to": "publisher", "to_port": "content"},
        {"from": "reviewer", "from_port": "modified", "to": "generator", "to_port": "topic"},
    ],
    "metadata": {"owner": "ann@acme.example", "labels": ["letters"]},
}
PASS = ["generator", "reviewer"]
PATHS = pytest.mark.parametrize(
    ("decisions", "sequence", "published"),
    [
        (["approved"], ["validator", *PASS, "publisher"], {"topic": "tea", "response": "generator 1"}),
        (["rejected"], ["validator", *PASS], None),
        (
            ["modified", "approved"],
            ["validator", *PASS, *PASS, "publisher"],
            {"topic": "tea again", "response": "generator 2"},
        ),
        (
            ["modified", "modified", "approved"],
            ["validator", *PASS, *PASS, *PASS, "publisher"],
            {"topic": "tea again again", "response": "generator 3"},
        ),
        (["modified", "rejected"], ["validator", *PASS, *PASS], None),
    ],
    ids=["approved", "rejected", "modified-approved", "modified-twice-approved", "modified-rejected"],
)


def run_input(decisions: list[str]) -> dict[str, Any]:
    return {"topic": "tea", "decisions": decisions}


def sent(decisions: list[str], published: dict[str, Any] | None) -> dict[str, Any] | None:
    """What reaches the publisher: the stand-ins pass the run's input on and add to it."""
    return None if published is None else {"decisions": decisions, **published}


def test_is_accepted_with_nothing_to_say_against_it() -> None:
    findings = validate(NEWSLETTER, offline_registry().catalog).findings
    assert [(found.code, found.pointer) for found in findings if found.severity != "info"] == []


@PATHS
def test_takes_the_way_the_person_decides_in_the_core(
    decisions: list[str], sequence: list[str], published: dict[str, Any] | None
) -> None:
    run = run_in_core(NEWSLETTER, offline_registry(), run_input(decisions))
    assert run.started() == sequence
    article = sent(decisions, published)
    assert run.state.output() == (None if article is None else {**article, "response": "publisher 1"})


@pytest.fixture(scope="module")
def platform(key: str, world_server: CountingServer) -> Iterator[Platform]:
    world_server.route("POST", "/letters", lambda request: Answer(201, body={"printed": request.json()}))
    with running_platform(
        key, DJANGO_SETTINGS_MODULE="tests.support.stand_in_settings", HTTP_CLIENTS=f"press={world_server.url}"
    ) as running:
        yield running


@PATHS
def test_takes_the_way_the_person_decides_in_a_real_worker(
    platform: Platform,
    world: CountingServer,
    decisions: list[str],
    sequence: list[str],
    published: dict[str, Any] | None,
) -> None:
    run = platform.run(NEWSLETTER, run_input(decisions))
    assert run["status"] == "completed", run["error"]
    assert [step["step_id"] for step in platform.steps(run)] == sequence
    article = sent(decisions, published)
    assert run["output"] == (None if article is None else {"printed": article})
    assert [call.json() for call in world.calls] == ([] if article is None else [article])


def test_a_letter_that_is_not_taken_at_once_is_sent_again_with_its_key(
    platform: Platform, world: CountingServer
) -> None:
    world.route("POST", "/busy", [Answer(503), Answer(201, body={"printed": True})])
    publisher = NEWSLETTER["steps"][3]
    quick = {"max_attempts": 3, "initial_seconds": 0.05, "max_seconds": 0.05}
    busy = {**publisher, "config": {**publisher["config"], "path": "/busy"}, "retry": quick}
    run = platform.run({**NEWSLETTER, "steps": [*NEWSLETTER["steps"][:3], busy]}, run_input(["approved"]))
    assert run["output"] == {"printed": True}, run["error"]
    assert list(world.keys("/busy").values()) == [2]
