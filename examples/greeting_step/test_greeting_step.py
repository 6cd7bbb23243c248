"""The greeting greets; what the package promises, without a platform around it."""

import asyncio
from typing import Any

import pytest
from greeting_step import GreetingHandler

from llmteam.plugin import Emit, StepFailed, StepRunner


def greet(config: dict[str, Any], given: Any) -> Any:
    """Run the step once, as the platform would."""

    async def run() -> Any:
        async with StepRunner() as runner:
            return await runner.run(GreetingHandler(), config, given)

    return asyncio.run(run())


def test_it_greets_in_the_language_that_was_chosen() -> None:
    assert greet({"name": "{{ input.name }}", "language": "fr"}, {"name": "Ann"}) == Emit(
        {"greeting": "Bonjour, Ann !"}
    )


def test_nobody_to_greet_is_a_failure() -> None:
    assert greet({"name": "{{ name }}"}, {"name": "Ann"}) == Emit({"greeting": "Hello, Ann!"})
    with pytest.raises(StepFailed, match="nobody to greet") as failed:
        greet({"name": "{{ name }}"}, {"name": " "})
    assert failed.value.code == "NOBODY_TO_GREET"


@pytest.mark.parametrize(
    ("config", "code"),
    [({"name": "Ann", "language": "tlh"}, "CONFIG_INVALID"), ({"name": "{{ nam }}"}, "EXPRESSION_MISSING_NAME")],
)
def test_what_does_not_fit_never_reaches_the_handler(config: dict[str, Any], code: str) -> None:
    with pytest.raises(StepFailed) as failed:
        greet(config, {"name": "Ann"})
    assert failed.value.code == code
