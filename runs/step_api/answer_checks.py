"""Checks of a handler's answer before anything is recorded: in runs, and in the tests of packages."""

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from kernel.types import Json
from kernel.values import normalise
from runs.step_api.base import Emit, StepFailed, StepHandler, Wait
from segments.catalog import StepType

ANSWER_INVALID: Final = "STEP_ANSWER_INVALID"
ACTIONS: Final = ("action.started", "action.completed", "action.failed")
MAX_WAIT_SECONDS: Final = 366 * 5 * 24 * 3600
_KINDS: Final = ("timer", "call", "human")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_ENGINE_ONLY: Final = re.compile(r"(RUN|STEP|OWNER)_.*|(ENGINE|INTERNAL)_ERROR|ACTIVATION_LIMIT|OUTCOME_UNKNOWN")
"""Codes that no handler gives, nor anything it calls."""


def check_answer(handler: StepHandler, answer: object, *, ports: Collection[str]) -> None:
    """Refuse an answer that no run can go on with.

    Args:
        handler: Who answers.
        answer: What it answers.
        ports: Those the step has beside its card's.

    Raises:
        StepFailed: STEP_ANSWER_INVALID; WAIT_NOT_AVAILABLE: it waits, and cannot look after that.
    """
    step_type = handler.step_type
    if isinstance(answer, Wait):
        if type(handler).look is StepHandler.look:
            raise StepFailed("WAIT_NOT_AVAILABLE", "Only a step type whose handler has `look` can wait.")
        _check_wait(step_type, answer)
    elif isinstance(answer, Emit):
        _check_emission(step_type, answer, ports)
    else:
        raise _invalid(step_type, f"answered with {type(answer).__name__}; it answers with Emit or Wait")


def _check_emission(step_type: StepType, answer: Emit, ports: Collection[str]) -> None:
    for name in answer.ports:
        if name not in ports and not any(port.name == name for port in step_type.output_ports):
            raise _invalid(
                step_type, f"emits by the port {name!r:.80}, which it does not have; it has {_card_ports(step_type)}"
            )
    if not answer.ports and answer.items is None and step_type.data_ports:
        raise _invalid(step_type, f"emits by no port; it has {_card_ports(step_type)}")


def _check_wait(step_type: StepType, wait: Wait) -> None:
    if wait.kind not in _KINDS:
        raise _invalid(step_type, f"waits for {wait.kind!r:.80}; a step waits for {_listed(_KINDS)}")
    if wait.seconds is not None and not 0 <= wait.seconds <= MAX_WAIT_SECONDS:
        raise _invalid(step_type, f"waits for {wait.seconds!r:.80} seconds; it may be from 0 to five years")
    if wait.until is not None and wait.until.utcoffset() is None:
        raise _invalid(step_type, "waits until a time without a zone")
    if wait.kind == "timer" and wait.seconds is None and wait.until is None:
        raise _invalid(step_type, "waits for a time and names none")
    if wait.kind == "human" and not wait.ref:
        raise _invalid(step_type, "waits for a person and names no task")


def checked_failure(step_type: StepType, failure: StepFailed) -> StepFailed:
    """Give a failure, or one that says what is wrong with it: its code, or the seconds until it is tried again."""
    seconds = failure.retry_after_seconds
    wrong = ""
    if not isinstance(failure.code, str) or not _CODE.fullmatch(failure.code):
        wrong = f"failed with the code {failure.code!r:.80}; a code has A to Z, 0 to 9 and _, at most 64"
    elif _ENGINE_ONLY.fullmatch(failure.code) and failure.code != ANSWER_INVALID:
        wrong = f"failed with the code {failure.code}, which only the platform gives"
    elif seconds is not None and not math.isfinite(seconds):
        wrong = f"failed with retry_after_seconds {seconds!r}, which is not a number of seconds"
    if not wrong:
        return failure
    refused = _invalid(step_type, wrong)
    refused.details["failure"] = {"code": str(failure.code)[:200], "message": str(failure.message)[:2_000]}
    return refused


def check_record(event_type: str) -> None:
    """Refuse an event that no handler records.

    Raises:
        StepFailed: STEP_ANSWER_INVALID.
    """
    if event_type not in ACTIONS:
        raise StepFailed(ANSWER_INVALID, f"A step records {_listed(ACTIONS)}, not {event_type!r:.80}.")


def normalised_ports(ports: Mapping[str, Any]) -> dict[str, Json]:
    """Normalise values by port; the same object on several ports stays one.

    Raises:
        ValueRefused: As for ``kernel.values.normalise``.
    """
    done: dict[int, Json] = {}
    for value in ports.values():
        if id(value) not in done:
            done[id(value)] = normalise(value, big_integers="text")
    return {str(port): done[id(value)] for port, value in ports.items()}


def _invalid(step_type: StepType, wrong: str) -> StepFailed:
    return StepFailed(ANSWER_INVALID, f"The step type {step_type.type_id} {wrong}.")


def _card_ports(step_type: StepType) -> str:
    return _listed([port.name for port in step_type.output_ports])


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
