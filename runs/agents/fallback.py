"""Fallback models: the order in which they are asked, and the failure when none answers."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from kernel.clock import utc_now
from kernel.types import Json
from runs.agents.config import AgentFallback, Occasion
from runs.step_api.base import Defer, StepFailed, Usage

_KEPT_DETAILS: Final = ("reason", "text", "characters", "errors")
"""Details that failures tell of an answer that came, and was of no use."""
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
        """The occasion by which other models stand in for this one."""
        if isinstance(self.cause, Defer):
            return "budget" if self.cause.reason == "budget" else "error"
        return "budget" if self.cause.code in _NO_ROOM else "error"


async def first_answer(
    options: Sequence[AgentFallback], ask: Callable[[AgentFallback], Awaitable[Json]], *, usage: Sequence[Usage] = ()
) -> Json:
    """Ask one model after the other until one answers; whatever is not about a model ends it at once.

    A model to fall back on takes no chance away: the step is tried again, or waits, where it would without it.

    Args:
        options: The models; each but the first is asked only on the occasions it names.
        ask: Asks one.
        usage: What the attempt took so far.

    Raises:
        StepFailed: The first failure that may pass, else the last of a model that answered something, else the last;
            ``details.tried`` has all models that were asked, their codes, and what came of their answers.
        Defer: One of the models may be asked later, and the others took nothing: until the first of them may.
    """
    failed: list[ModelFailed] = []
    tried: list[dict[str, Json]] = []
    for option in options:
        if failed and failed[-1].occasion not in option.on:
            continue
        try:
            return await ask(option)
        except ModelFailed as failure:
            failed.append(failure)
            tried.append({"llm_ref": option.llm_ref, "model": option.model, "code": failure.code})
    raise _end([failure.cause for failure in failed], tried, has_paid=bool(usage))


def _failure_details(cause: StepFailed | Defer) -> dict[str, Json]:
    """Give what a failure keeps of an answer; nothing where none came."""
    if isinstance(cause, Defer) or not ("text" in cause.details or "errors" in cause.details):
        return {}
    return {name: cause.details[name] for name in _KEPT_DETAILS if name in cause.details}


def _end(
    causes: Sequence[StepFailed | Defer], tried: Sequence[dict[str, Json]], *, has_paid: bool
) -> StepFailed | Defer:
    """Choose the end. A wait costs no attempt, so what was paid for in it would be paid again and again, unbounded."""
    failures = [cause for cause in causes if isinstance(cause, StepFailed)]
    waits = sorted((cause for cause in causes if isinstance(cause, Defer)), key=lambda closed: closed.until)
    if waits and not (failures and has_paid):
        return waits[0]
    answered = [failure for failure in failures if _failure_details(failure)]
    end = next((failure for failure in failures if failure.retryable), (answered or failures)[-1])
    if len(tried) > 1:
        details = ({} if cause is end else _failure_details(cause) for cause in causes)
        end.details["tried"] = [known | more for known, more in zip(tried, details, strict=True)]
    if waits:
        end.retryable = True
        end.retry_after_seconds = max(0.0, (waits[0].until - utc_now()).total_seconds())
    return end
