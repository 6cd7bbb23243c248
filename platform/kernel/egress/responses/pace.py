"""Read pacing: pauses between reads of a response that arrives in many small pieces."""

from typing import Final

PAUSE_SECONDS: Final = 0.005
_READS: Final = 256
_SMALL: Final = 256
"""Bytes: a word of a language model comes in more."""


class ReadPace:
    """Counts what reading one answer gave; each read costs tens of microseconds, however little it gives."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Say that another answer is to come."""
        self._reads = self._bytes = 0

    def count(self, data: bytes) -> None:
        """Count a read."""
        self._reads += 1
        self._bytes += len(data)

    @property
    def pause_seconds(self) -> float:
        """Seconds to let pieces gather before the next read; 0: none."""
        return PAUSE_SECONDS if self._reads > _READS and self._bytes < self._reads * _SMALL else 0.0
