"""What a handler of a package may not answer fails its step at once, in a sentence; ``StepRunner`` says the same."""

import pytest

from llmteam.plugin import Emit, StepFailed, StepRunner
from tenants.models import Tenant
from tests.support.engine import get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.odd_steps import SAID, Odd
from tests.support.segments import segment, step


def test_a_run_with_it_fails_at_once_and_names_what_is_wrong(acme: Tenant) -> None:
    ways = ["well", "a fact", "a record", *SAID]
    with running_host():
        begun = {way: queue_run(acme, segment(step("odd", "odd", way=way))) for way in ways}
        wait_until_over(*begun.values())
    runs = {way: get_run(run_id) for way, run_id in begun.items()}
    assert {runs[way].output for way in ways[:3]} == {1}
    for way, (code, words) in SAID.items():
        error = runs[way].error
        assert (error["code"], error["attempts"]) == (code, 1), way
        assert words in error["message"], way
    assert runs["a code of the platform"].error["details"]["failure"] == {"code": "RUN_TIMED_OUT", "message": "Oh."}


async def test_the_runner_of_packages_tests_says_the_same() -> None:
    async with StepRunner() as runner:
        for way in ("well", "a fact", "a record"):
            answer = await runner.run(Odd(), {"way": way})
            assert isinstance(answer, Emit)
            assert answer.ports["output"] == 1
        assert runner.recorded == [("action.started", {"a": 1})]
        for way, (code, words) in SAID.items():
            with pytest.raises(StepFailed) as raised:
                await runner.run(Odd(), {"way": way})
            assert raised.value.code == code, way
            assert words in raised.value.message, way
