"""Revisions that were read a moment ago: they never change, so a busy segment's need not be read again each start."""

from typing import Final
from uuid import UUID

from kernel.bounded_cache import BoundedCache
from kernel.values import size_of
from segments.models import Revision

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of all definitions that are remembered, as JSON; as values they take up to twenty times as much."""
MAX_LARGEST: Final = 512 * 1024
"""Larger definitions are read each time, so that none makes many others leave."""


class KnownRevisions:
    """Remembers revisions by id; the one that was used longest ago makes room. May be used from any thread.

    What it hands out is shared and never to be changed.
    """

    def __init__(self) -> None:
        self._by_id: BoundedCache[UUID, Revision] = BoundedCache(MAX_BYTES)

    def find(self, revision_id: UUID) -> Revision | None:
        """Return a revision that is known."""
        return self._by_id.get(revision_id)

    def remember(self, revision: Revision) -> None:
        """Keep a revision."""
        size = size_of(revision.definition)
        if size <= MAX_LARGEST:
            self._by_id.put(revision.id, revision, weight=size)


known_revisions = KnownRevisions()
