"""Gates that close as a limit does."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from kernel.clock import utc_now
from runs.step_api.base import Defer, Endpoint, StepCall


class Window:
    """Lets so many calls through in a stretch of time, and says when there is room again."""

    def __init__(self, calls: int, seconds: float = 0.2) -> None:
        self.calls, self.seconds = calls, seconds
        self.begun: list[float] = []

    @asynccontextmanager
    async def gate(self, call: StepCall, endpoint: Endpoint) -> AsyncIterator[None]:
        now = time.monotonic()
        recent = [at for at in self.begun if now - at < self.seconds]
        if len(recent) >= self.calls:
            raise Defer(utc_now() + timedelta(seconds=recent[0] + self.seconds - now), "rate_limit")
        self.begun.append(now)
        yield
