"""One model call: reserves budget before it, passes the gates, counts usage after it."""

import time
from dataclasses import dataclass, replace
from decimal import Decimal

from kernel.types import Json
from runs.agents.call_records import answered, failure_of, sent_to_model
from runs.agents.config import AgentBudget, AgentFallback
from runs.agents.fallback import ModelFailed
from runs.agents.redaction import RedactedPieces, without_secrets
from runs.agents.truncation import kept_text
from runs.providers.errors import AnswerLost, refused
from runs.providers.tokens import estimate_input
from runs.step_api.base import Budget, Defer, Hold, LanguageModel, Price, StepCall, StepFailed, Usage
from runs.step_api.language_models import CompletionReply, CompletionRequest, TokenCount
from runs.traces.model_spans import asked, note_reply
from runs.traces.spans import client_span

TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ModelCaller:
    """Asks one model for one attempt of a step.

    Attributes:
        call: The attempt.
        model: The connection.
        name: The model to ask for.
        budget: What the step may take, if it says.
        prompt: ``name@version`` of the stored prompt, if one is used.
    """

    call: StepCall
    model: LanguageModel
    name: str
    budget: AgentBudget | None = None
    prompt: str | None = None

    async def ask(self, request: CompletionRequest) -> CompletionReply:
        """Ask once; what was used is counted whatever becomes of the answer.

        Raises:
            ModelFailed: BUDGET_EXCEEDED, PRICE_UNKNOWN, a code of ``runs.providers.errors``; or a gate is closed for
                now, and nothing was asked.
        """
        try:
            return await self._ask(request)
        except (StepFailed, Defer) as cause:
            raise ModelFailed(cause) from cause

    async def _ask(self, request: CompletionRequest) -> CompletionReply:
        price = await self.call.context.price(self.model.provider_name, self.name)
        await self.call.reserve(self._hold(request, price))
        endpoint = replace(self.model.endpoint, model=self.name)
        async with self.call.through_gates(endpoint, patient=bool(self.call.usage)):
            await self.call.announce(sent_to_model(self.model, self.name, request))
            started = time.monotonic()
            timed = replace(request, timeout_seconds=self._seconds_left())
            self.call.begin_text()
            hearing = RedactedPieces(self.call.stream, self.model.secrets)
            try:
                with client_span(f"chat {self.name}", asked(self.model.provider_name, timed)) as span:
                    answer = await self.model.provider.complete(timed, on_delta=hearing.add)
                    note_reply(span, answer)
                hearing.end()
            except StepFailed as failure:
                failure.hide(self.model.secrets())
                if isinstance(failure, AnswerLost):
                    self.call.usage.append(self._usage(failure.tokens, self.name, None, price, started))
                self._record("action.failed", failure_of(failure.details, failure.code), started)
                raise
        reply = without_secrets(answer, self.model.secrets())
        self.call.usage.append(self._usage(reply.tokens, reply.model or self.name, reply.request_id, price, started))
        self._record("action.completed", answered(self.model, reply), started)
        if reply.finish_reason == "refused":
            raise refused(kept_text(reply.text) if reply.text else None)
        return reply

    def _record(self, event_type: str, payload: dict[str, Json], started: float) -> None:
        self.call.record(event_type, {**payload, "duration_ms": round((time.monotonic() - started) * 1000)})

    def _seconds_left(self) -> float:
        """For the next call: the connection's time, within the attempt's."""
        most = self.model.timeout_seconds or TIMEOUT_SECONDS
        return most if self.call.deadline is None else max(0.001, min(most, self.call.deadline - time.monotonic()))

    def _hold(self, request: CompletionRequest, price: Price | None) -> Hold:
        given = estimate_input(request)
        cost = _cost(price, given, request.max_tokens)
        step = Budget() if self.budget is None else Budget(self.budget.tokens, self.budget.cost)
        return Hold(given + request.max_tokens, cost, None if step == Budget() else step)

    def _usage(
        self, tokens: TokenCount, model: str, request_id: str | None, price: Price | None, started: float
    ) -> Usage:
        cost = _cost(price, tokens.input_tokens, tokens.output_tokens)
        return Usage(
            connection=self.model.ref,
            provider=self.model.provider_name,
            model=model,
            input_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
            cost=cost,
            is_estimated=tokens.is_estimated or (price is not None and price.is_estimated),
            latency_ms=round((time.monotonic() - started) * 1000),
            request_id=request_id,
            prompt=self.prompt,
        )


def _cost(price: Price | None, given: int, answered: int) -> Decimal | None:
    return None if price is None else price.cost_of(input_tokens=given, output_tokens=answered)


async def find_model_caller(
    call: StepCall, option: AgentFallback, *, budget: AgentBudget | None, prompt: str | None
) -> ModelCaller:
    """Find one of the models a step may ask; attributes of ``ModelCaller``.

    Raises:
        ModelFailed: The connection cannot be used, or neither it nor the step names a model.
    """
    try:
        model = await call.context.language_model(option.llm_ref)
    except StepFailed as failure:
        raise ModelFailed(failure) from failure
    name = option.model or model.model
    if not name:
        message = f"Neither the step nor the connection {model.ref} names a model."
        raise ModelFailed(StepFailed("LLM_MODEL_MISSING", message))
    return ModelCaller(call, model, name, budget, prompt)
