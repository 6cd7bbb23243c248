"""The picture of a run: its segment's graph laid out from the top down, each step with its state. Pure.

A step stands below all that lead to it; edges that close a loop are drawn around the right side.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 200
HEIGHT: Final = 56
GAP: Final = 24
RISE: Final = 76
MARGIN: Final = 16
LANE: Final = 14
TURN: Final = 10
MAX_NAME_LENGTH: Final = 22
NARROW: Final = 460
MAX_BENDS: Final = 4_000

NOT_REACHED: Final = "not_reached"


@dataclass(frozen=True, slots=True)
class StepState:
    """State of a step over all its activations; says nothing of its data."""

    status: str
    activations: int = 1


@dataclass(frozen=True, slots=True)
class Box:
    """A step in the picture; ``x`` and ``y`` are its upper left corner."""

    step_id: str
    name: str
    short_name: str
    type: str
    status: str
    activations: int
    x: int
    y: int

    @property
    def middle(self) -> int:
        """The x at which its text is centred."""
        return self.x + WIDTH // 2


@dataclass(frozen=True, slots=True)
class PictureLine:
    """An edge: an SVG path, and the port it leaves by where there is a choice."""

    path: str
    label: str
    label_x: int
    label_y: int
    is_loop: bool
    is_taken: bool

    @property
    def label_width(self) -> int:
        """Approximate width of the label."""
        return 12 + 7 * len(self.label)

    @property
    def label_left(self) -> int:
        """The x at which the label's background begins."""
        return self.label_x - self.label_width // 2


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes of a picture, and its size."""

    boxes: Sequence[Box]
    lines: Sequence[PictureLine]
    width: int
    height: int

    @property
    def is_narrow(self) -> bool:
        """Whether it can still be read when it is made as small as a phone."""
        return self.width <= NARROW


Point = tuple[int, int]


def draw(definition: Mapping[str, Any], states: Mapping[str, StepState]) -> Picture:
    """Lay a segment out.

    Args:
        definition: A valid segment in its canonical spelling.
        states: What became of steps; those that are missing were not reached.
    """
    steps = {step["step_id"]: step for step in definition["steps"]}
    edges = [edge for edge in definition.get("edges", []) if edge["from"] in steps and edge["to"] in steps]
    ahead, loops = _parted(list(steps), definition.get("entrypoint", ""), edges)
    layers = _layers(list(steps), ahead)
    rows, bends = _rows(list(steps), layers, ahead)
    spots, width = _spots(rows)
    boxes = [_box(step, states.get(step_id), spots[step_id]) for step_id, step in steps.items()]
    lines = _Lines(edges, loops, bends, spots, width).drawn(states)
    height = 2 * MARGIN + len(rows) * HEIGHT + (len(rows) - 1) * RISE
    return Picture(boxes, lines, width + 2 * MARGIN + (GAP + len(loops) * LANE if loops else 0), height)


def _parted(
    steps: Sequence[str], entry: str, edges: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[int, str, str]], set[int]]:
    """Part the edges that lead on from those that close a loop, by walking the graph from its entry."""
    leaving: dict[str, list[tuple[int, str]]] = {step: [] for step in steps}
    for index, edge in enumerate(edges):
        leaving[edge["from"]].append((index, edge["to"]))
    loops: set[int] = set()
    state: dict[str, int] = {}
    for root in [entry, *steps] if entry in leaving else steps:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(leaving[root]))]
        while stack:
            step, further = stack[-1]
            index, target = next(further, (-1, ""))
            if index < 0:
                state[step] = 2
                stack.pop()
            elif state.get(target) == 1:
                loops.add(index)
            elif target not in state:
                state[target] = 1
                stack.append((target, iter(leaving[target])))
    ahead = [(index, edge["from"], edge["to"]) for index, edge in enumerate(edges) if index not in loops]
    return ahead, loops


def _layers(steps: Sequence[str], ahead: Iterable[tuple[int, str, str]]) -> dict[str, int]:
    """Place each step one below the lowest that leads to it."""
    leaving: dict[str, list[str]] = {step: [] for step in steps}
    missing = dict.fromkeys(steps, 0)
    for _, source, target in ahead:
        leaving[source].append(target)
        missing[target] += 1
    layers = dict.fromkeys(steps, 0)
    ready = [step for step in steps if missing[step] == 0]
    for step in ready:
        for target in leaving[step]:
            layers[target] = max(layers[target], layers[step] + 1)
            missing[target] -= 1
            if missing[target] == 0:
                ready.append(target)
    return layers


def _rows(
    steps: Sequence[str], layers: Mapping[str, int], ahead: Sequence[tuple[int, str, str]]
) -> tuple[list[list[str]], dict[int, list[str]]]:
    """Sort each layer by what leads to it; a long edge bends in every layer it passes, as if a step were there."""
    rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=0) + 1)]
    parents: dict[str, list[str]] = {step: [] for step in steps}
    bends: dict[int, list[str]] = {}
    room = MAX_BENDS - sum(max(0, layers[target] - layers[source] - 1) for _, source, target in ahead)
    for step in steps:
        rows[layers[step]].append(step)
    for index, source, target in ahead:
        before = source
        for layer in range(layers[source] + 1, layers[target]) if room >= 0 else ():
            bend = f"{index}/{layer}"
            bends.setdefault(index, []).append(bend)
            rows[layer].append(bend)
            parents[bend] = [before]
            before = bend
        parents[target].append(before)
    place = {step: number - (len(rows[0]) - 1) / 2 for number, step in enumerate(rows[0])}
    for row in rows[1:]:
        row.sort(key=lambda step: _mean([place[parent] for parent in parents[step]]))
        spread = len(row) - 1
        place.update({step: number - spread / 2 for number, step in enumerate(row)})
    return rows, bends


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _spots(rows: Sequence[Sequence[str]]) -> tuple[dict[str, Point], int]:
    """Centre each row; a bend is a narrow place."""
    widths = [sum((GAP if "/" in step else WIDTH) + GAP for step in row) - GAP for row in rows]
    widest = max(widths)
    spots: dict[str, Point] = {}
    for number, (row, width) in enumerate(zip(rows, widths, strict=True)):
        x, y = MARGIN + (widest - width) // 2, MARGIN + number * (HEIGHT + RISE)
        for step in row:
            spots[step] = (x, y)
            x += (GAP if "/" in step else WIDTH) + GAP
    return spots, widest


def _box(step: Mapping[str, Any], state: StepState | None, spot: Point) -> Box:
    name = step.get("name") or step["step_id"]
    short = name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1].rstrip() + "…"
    found = state or StepState(NOT_REACHED, 0)
    return Box(step["step_id"], name, short, step["type"], found.status, found.activations, *spot)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Draws the edges between steps that have their places."""

    edges: Sequence[Mapping[str, Any]]
    loops: set[int]
    bends: Mapping[int, Sequence[str]]
    spots: Mapping[str, Point]
    width: int

    def drawn(self, states: Mapping[str, StepState]) -> list[PictureLine]:
        """Draw all."""
        leaving = Counter(edge["from"] for edge in self.edges)
        lanes = {index: lane for lane, index in enumerate(sorted(self.loops), start=1)}
        lines = []
        for (source, target), parallel in self._between().items():
            index, edge = parallel[0]
            ports = ", ".join(one["from_port"] for _, one in parallel if one.get("from_port"))
            label = ports if leaving[source] > 1 else ""
            is_taken = source in states and target in states
            if index in lanes:
                path, (x, y) = self._around(edge, lanes[index])
            else:
                path, (x, y) = self._down(index, edge)
            lines.append(PictureLine(path, label, x, y, index in lanes, is_taken))
        return lines

    def _between(self) -> dict[tuple[str, str], list[tuple[int, Mapping[str, Any]]]]:
        """Group the edges between the same two steps: they are one line."""
        found: dict[tuple[str, str], list[tuple[int, Mapping[str, Any]]]] = {}
        for index, edge in enumerate(self.edges):
            found.setdefault((edge["from"], edge["to"]), []).append((index, edge))
        return found

    def _down(self, index: int, edge: Mapping[str, Any]) -> tuple[str, Point]:
        source, target = self.spots[edge["from"]], self.spots[edge["to"]]
        x, y = source[0] + WIDTH // 2, source[1] + HEIGHT
        places = [(self.spots[bend][0] + GAP // 2, self.spots[bend][1]) for bend in self.bends.get(index, ())]
        end = (target[0] + WIDTH // 2, target[1] - 2)
        first = places[0] if places else end
        label = ((x + first[0]) // 2, y + RISE // 2 + 4)
        path = [f"M{x} {y}"]
        for to_x, to_y in places:
            path.append(f"C{x} {y + RISE // 2} {to_x} {to_y - RISE // 2} {to_x} {to_y}V{to_y + HEIGHT}")
            x, y = to_x, to_y + HEIGHT
        path.append(f"C{x} {y + RISE // 2} {end[0]} {end[1] - RISE // 2} {end[0]} {end[1]}")
        return "".join(path), label

    def _around(self, edge: Mapping[str, Any], lane: int) -> tuple[str, Point]:
        source, target = self.spots[edge["from"]], self.spots[edge["to"]]
        x, y = source[0] + WIDTH, source[1] + HEIGHT // 2 + TURN
        to_x, to_y = target[0] + WIDTH + 2, target[1] + HEIGHT // 2 - TURN
        side = MARGIN + self.width + GAP // 2 + lane * LANE
        up = TURN if to_y < y else -TURN
        path = (
            f"M{x} {y}H{side - TURN}Q{side} {y} {side} {y - up}V{to_y + up}Q{side} {to_y} {side - TURN} {to_y}H{to_x}"
        )
        return path, (x + GAP // 2, y - 6)
