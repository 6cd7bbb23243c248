"""Questions to people in a run: an app above tells them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kernel.supplied import Supplied


@dataclass(frozen=True, slots=True)
class AskedPeople:
    """One question of a run: ``asked`` names who may answer it, ``address`` is its page in the console."""

    step_id: str
    activation: int
    title: str
    asked: str
    claimed_by: str
    is_open: bool
    due_at: datetime
    address: str


MAX_ASKED: Final = 200
"""Questions of a run that are told."""
asked_in: Final[Supplied[Callable[[UUID], Sequence[AskedPeople]]]] = Supplied("what people are asked in a run")
"""Tells what was asked in a run, the latest first, ``MAX_ASKED`` at most; called where rows of its tenant are read."""
