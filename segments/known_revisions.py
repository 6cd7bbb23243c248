"""Revisions that were read a moment ago: they never change, so a busy segment's need not be read again each start."""

import threading
from collections import OrderedDict
from typing import Final
from uuid import UUID

from segments.models import Revision

MAX_REMEMBERED: Final = 256
MAX_STEPS: Final = 100
"""Revisions of more steps are read each time: what is remembered stays small."""


class KnownRevisions:
    """Remembers revisions by id; the one that was used longest ago makes room. May be used from any thread.

    What it hands out is shared and never to be changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: OrderedDict[UUID, Revision] = OrderedDict()

    def find(self, revision_id: UUID) -> Revision | None:
        """Return a revision that is known."""
        with self._lock:
            revision = self._by_id.get(revision_id)
            if revision is not None:
                self._by_id.move_to_end(revision_id)
        return revision

    def remember(self, revision: Revision) -> None:
        """Keep a revision."""
        if len(revision.definition["steps"]) > MAX_STEPS:
            return
        with self._lock:
            self._by_id[revision.id] = revision
            if len(self._by_id) > MAX_REMEMBERED:
                self._by_id.popitem(last=False)


known_revisions = KnownRevisions()
