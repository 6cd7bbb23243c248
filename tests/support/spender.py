"""A step type that takes tokens as a model would, without one."""

import asyncio
from decimal import Decimal

from runs.step_api.base import Budget, Effect, Emit, Hold, Port, StepCall, StepConfig, StepFailed, StepHandler, Usage
from segments.catalog import StepType


class SpenderConfig(StepConfig):
    """What the step holds and takes."""

    calls: int = 1
    hold: int = 100
    hold_cost: str | None = None
    takes: int = 10
    answers: int = 5
    cost: str | None = None
    priced_as: str | None = None
    model: str = "model-a"
    seconds: float = 0.0
    fail: str | None = None
    fails_until: int = 1_000
    retryable: bool = False
    step_tokens: int | None = None
    step_cost: str | None = None
    url: str | None = None
    nonsense: bool = False


class Spender(StepHandler):
    """Asks the budgets, takes tokens, waits, and fails or answers with how many calls it made."""

    step_type = StepType(
        type_id="spender",
        display_name="spender",
        description="For tests",
        category="utility",
        icon="x",
        color="#000000",
        config=SpenderConfig,
        input_ports=(Port("input"),),
        output_ports=(Port("output"), Port("error", required=False)),
        effect=Effect.EXTERNAL,
    )

    async def run(self, call: StepCall) -> Emit:
        """Do as the config says."""
        config = call.config
        assert isinstance(config, SpenderConfig)
        if config.url:
            client = await call.context.http_client()
            await client.get(config.url, headers={"Idempotency-Key": call.next_key()})
        for _ in range(config.calls):
            await call.reserve(await self._hold(call, config))
            if config.seconds:
                await asyncio.sleep(config.seconds)
            call.usage.append(self._used(config))
        if config.fail and call.attempt < config.fails_until:
            raise StepFailed(config.fail, "As told.", retryable=config.retryable)
        return Emit({"output": config.calls})

    async def _hold(self, call: StepCall, config: SpenderConfig) -> Hold:
        cost = _money(config.hold_cost)
        if config.priced_as is not None:
            price = await call.context.price("test", config.priced_as)
            cost = None if price is None else price.cost_of(input_tokens=config.hold, output_tokens=0)
        budget = Budget(config.step_tokens, _money(config.step_cost))
        return Hold(config.hold, cost, budget if budget != Budget() else None)

    def _used(self, config: SpenderConfig) -> Usage:
        if config.nonsense:
            return Usage("main", "test", "x\0\ud800" + "y" * 500, 10**30, -5, Decimal("NaN"))
        return Usage("main", "test", config.model, config.takes, config.answers, _money(config.cost), request_id="r-1")


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
