"""State of a breaker: kept in Redis, or in this process while Redis is away."""

import time
from dataclasses import replace

from runs.bus.shared_state import SharedState, SharedStateAway
from runs.circuits.local import LocalState
from runs.circuits.protocol import BreakerReply, BreakerRequest, BreakerRules, CallOutcome
from runs.circuits.shared import SharedStates

MAX_LOST = 256


class BreakerStore:
    """Sends the requests of one breaker to where its state is kept.

    A request that Redis did not answer may have been served all the same, even later: the calls it let through are
    given up with the next request that is answered, or nobody would ever end them.
    """

    def __init__(
        self, key: str, rules: BreakerRules, states: SharedStates, redis_state: SharedState, *, about: str = ""
    ) -> None:
        self._key = key
        self._about = about
        self._states = states
        self._redis_state = redis_state
        self._local = LocalState(rules)
        self._lost: dict[str, None] = {}

    async def ask(self, request: BreakerRequest) -> BreakerReply:
        """Have a request answered by Redis, or by this process while Redis is away."""
        request_now = request
        if self._lost:
            given_up = tuple((call_id, CallOutcome.NONE) for call_id in self._lost if call_id not in request.alive)
            request_now = replace(request, settled=request.settled + given_up)
        try:
            answer = await self._redis_state.ask(lambda: self._states.ask(self._key, request_now, self._about))
        except SharedStateAway as away:
            if away.was_asked:
                self._lost.update(dict.fromkeys(request.ids))
                self._lost = dict.fromkeys(list(self._lost)[-MAX_LOST:])
            return self._local.ask(request, now=round(time.monotonic() * 1000))
        self._lost.clear()
        return answer
