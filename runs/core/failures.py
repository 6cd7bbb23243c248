"""Failures on their way outwards: the gathering that takes one, and the error of a step whose branches failed."""

from collections.abc import Iterator, Mapping, Sequence

from kernel.types import Json
from kernel.values import size_of
from runs.core.frames import Key
from runs.core.gathering_keys import gathering_key, keys_of
from runs.core.regions import points_of
from runs.core.state import State, Token
from segments.plan import FIRST_SEMANTICS, GatherPoint, PlanEdge

BRANCH_FAILED = "BRANCH_FAILED"
MAX_CAUSES = 20
MAX_CAUSES_BYTES = 64 * 1024
_NAMED = 5

Place = tuple[GatherPoint, Key]
"""A gather point, and the key of the gathering there."""


def nearest_gathering(state: State, token: Token, through: Mapping[str, int]) -> Place | None:
    """Return the gathering that takes an unrouted failure of this token; None: the failure ends the run.

    That is the gathering fewest edges away, of several the first among the segment's steps (by the second semantics in
    plan order), whatever fan-outs lie between. A gathering takes a failure once: where a loop leads back to one the
    failure has passed, the next one is taken.
    """
    if state.plan.semantics == FIRST_SEMANTICS:
        return _innermost_gathering(state, token)
    passed = {token.step_id, *token.failed_at}
    for edges in _edges_by_distance(state, token.step_id):
        points = [point for edge in edges if edge.target not in passed for point in _points_of(state, edge)]
        if points:
            point = min(points, key=lambda one: (one.place, one.index))
            return point, gathering_key(state.plan, point, token.stack, through)
    return None


def _edges_by_distance(state: State, step_id: str) -> Iterator[list[PlanEdge]]:
    level, seen = [step_id], {step_id}
    while level:
        edges = [edge for at in level for edge in state.plan.steps[at].edges]
        yield edges
        level = list(dict.fromkeys(edge.target for edge in edges if edge.target not in seen))
        seen.update(level)


def _points_of(state: State, edge: PlanEdge) -> list[GatherPoint]:
    return [point for point in state.plan.steps[edge.target].points if point.port in (None, edge.target_port)]


def _innermost_gathering(state: State, token: Token) -> Place | None:
    """Return what the first semantics took: of the gatherings the token keeps waiting, that with the longest key."""
    found: list[tuple[int, int, int, Key]] = []
    plan = state.plan
    for group, key in keys_of(plan, token):
        length = key.below.depth + (key.mark is not None)
        points = points_of(plan, group.points & plan.reaches[token.step_id])
        found.extend((-length, _distance(state, token.step_id, point), point.index, key) for point in points)
    if not found:
        return None
    *_, index, key = min(found, key=lambda one: one[:3])
    return state.plan.points[index], key


def _distance(state: State, step_id: str, point: GatherPoint) -> int:
    levels = enumerate(_edges_by_distance(state, step_id), start=1)
    return next(hops for hops, edges in levels if any(point in _points_of(state, edge) for edge in edges))


def branch_failed(step_id: str, failed: Sequence[Mapping[str, Json]], why: str) -> Mapping[str, Json]:
    """Write the error of a gathering whose branches failed.

    Its details are flat, however deep gatherings nest: ``causes`` has the errors of the steps that failed first, at
    most ``MAX_CAUSES`` of them and ``MAX_CAUSES_BYTES`` of JSON; ``causes_left_out`` counts the others.
    """
    names = [str(error["step_id"]) for error in failed[:_NAMED]]
    more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    message = f"Step {step_id} cannot go on: {why}" + (f" ({', '.join(names)}{more})." if names else ".")
    causes, left_out = _causes(failed)
    details: dict[str, Json] = {"causes": causes}
    if left_out:
        details["causes_left_out"] = left_out
    return {"code": BRANCH_FAILED, "message": message, "step_id": step_id, "attempts": 0, "details": details}


def _causes(failed: Sequence[Mapping[str, Json]]) -> tuple[list[Json], int]:
    kept: list[Json] = []
    left_out = size = 0
    for error in failed:
        for cause in _origins(error):
            fitting = _fitting(cause, MAX_CAUSES_BYTES - size) if len(kept) < MAX_CAUSES else None
            if fitting is None:
                left_out += 1
            else:
                kept.append(fitting[0])
                size += fitting[1]
        left_out += _left_out_of(error)
    return kept, left_out


def _fitting(cause: dict[str, Json], room: int) -> tuple[dict[str, Json], int] | None:
    """Return a cause and its size in bytes of JSON, without its details where they do not fit."""
    for written in (cause, {**cause, "details": {}}):
        size = size_of(written)
        if size <= room:
            return written, size
    return None


def _origins(error: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the errors a gathering's error was made of; any other error is its own origin."""
    details = error.get("details")
    causes = details.get("causes") if error["code"] == BRANCH_FAILED and isinstance(details, dict) else None
    if not isinstance(causes, list) or not causes:
        return [dict(error)]
    return [cause for cause in causes if isinstance(cause, dict)]


def _left_out_of(error: Mapping[str, Json]) -> int:
    details = error.get("details")
    left_out = details.get("causes_left_out") if isinstance(details, dict) else None
    return left_out if isinstance(left_out, int) else 0
