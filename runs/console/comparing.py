"""Comparison of two runs of a tenant, side by side: paths, outputs, cost and times."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.clock import utc_now
from kernel.types import Json
from runs.console.queries import seconds_taken
from runs.console.run_page import duration_of, error_words, read_steps
from runs.console.timeline import duration_words
from runs.journals.activations import StepRecord
from runs.models import Run

MAX_STEPS: Final = 200
"""Activations of each of two runs that are compared."""
MAX_SHOWN: Final = 4_000


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """One fact of both runs; ``name`` says which."""

    name: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        """Whether the runs are not alike in it."""
        return self.left != self.right


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Facts of two runs as a whole, then of each activation that either has."""

    facts: Sequence[ComparedLine]
    steps: Sequence[tuple[ComparedLine, ComparedLine, ComparedLine]]
    is_cut: bool


def compare(left: Run, right: Run, *, shows_data: bool) -> RunComparison:
    """Hold two runs against each other.

    Args:
        left: One run, with tenant and revision.
        right: The other.
        shows_data: Whether who looks may see inputs and outputs.
    """
    pairs = [(_facts(left, shows_data=shows_data)), (_facts(right, shows_data=shows_data))]
    facts = [ComparedLine(name, pairs[0][name], pairs[1][name]) for name in pairs[0]]
    first, second = ({_name(record): record for record in read_steps(run, limit=MAX_STEPS)} for run in (left, right))
    names = list(dict.fromkeys([*first, *second]))
    steps = [_step(name, first.get(name), second.get(name), shows_data=shows_data) for name in names]
    return RunComparison(facts, steps, is_cut=MAX_STEPS in {len(first), len(second)})


def _facts(run: Run, *, shows_data: bool) -> dict[str, str]:
    seconds = seconds_taken(run)
    usage: Mapping[str, Json] = run.usage or {}
    facts = {
        "Status": run.get_status_display(),
        "Error": error_words(run.error, shows_data=shows_data) or "-",
        "Revision": str(run.revision.number or "inline"),
        "Duration": "-" if seconds is None else duration_words(seconds),
        "Steps": str(run.activations),
        "Model calls": str(usage.get("model_calls", 0)),
        "Tokens": f"{usage.get('input_tokens', 0)} in, {usage.get('output_tokens', 0)} out",
        "Cost": f"{usage.get('cost', '0')} {usage.get('currency', 'USD')}",
    }
    return {**facts, "Input": _text(run.input), "Output": _text(run.output)} if shows_data else facts


def _step(
    name: str, left: StepRecord | None, right: StepRecord | None, *, shows_data: bool
) -> tuple[ComparedLine, ComparedLine, ComparedLine]:
    now = utc_now()
    states = ["not reached" if one is None else one.status for one in (left, right)]
    times = ["-" if one is None else duration_of(one, now) for one in (left, right)]
    values = ["-" if one is None or not shows_data else _text(one.error or one.output) for one in (left, right)]
    return ComparedLine(name, *states), ComparedLine(name, *times), ComparedLine(name, *values)


def _name(record: StepRecord) -> str:
    return f"{record.step_id}#{record.activation}".removesuffix("#1")


def _text(value: Json) -> str:
    """Write a value for reading; of a long one the beginning and its length."""
    text = "-" if value is None else json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}\n… {len(text):,} characters in all"
