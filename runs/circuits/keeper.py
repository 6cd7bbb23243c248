"""Who keeps a breaker's state now: Redis, or this process while Redis is away."""

import time
from dataclasses import replace

from runs.bus.shared_state import SharedState, SharedStateAway
from runs.circuits.local import LocalState
from runs.circuits.shared import SharedStates
from runs.circuits.turns import Rules, Turn, TurnAnswer, TurnOutcome

MAX_LOST = 256


class Keeper:
    """Takes the turns of one breaker.

    A turn Redis did not answer may have been taken all the same, even later: the calls it let through by that are
    given up with the next turn that is answered, or nobody would ever end them.
    """

    def __init__(
        self, key: str, rules: Rules, states: SharedStates, redis_state: SharedState, *, about: str = ""
    ) -> None:
        self._key = key
        self._about = about
        self._states = states
        self._redis_state = redis_state
        self._local = LocalState(rules)
        self._lost: dict[str, None] = {}

    async def take(self, turn: Turn) -> TurnAnswer:
        """Take a turn with whoever answers."""
        told = turn
        if self._lost:
            given_up = tuple((call_id, TurnOutcome.NONE) for call_id in self._lost if call_id not in turn.alive)
            told = replace(turn, settled=turn.settled + given_up)
        try:
            answer = await self._redis_state.ask(lambda: self._states.take(self._key, told, self._about))
        except SharedStateAway as away:
            if away.was_asked:
                self._lost.update(dict.fromkeys(turn.ids))
                self._lost = dict.fromkeys(list(self._lost)[-MAX_LOST:])
            return self._local.take(turn, now=round(time.monotonic() * 1000))
        self._lost.clear()
        return answer
