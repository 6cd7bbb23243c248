"""Outcomes of attempts, and errors as the journal has them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel.clock import utc_now
from kernel.types import Json
from kernel.values import ValueRefused, check_depth, normalise
from runs.core.routing import deciding_edges, own_facts
from runs.core.state import ActivationKey
from runs.engine.compute import COMPUTE
from runs.step_api.answer_checks import normalised_ports
from runs.step_api.base import Defer, Emit, StepFailed, Wait
from segments.plan import PlanStep

MESSAGE_CHARACTERS: Final = 2_000
_UNPRINTABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The payload of the ``step.completed`` to record."""

    payload: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class PlatformFault:
    """The platform could not execute the attempt; the step is not to blame, and is tried again at no cost.

    Attributes:
        part: As ``foundation.platform_faults`` names it.
        may_have_called: Whether the attempt may have reached out before.
    """

    part: str
    may_have_called: bool


class TooLargeHere(Defer):
    """The attempt's pure work is more than may be done where others wait for the event loop."""

    def __init__(self) -> None:
        super().__init__(utc_now(), COMPUTE)


Outcome = Succeeded | StepFailed | Defer | Wait | PlatformFault


def error_object(failure: StepFailed, *, key: ActivationKey, attempts: int) -> dict[str, Json]:
    """Write a failure as the journal and people have it; its texts and details are made storable."""
    try:
        details = normalise(failure.details, big_integers="text")
    except ValueRefused:
        details = {}
    return {
        "code": failure.code,
        "message": _UNPRINTABLE.sub("\ufffd", failure.message)[:MESSAGE_CHARACTERS],
        "step_id": key[0],
        "activation": key[1],
        "attempts": attempts,
        "details": details,
    }


def storable_ports(answer: Emit, *, nests: bool) -> Mapping[str, Json]:
    """Give the values of an emission by port, as they can be stored.

    Args:
        answer: What a handler emits.
        nests: Whether the step gathers, which puts normal values one level deeper.

    Raises:
        ValueRefused: As for ``kernel.values.normalise``.
    """
    if not answer.is_normal:
        return normalised_ports(answer.ports)
    if nests:
        for value in {id(value): value for value in answer.ports.values()}.values():
            check_depth(value)
    return answer.ports


def conditions_of(step: PlanStep, ports: Mapping[str, Json]) -> dict[str, Any]:
    """Give the conditions that decide where ports lead, for ``runs.work.functions.conditions``."""
    facts = own_facts(step, ports)
    edges = [(edge, ports[port]) for edge, port in deciding_edges(step, ports)]
    values = {id(value): value for value in (*facts.values(), *(value for _edge, value in edges))}
    number = {one: index for index, one in enumerate(values)}
    return {
        "step_id": step.step_id,
        "own": {name: number[id(value)] for name, value in facts.items()},
        "edges": [
            (edge.index, number[id(value)], edge.condition.source if edge.condition else "") for edge, value in edges
        ],
        "values": list(values.values()),
    }
