"""Revisions that were read a moment ago: they never change, so a busy segment's need not be read again each start."""

from typing import Final
from uuid import UUID

from kernel.bounded_cache import BoundedCache
from segments.models import Revision

MAX_REMEMBERED: Final = 256
MAX_STEPS: Final = 100
"""Revisions of more steps are read each time: what is remembered stays small."""


class KnownRevisions:
    """Remembers revisions by id; the one that was used longest ago makes room. May be used from any thread.

    What it hands out is shared and never to be changed.
    """

    def __init__(self) -> None:
        self._by_id: BoundedCache[UUID, Revision] = BoundedCache(MAX_REMEMBERED)

    def find(self, revision_id: UUID) -> Revision | None:
        """Return a revision that is known."""
        return self._by_id.get(revision_id)

    def remember(self, revision: Revision) -> None:
        """Keep a revision."""
        if len(revision.definition["steps"]) <= MAX_STEPS:
            self._by_id.put(revision.id, revision)


known_revisions = KnownRevisions()
