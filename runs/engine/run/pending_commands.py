"""Pending commands of one run: those in its inbox, in order, and their effect."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from kernel.types import Json
from runs.core import Event, EventType
from runs.engine.journal.journal import Journal
from runs.engine.run.run_endings import OUTCOME_UNKNOWN
from runs.engine.store.journals import ReceivedCommand
from runs.models import SignalKind

NEWS: Final = frozenset({SignalKind.TASK, SignalKind.CALL, SignalKind.EARLY_CALL})
"""Kinds that are no commands: each ends a wait, and waits itself until it can."""


@dataclass(slots=True)
class PendingCommands:
    """Pauses and resumes of a run, in order.

    A command is taken by the event that tells of it, in one transaction with it. A pause waits here until it takes
    effect: nothing is begun any more, and the event comes when nothing is in flight.

    Attributes:
        journal: Takes what is to be said at once.
        is_paused: Whether the journal's last word is a pause.
        pause: A pause that is not in effect yet.
        cancel: Somebody wants the run to end; it comes before everything else.
        held: The commands that the run's next closing takes.
        news: What became of human tasks, and calls; of neither an event has told yet.
        answered_seq: Of attempts begun before it somebody was asked, and said to try again.
    """

    journal: Journal
    is_paused: bool = False
    pause: ReceivedCommand | None = None
    cancel: ReceivedCommand | None = None
    held: tuple[int, ...] = ()
    news: tuple[ReceivedCommand, ...] = ()
    answered_seq: int = 0
    _asked: bool = field(default=False)

    @property
    def is_pausing(self) -> bool:
        """Whether nothing may be begun."""
        return self.is_paused or self.pause is not None

    def fold(self, event: Event) -> None:
        """Take an event of the journal into account."""
        if event.type is EventType.SEGMENT_PAUSED:
            self.is_paused = True
            self._asked = event.payload.get("code") == OUTCOME_UNKNOWN
        elif event.type is EventType.SEGMENT_RESUMED:
            self.is_paused = False
            if self._asked:
                self.answered_seq = event.seq
            self._asked = False

    def receive(self, received: Sequence[ReceivedCommand]) -> None:
        """Read all that no committed event has taken, oldest first; what a resume undoes is recorded at once."""
        new = [command for command in received if command.signal_id not in self.journal.seen]
        self.pause = None
        self.held = tuple(command.signal_id for command in new)
        self.cancel = next((command for command in new if command.kind == SignalKind.CANCEL), None)
        if self.cancel is not None:
            return
        self.news = tuple(command for command in new if command.kind in NEWS)
        waiting: list[ReceivedCommand] = []
        for command in new:
            if command.kind in NEWS:
                continue
            waiting.append(command)
            if command.kind == SignalKind.RESUME:
                self._resume(waiting)
                waiting = []
        self.pause = waiting[0] if waiting else None
        self.held = tuple(command.signal_id for command in waiting)

    def _resume(self, waiting: Sequence[ReceivedCommand]) -> None:
        """Record a resume, and before it the pauses it came too early for."""
        *pauses, resume = waiting
        if pauses and not self.is_paused:
            self._record(EventType.SEGMENT_PAUSED, pauses[0])
        self.journal.take(command.signal_id for command in pauses)
        self._record(EventType.SEGMENT_RESUMED, resume)
        self.journal.take([resume.signal_id])

    def _record(self, event_type: EventType, command: ReceivedCommand) -> None:
        self.fold(self.journal.append(event_type, command_words(command)))


def command_words(command: ReceivedCommand) -> dict[str, Json]:
    """Write who asks, and why, as the event of a command tells it."""
    payload = orjson.loads(command.payload)
    return {"reason": payload.get("reason", ""), "actor": payload.get("actor", "")}
