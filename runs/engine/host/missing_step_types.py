"""Search for runs that no host can execute; they are stalled with a reason instead of waiting for ever."""

import logging
import time
from uuid import UUID

from runs.engine.store.claimed import Claimed
from runs.engine.store.connection import Database
from runs.engine.store.step_types import claim_stuck, find_missing

log = logging.getLogger(__name__)

LOOKS_WITHIN_PATIENCE = 4


class MissingStepTypes:
    """Since when this host has seen that no live host has what runs need.

    A host that begins looks for the whole patience before it stalls anything: the others may be starting too.
    """

    def __init__(self, *, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._since: dict[tuple[str, ...], float] = {}
        self._next_look = 0.0

    def claim(self, connection: Database, worker_id: UUID) -> list[Claimed]:
        """Take runs to be stalled; looks a few times within the patience only, however often it is asked.

        Raises:
            HostLost: The host's lease is over.
        """
        now = time.monotonic()
        if now < self._next_look:
            return []
        self._next_look = now + self._patience / LOOKS_WITHIN_PATIENCE
        missing = find_missing(connection)
        self._since = {step_types: self._since.get(step_types, now) for step_types in missing}
        claimed: list[Claimed] = []
        for step_types, since in self._since.items():
            if now - since >= self._patience:
                log.warning("no worker has had these step types for %.0f s: %s", now - since, ", ".join(step_types))
                claimed += claim_stuck(connection, worker_id=worker_id, step_types=step_types)
        return claimed
