"""Live pieces of model answers, published to those who follow a run. Best effort: never stored, may be lost."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from runs.bus.publisher import Publisher

log = logging.getLogger(__name__)

CHANNEL: Final = "llmteam:deltas"
PACE_SECONDS: Final = 0.05
MAX_AT_ONCE: Final = 32 * 1024
"""Characters of one text in one message; what it says beyond them in the meantime is dropped."""
MAX_PENDING: Final = 1024 * 1024
"""Characters of all attempts that wait to be sent; what comes beyond is dropped."""

Key = tuple[UUID, str, int, int, int]


class Delta(NamedTuple):
    """A piece of a text that an attempt streams.

    Attributes:
        run_id: The run.
        step_id: The step.
        activation: Its activation.
        attempt: Its attempt.
        answer: Number of the text within the attempt, from 1: another model's answer is a text of its own.
        begun_seq: The event that tells of the attempt's start; nobody is told the piece before it.
        offset: How many characters of the text came before, so that a gap shows.
        text: The piece.
    """

    run_id: UUID
    step_id: str
    activation: int
    attempt: int
    answer: int
    begun_seq: int
    offset: int
    text: str


class TextStream:
    """Texts of one attempt, piece by piece.

    Args:
        publish: Takes the pieces.
        attempt: The run, the step, its activation and its attempt.
        begun_seq: The event that tells of the attempt's start.
    """

    def __init__(
        self, publish: Callable[[Delta], None], attempt: tuple[UUID, str, int, int], *, begun_seq: int
    ) -> None:
        self._publish = publish
        self._attempt = attempt
        self._begun_seq = begun_seq
        self._answer = 1
        self._size = 0

    def begin(self) -> None:
        """Count what comes from now on as another text, if any of the last has come."""
        if self._size:
            self._answer += 1
            self._size = 0

    def add(self, piece: str) -> None:
        """Publish the next piece."""
        self._publish(Delta(*self._attempt, self._answer, self._begun_seq, self._size, piece))
        self._size += len(piece)


def write_deltas(deltas: list[Delta]) -> bytes:
    """Write a message."""
    return orjson.dumps([tuple(delta) for delta in deltas])


def read_deltas(message: bytes) -> list[Delta]:
    """Read a message; one that is none of ours says nothing."""
    try:
        return [Delta(UUID(run_id), *rest) for run_id, *rest in orjson.loads(message)]
    except (ValueError, TypeError, AttributeError):
        log.warning("pieces of text cannot be read: %d bytes", len(message))
        return []


@dataclass(slots=True)
class DeltaBatch:
    """Pieces of a text since the last message: the first, and the texts that followed without a gap."""

    first: Delta
    texts: list[str]
    size: int = 0

    @property
    def next_offset(self) -> int:
        """The offset at which the next piece begins."""
        return self.first.offset + self.size

    def whole(self) -> Delta:
        """Join the pieces."""
        return self.first._replace(text="".join(self.texts))


class Deltas:
    """Publishes what models say, twenty times a second at most. Telling never waits and never fails.

    What is said of one text between two messages goes together, so that any number of pieces makes twenty messages a
    second, and what has no room is dropped. Its task lives from the first piece on.

    Attributes:
        dropped: Pieces that nobody will hear, whole or in part.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._pending: dict[Key, DeltaBatch] = {}
        self._waiting = 0
        self._taken = 0
        self._publisher = Publisher(CHANNEL, take=self._take, lost=self._note_lost, pace_seconds=PACE_SECONDS)

    def publish(self, delta: Delta) -> None:
        """Have a piece published soon, as much of it as there is room for."""
        batch = self._pending.get(delta[:5]) or DeltaBatch(delta, [])
        room = min(MAX_AT_ONCE - batch.size, MAX_PENDING - self._waiting)
        text = delta.text[: max(0, room)] if delta.offset == batch.next_offset else ""
        self.dropped += len(text) < len(delta.text)
        if not text:
            return
        batch.texts.append(text)
        batch.size += len(text)
        self._waiting += len(text)
        self._pending[delta[:5]] = batch
        self._publisher.ask()
        self._publisher.start()

    async def stop(self) -> None:
        """End; what was not published yet is not missed."""
        await self._publisher.stop()

    def _take(self) -> bytes:
        pending, self._pending, self._waiting = self._pending, {}, 0
        self._taken = len(pending)
        return write_deltas([batch.whole() for batch in pending.values()])

    def _note_lost(self, _: Exception) -> None:
        self.dropped += self._taken
