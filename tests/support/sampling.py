"""Samples of long tables of cases: `make test` runs some, `make soak` more or all the rest."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], *, one_in: int, up_to: int | None = None) -> list[Any]:
    """Give the parameters of a test: one in so many cases at once, the others where soak tests are asked for.

    For cases that take long each and are alike: what breaks them breaks some of the sample. Those from ``up_to`` on
    have the mark ``slow``, which nothing runs by itself.
    """
    last = float("inf") if up_to is None else up_to
    marks = {True: pytest.mark.soak, False: pytest.mark.slow}
    return [
        pytest.param(case, marks=[marks[number < last]] if number % one_in else []) for number, case in enumerate(cases)
    ]
