"""Models that stand in for each other: who is asked next, and what the step ends with when none answers."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from kernel.values import Json
from runs.agents.config import AgentFallback, Occasion
from runs.steps.base import Defer, StepFailed

_NO_ROOM: Final = frozenset({"BUDGET_EXCEEDED", "PRICE_UNKNOWN"})


class ModelFailed(Exception):
    """One model gives no answer; another may.

    Attributes:
        cause: What the step ends with if none does.
    """

    def __init__(self, cause: StepFailed | Defer) -> None:
        super().__init__(str(cause))
        self.cause = cause

    @property
    def code(self) -> str:
        """A failure's code; of a closed gate what is waited for."""
        return self.cause.reason.upper() if isinstance(self.cause, Defer) else self.cause.code

    @property
    def occasion(self) -> Occasion:
        """Which models stand in for it."""
        if isinstance(self.cause, Defer):
            return "budget" if self.cause.reason == "budget" else "error"
        return "budget" if self.cause.code in _NO_ROOM else "error"


async def first_answer(options: Sequence[AgentFallback], ask: Callable[[AgentFallback], Awaitable[Json]]) -> Json:
    """Ask one model after the other until one answers; whatever is not about a model ends it at once.

    Args:
        options: The models; each but the first is asked only on the occasions it names.
        ask: Asks one.

    Raises:
        StepFailed: The last failure; ``details.tried`` has all models that were asked and their codes.
        Defer: Every model may be asked later, and none could be now: until the first of them may.
    """
    failed: list[ModelFailed] = []
    tried: list[Json] = []
    for option in options:
        if failed and failed[-1].occasion not in option.on:
            continue
        try:
            return await ask(option)
        except ModelFailed as failure:
            failed.append(failure)
            tried.append({"llm_ref": option.llm_ref, "model": option.model, "code": failure.code})
    raise _end([failure.cause for failure in failed], tried)


def _end(causes: Sequence[StepFailed | Defer], tried: list[Json]) -> StepFailed | Defer:
    """Choose the end. To wait for one model while another fails would ask that one again and again, unbounded."""
    failures = [cause for cause in causes if isinstance(cause, StepFailed)]
    if failures:
        if len(tried) > 1:
            failures[-1].details["tried"] = tried
        return failures[-1]
    return min((cause for cause in causes if isinstance(cause, Defer)), key=lambda closed: closed.until)
