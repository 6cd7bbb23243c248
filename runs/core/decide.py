"""Decision about the next commands of a run. Asking twice without a new event gives the same answer."""

from collections.abc import Collection, Iterator, Mapping

from kernel.types import Json
from runs.core.events import Command, Complete, Fail, Reject, Skip, Start
from runs.core.routing import route_error
from runs.core.state import ActivationKey, Phase, State, Token, TokenPlace
from segments.catalog import Effect

ACTIVATION_LIMIT = "ACTIVATION_LIMIT"


def decide(state: State, due: Collection[ActivationKey] = ()) -> list[Command]:
    """Return the commands the state calls for, in the order they are to be carried out.

    Every command's event must be applied before the next ``decide``. An empty list: nothing to do until an outcome.

    Args:
        state: The run; not changed.
        due: Activations whose retry may start now.
    """
    if state.over:
        return []
    if state.failure is not None:
        return _end(state, state.failure)
    commands: list[Command] = [_skip(state, key, reason) for key, reason in state.to_cancel.items()]
    ready = list(_ready(state, state.plan.max_parallel_steps - state.running, due))
    if ready and isinstance(ready[-1], Fail):
        return _end(state, ready[-1].error)
    commands.extend(ready)
    if not commands and not state.active and not state.gatherings and not any(_waiting(state)):
        return [Complete(state.output())]
    return commands


def _end(state: State, error: Mapping[str, Json]) -> list[Command]:
    """Skip what is in flight, then fail."""
    skips: list[Command] = [_skip(state, key, state.to_cancel.get(key, "run_failed")) for key in state.active]
    return [*skips, Fail(error)]


def _skip(state: State, key: ActivationKey, reason: str) -> Skip:
    activation = state.active[key]
    is_external = state.plan.steps[key[0]].effect is Effect.EXTERNAL
    return Skip(*key, activation.attempt, reason, is_external and activation.phase is Phase.RUNNING)


def _waiting(state: State) -> Iterator[Token]:
    return (token for token in state.ready if token.place is TokenPlace.READY)


def _ready(state: State, free: int, due: Collection[ActivationKey]) -> Iterator[Command]:
    """Start what may start, oldest first, up to the number of free places."""
    for key in due:
        activation = state.active.get(key)
        if activation is not None and activation.phase is Phase.RETRYING and key not in state.to_cancel and free > 0:
            free -= 1
            yield Start(*key, activation.attempt + 1, activation.inputs)
    started: dict[str, int] = {}
    for number, token in enumerate(_waiting(state)):
        if free <= 0:
            return
        activation_number = state.counts.get(token.step_id, 0) + started.get(token.step_id, 0) + 1
        limit = _limit(state, token.step_id, activation_number, state.activations + number + 1)
        if limit is not None:
            yield Fail(limit)
            return
        started[token.step_id] = started.get(token.step_id, 0) + 1
        if token.error is not None:
            error = {**token.error, "activation": activation_number}
            yield Reject(token.step_id, activation_number, 0, error, *route_error(state, token, error))
            # It may decide a join, and that may cancel the tokens behind: they are looked at again afterwards.
            return
        else:
            free -= 1
            yield Start(token.step_id, activation_number, 1, token.inputs)


def _limit(state: State, step_id: str, of_step: int, of_run: int) -> Mapping[str, Json] | None:
    plan = state.plan
    if of_step > plan.max_activations_per_step:
        most, whose = plan.max_activations_per_step, f"Step {step_id}"
    elif of_run > plan.max_activations_per_run:
        most, whose = plan.max_activations_per_run, "The run"
    else:
        return None
    return {
        "code": ACTIVATION_LIMIT,
        "message": f"{whose} was activated {most} times, which is the most params.max_activations allows.",
        "step_id": step_id,
        "activation": of_step,
        "attempts": 0,
        "details": {"limit": most},
    }
