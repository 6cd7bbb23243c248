"""Timeline of a run: lanes of what its steps did when, laid out for an SVG in which idle stretches are short. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

WIDTH: Final = 720
NAMES: Final = 200
LANE: Final = 22
BAR: Final = 14
HEAD: Final = 26
IDLE_WIDTH: Final = 44
IDLE_FACTOR: Final = 1.0
"""A stretch in which nothing runs is shortened where it is this many times as long as all that runs."""
MAX_LANES: Final = 60
MAX_NAME_LENGTH: Final = 26
KINDS: Final[Mapping[str, str]] = {
    "step.started": "ran",
    "step.retrying": "retry",
    "step.waiting": "wait",
    "human.task_created": "wait",
}
ENDS: Final = frozenset({"step.completed", "step.failed", "step.skipped"})
WORDS: Final[Mapping[str, str]] = {"queued": "queued", "ran": "ran", "retry": "waited for a retry", "wait": "waited"}


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event of a journal: its activation, and when."""

    type: str
    step: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """A stretch of one kind in a lane, as drawn; ``title`` says it in words."""

    kind: str
    x: float
    y: int
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class TimelineLane:
    """A line of the timeline, and where its name stands."""

    name: str
    short_name: str
    y: int
    bars: Sequence[TimelineBar]


@dataclass(frozen=True, slots=True)
class IdleStretch:
    """A stretch that is drawn shorter than it was."""

    x: float
    middle: float
    width: float
    words: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run's lanes, and the stretches in which nothing ran."""

    lanes: Sequence[TimelineLane]
    idle: Sequence[IdleStretch]
    width: int
    height: int
    words: str
    left_out: int


Stretch = tuple[str, datetime, datetime]


def timeline_of(
    events: Iterable[TimelineEvent], *, created_at: datetime, started_at: datetime | None, until: datetime
) -> Timeline:
    """Lay a run's events out.

    Args:
        events: Events of steps, in their order.
        created_at: When the run was asked for.
        started_at: When a worker took it first.
        until: When it ended; now of one that goes on.
    """
    until = max(until, created_at)
    lanes: dict[str, list[Stretch]] = {"Run": [("queued", created_at, started_at or until)]}
    lanes.update(_stretches(events, until))
    shown = dict(list(lanes.items())[: MAX_LANES + 1])
    scale = _Scale([stretch for stretches in shown.values() for stretch in stretches], created_at, until)
    drawn = [_lane(number, name, stretches, scale) for number, (name, stretches) in enumerate(shown.items())]
    words = f"{len(lanes) - 1} activations of steps in {duration_words((until - created_at).total_seconds())}"
    height = HEAD + len(drawn) * LANE + 6
    return Timeline(drawn, scale.idle, NAMES + WIDTH, height, words, len(lanes) - len(shown))


def duration_words(seconds: float) -> str:
    """Write a duration for reading."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _stretches(events: Iterable[TimelineEvent], until: datetime) -> dict[str, list[Stretch]]:
    """Turn each activation's events into stretches of one kind after the other."""
    lanes: dict[str, list[Stretch]] = {}
    open_since: dict[str, tuple[str, datetime]] = {}
    for event in events:
        kind = KINDS.get(event.type)
        if kind is None and event.type not in ENDS:
            continue
        lane = lanes.setdefault(event.step, [])
        before = open_since.pop(event.step, None)
        if before is not None:
            lane.append((before[0], before[1], max(event.at, before[1])))
        if kind is not None:
            open_since[event.step] = (kind, event.at)
    for step, (kind, since) in open_since.items():
        lanes[step].append((kind, since, max(until, since)))
    return lanes


class _Scale:
    """Places of times: what ran is drawn in proportion, long stretches in which nothing ran are all as short."""

    def __init__(self, stretches: Sequence[Stretch], first: datetime, last: datetime) -> None:
        busy = _merged((since, until) for kind, since, until in stretches if kind == "ran")
        total = sum((until - since).total_seconds() for since, until in busy)
        ends = [first, *(moment for pair in busy for moment in pair), max([last, *(u for _, _, u in stretches)])]
        gaps = [(ends[i], ends[i + 1]) for i in range(0, len(ends), 2)]
        most = max(total * IDLE_FACTOR, 1.0)
        short = [(a, b) for a, b in gaps if (b - a).total_seconds() > most] if busy else []
        self._edges = sorted({ends[0], ends[-1], *(moment for pair in short for moment in pair)})
        self._short = set(short)
        idle_width = min(IDLE_WIDTH, WIDTH / 2 / max(1, len(short)))
        drawn = sum((b - a).total_seconds() for a, b in self._pairs() if (a, b) not in self._short)
        self._idle_width = idle_width
        self._unit = (WIDTH - idle_width * len(short)) / drawn if drawn > 0 else 0.0
        self.idle = [self._idle(a, b) for a, b in sorted(short)]

    def x(self, moment: datetime) -> float:
        """Return where a time is drawn."""
        x = float(NAMES)
        for since, until in self._pairs():
            length = (until - since).total_seconds()
            if moment >= until:
                x += self._wide(since, until)
                continue
            if moment > since and length > 0:
                x += self._wide(since, until) * (moment - since).total_seconds() / length
            break
        return round(x, 1)

    def _pairs(self) -> list[tuple[datetime, datetime]]:
        return list(zip(self._edges, self._edges[1:], strict=False))

    def _wide(self, since: datetime, until: datetime) -> float:
        if (since, until) in self._short:
            return self._idle_width
        return (until - since).total_seconds() * self._unit

    def _idle(self, since: datetime, until: datetime) -> IdleStretch:
        x = self.x(since)
        words = duration_words((until - since).total_seconds())
        return IdleStretch(x, round(x + self._idle_width / 2, 1), round(self._idle_width, 1), words)


def _merged(pairs: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Join stretches that touch."""
    found: list[tuple[datetime, datetime]] = []
    for since, until in sorted(pairs):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def _lane(number: int, name: str, stretches: Sequence[Stretch], scale: _Scale) -> TimelineLane:
    y = HEAD + number * LANE
    bars = []
    for kind, since, until in stretches:
        x = scale.x(since)
        title = f"{name}: {WORDS[kind]} {duration_words((until - since).total_seconds())}"
        bars.append(TimelineBar(kind, x, y, max(2.0, round(scale.x(until) - x, 1)), title))
    short = name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"
    return TimelineLane(name, short, y + BAR - 3, bars)
