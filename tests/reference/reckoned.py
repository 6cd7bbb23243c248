"""Well-nested segments whose value is reckoned while they are drawn, by no rule of gathering at all.

Every block goes on from one end and gives one end, and a function that says what comes out of it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from tests.reference.drafts import PLAIN, Draft, End

Value = Callable[[Any, str], Any]
"""What is there of a run's input, for an item; ``-`` is no item."""
NO_ITEM = "-"
MOST_STEPS = 45


class Part(NamedTuple):
    """What is drawn so far: where it goes on, and its value there."""

    end: End
    value: Value


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A segment, its last step, and what that gives for an input."""

    segment: Mapping[str, Any]
    last: str
    value: Callable[[Any], Any]


def reckon(seed: int) -> Reckoned:
    """Draw the segment of a seed."""
    draft = Draft(Random(f"reckoned {seed}"), MOST_STEPS)
    begun = Part(End(draft.step("transform", [], expression="input")), lambda value, _item: value)
    part = chain(draft, chain(draft, begun, 2), 2)
    last = draft.step("transform", [part.end], expression="input")
    return Reckoned(draft.segment(), last, lambda value: part.value(value, NO_ITEM))


def text(value: Any) -> str:
    """A value as expressions write it into a text, without quotation marks."""
    written = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return written.replace('"', "")


def chain(draft: Draft, part: Part, depth: int) -> Part:
    """One or two blocks in a row."""
    for _ in range(draft.random.choice([1, 1, 2])):
        if depth == 0 or draft.is_full:
            part = work(draft, part)
        else:
            (block,) = draft.random.choices(list(BLOCKS), list(BLOCKS.values()))
            part = block(draft, part, depth - 1)
    return part


def work(draft: Draft, part: Part, _depth: int = 0) -> Part:
    """One step; it may tell the item."""
    if draft.chance(0.3):
        (end,) = draft.work([part.end], f"'$[' + str(item ?? '{NO_ITEM}') + '](' + {PLAIN} + ')'")
        return Part(end, lambda value, item: f"{end.step}[{item}]({text(part.value(value, item))})")
    (end,) = draft.work([part.end])
    return Part(end, lambda value, item: f"{end.step}({text(part.value(value, item))})")


def parallel(draft: Draft, part: Part, depth: int) -> Part:
    """A fan-out, with or without a split, that is brought together in one gathering or a ladder of them."""
    return ladder(draft, branches(draft, part, depth))


def branches(draft: Draft, part: Part, depth: int) -> list[Part]:
    """The branches of a fan-out; another one may only be logged."""
    count, is_logged = draft.random.choice([2, 2, 3]), draft.chance(0.3)
    if draft.chance(0.6):
        ends = draft.split([part.end], count + is_logged)
    else:
        part = work(draft, part)
        ends = [part.end] * (count + is_logged)
    if is_logged:
        draft.work([ends.pop(draft.random.randrange(len(ends)))])
    return [chain(draft, Part(end, part.value), depth) for end in ends]


def ladder(draft: Draft, parts: list[Part]) -> Part:
    """Bring branches together, two by two or all at once."""
    while len(parts) > 2 and draft.chance(0.6):
        first, second, *others = parts
        parts = [*others, meet(draft, [first, second])]
        draft.random.shuffle(parts)
    return meet(draft, parts)


def meet(draft: Draft, parts: list[Part]) -> Part:
    """One gathering: a join, or a step with a port for each branch."""
    ends = [[part.end] for part in parts]
    if draft.chance(0.5):
        return join(draft, parts)
    (end,) = draft.with_ports(ends)
    return Part(end, lambda value, item: f"{end.step}<{'&'.join(text(one.value(value, item)) for one in parts)}>")


def join(draft: Draft, parts: list[Part]) -> Part:
    """A join of all."""
    step_id = draft.step("parallel_join", [part.end for part in parts])
    return Part(End(step_id), lambda value, item: [one.value(value, item) for one in parts])


def fork(draft: Draft, part: Part, depth: int) -> Part:
    """A split of which one branch goes on; the others end elsewhere."""
    ends = draft.split([part.end], draft.random.choice([2, 3]))
    goes_on = ends.pop(draft.random.randrange(len(ends)))
    for end in ends:
        draft.work([end])
    return chain(draft, Part(goes_on, part.value), depth)


def each(draft: Draft, part: Part, depth: int) -> Part:
    """A split over items and the join that brings them together."""
    items, end = _items(draft, part)
    body = chain(draft, Part(end, lambda _value, item: item), depth)
    step_id = draft.step("parallel_join", [body.end])
    return Part(End(step_id), lambda value, _item: [body.value(value, one) for one in items])


def _items(draft: Draft, part: Part) -> tuple[list[str], End]:
    items = draft.random.sample(["p", "q", "rr", "s"], draft.random.choice([1, 2, 2, 3]))
    branch, other = draft.split([part.end], 2, items=str(items))
    if draft.chance(0.2):
        draft.work([other])
    return items, branch


def choice(draft: Draft, part: Part, depth: int) -> Part:
    """A condition whose ways meet in a step again."""
    way, other, holds = _ways(draft, part)
    first = chain(draft, way, depth)
    second = chain(draft, other, depth) if draft.chance(0.7) else other
    return _merged(draft, first, second, holds)


def _ways(draft: Draft, part: Part) -> tuple[Part, Part, Callable[[Any, str], bool]]:
    divisor = draft.random.choice([2, 3])
    rest = draft.random.randrange(divisor)
    step_id = draft.step("condition", [part.end], expression=f"len(str(input)) % {divisor} == {rest}")

    def holds(value: Any, item: str) -> bool:
        given = part.value(value, item)
        written = given if isinstance(given, str) else json.dumps(given, separators=(",", ":"), ensure_ascii=False)
        return len(written) % divisor == rest

    return Part(End(step_id, "true"), part.value), Part(End(step_id, "false"), part.value), holds


def _merged(draft: Draft, way: Part, other: Part, holds: Callable[[Any, str], bool]) -> Part:
    (end,) = draft.work([way.end, other.end])

    def value(given: Any, item: str) -> str:
        return f"{end.step}({text((way if holds(given, item) else other).value(given, item))})"

    return Part(end, value)


def around_a_ladder(draft: Draft, part: Part, depth: int) -> Part:
    """A condition with a short way into the first or the last join of a fan-out on its other way."""
    short, long, holds = _ways(draft, part)
    if draft.chance(0.5):
        short = work(draft, short)
    parts = branches(draft, long, depth)
    is_first = draft.chance(0.6) and len(parts) > 2
    inner = [join(draft, parts[:2]), *parts[2:]] if len(parts) > 2 else parts
    outer = join(draft, inner)
    draft.link([short.end], inner[0].end.step if is_first else outer.end.step)

    def value(given: Any, item: str) -> Any:
        if not holds(given, item):
            return outer.value(given, item)
        came = short.value(given, item)
        return [[came]] if is_first else [came]

    return Part(outer.end, value)


def around_items(draft: Draft, part: Part, depth: int) -> Part:
    """A condition with a short way around a split over items, into its join or into the step before."""
    short, long, holds = _ways(draft, part)
    items, end = _items(draft, long)
    body = chain(draft, Part(end, lambda _value, item: item), depth)
    if draft.chance(0.5):
        (same,) = draft.work([body.end, short.end])
        step_id = draft.step("parallel_join", [same])
        written = f"{same.step}({{}})"
    else:
        step_id = draft.step("parallel_join", [body.end, short.end])
        written = ""

    def value(given: Any, item: str) -> list[Any]:
        came = [short.value(given, item)] if holds(given, item) else [body.value(given, one) for one in items]
        return [written.format(text(one)) for one in came] if written else came

    return Part(End(step_id), value)


BLOCKS: dict[Callable[[Draft, Part, int], Part], int] = {
    work: 25,
    parallel: 35,
    fork: 10,
    each: 15,
    choice: 10,
    around_a_ladder: 10,
    around_items: 8,
}
