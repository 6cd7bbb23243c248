"""Samples of long tables of cases: `make test` runs some, `make soak` the rest, and `.ci/run` both."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], *, one_in: int) -> list[Any]:
    """Give the parameters of a test: one in so many cases at once, the others where soak tests are asked for.

    For cases that take long each and are alike: what breaks them breaks some of the sample.
    """
    return [
        pytest.param(case, marks=[pytest.mark.soak] if number % one_in else []) for number, case in enumerate(cases)
    ]
