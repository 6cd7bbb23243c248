"""The blocks a generated segment is put together from: each goes on from ends and gives ends."""

from collections.abc import Callable

from tests.reference.drafts import FAILS, PLAIN, Draft, End, Ends

Block = Callable[[Draft, Ends, int, bool], Ends]
"""A draft, where to go on, how much deeper blocks may be nested, whether there is an item."""


def chain(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """One to three blocks in a row."""
    for _ in range(draft.random.choice([1, 1, 2, 3])):
        if not ends:
            break
        block = leaf
        if depth > 0 and not draft.is_full:
            (block,) = draft.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        ends = block(draft, ends, depth - 1, has_item)
    return ends


def leaf(draft: Draft, ends: Ends, _depth: int, has_item: bool) -> Ends:
    """One step that does not fail."""
    kinds = ["", "", "", "input", f"'${{' + str(steps.s1.output) + '|' + {PLAIN} + '}}'"]
    if has_item:
        kinds += [f"'$[' + str(item) + '#' + str(index) + ':' + {PLAIN} + ']'"] * 2
    return draft.work(ends, draft.random.choice(kinds))


def failing(draft: Draft, ends: Ends, _depth: int, _has_item: bool) -> Ends:
    """One step that fails, always or for some values; mostly somebody takes the failure."""
    failed = FAILS if draft.chance(0.3) else f"{FAILS} if {draft.some_length()} else input"
    (end,) = draft.work(ends, failed)
    return [end, *(draft.rescue(end.step) if draft.chance(0.6) else [])]


def choice(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """A condition whose ways merge again, end, or meet in a join."""
    step_id = draft.step("condition", ends, expression=draft.some_length())
    way, other = [End(step_id, "true")], [End(step_id, "false")]
    first = chain(draft, way, depth, has_item)
    second = draft.random.choice([[], other, chain(draft, other, depth, has_item)]) if not draft.is_full else []
    return draft.join([first, second]) if second and draft.chance(0.07) else first + second


def routed(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """Edges with conditions out of one step, one of which may fail."""
    (end,) = draft.work(ends)
    first = chain(draft, [End(end.step, None, _edge_condition(draft))], depth, has_item)
    return first + chain(draft, [End(end.step, None, "else")], depth, has_item)


def _edge_condition(draft: Draft) -> str:
    return "output.nope" if draft.chance(0.1) else draft.some_length("output")


def split(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """A split whose branches are gathered."""
    branches = draft.split(ends, draft.random.choice([2, 2, 3]))
    return gathered(draft, [chain(draft, [branch], depth, has_item) for branch in branches])


def fan_out(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """Several edges out of one step, some with conditions, of which some fail."""
    (end,) = draft.work(ends)
    groups = []
    for _ in range(draft.random.choice([2, 2, 3])):
        condition = _edge_condition(draft) if draft.chance(0.3) else None
        groups.append(chain(draft, [End(end.step, None, condition)], depth, has_item))
    return gathered(draft, groups)


def fork(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """A split of which one branch goes on, or two do and merge; the others end elsewhere."""
    first, second, *others = draft.split(ends, draft.random.choice([2, 2, 3]))
    for end in others:
        draft.work([end])
    if draft.chance(0.3):
        return chain(draft, [first, second], depth, has_item)
    draft.work([second])
    return chain(draft, [first], depth, has_item)


def around(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """A condition with a short way around a fan-out, into a branch or a gathering of it."""
    step_id = draft.step("condition", ends, expression=draft.some_length())
    short, long = [End(step_id, "true")], [End(step_id, "false")]
    over_items = draft.chance(0.4)
    branches = draft.split(long, 2, items=f"[{PLAIN}, 'q']") if over_items else draft.split(long, 3)
    groups = [chain(draft, [branch], depth, has_item or over_items) for branch in branches]
    groups[draft.random.randrange(len(groups))] += draft.work(short) if draft.chance(0.3) else short
    if len(groups) == 3 and draft.chance(0.7):
        return _ladder(draft, groups)
    return draft.join([draft.work(groups[0])]) if draft.chance(0.3) else gathered(draft, groups)


def each(draft: Draft, ends: Ends, depth: int, _has_item: bool) -> Ends:
    """A split over items, of which there may be none."""
    some = f"['p', 'q', 'r', 's'][0:len(str(input)) % {draft.random.choice([2, 3, 4])}]"
    names = draft.random.sample(["k", "l", "m"], draft.random.randint(1, 3))
    made = f"[name + {PLAIN} for name in {names}]"
    items = draft.random.choice([some, made])
    branches = draft.split(ends, draft.random.choice([1, 1, 2]), items=items)
    groups = [chain(draft, [branch], depth, True) for branch in branches]
    strategy = draft.random.choice(["all", "all", "all", "any", "quorum"])
    if len(groups) == 2 and draft.chance(0.4):
        met = leaf(draft, draft.with_ports(groups), 0, has_item=True)
        return draft.join([met]) if draft.chance(0.8) else met
    return draft.join(groups, strategy, **({"count": 2} if strategy == "quorum" else {}))


def loop(draft: Draft, ends: Ends, depth: int, has_item: bool) -> Ends:
    """A loop that ends when its value is long enough; its head may have two ports."""
    longest = draft.random.choice([12, 25, 40, 60])
    ported = draft.chance(0.35)
    (head,) = draft.with_ports([ends, []]) if ported else draft.work(ends)
    body = draft.work(chain(draft, [head], depth, has_item))
    again = draft.step("condition", body, expression=f"len(str(input)) < {longest}")
    draft.link([End(again, "true")], head.step, "middle" if ported else None)
    return [End(again, "false")]


def gathered(draft: Draft, groups: list[Ends]) -> Ends:
    """Bring the branches of one fan-out together, or not."""
    if len(groups) == 3 and draft.chance(0.3):
        return _ladder(draft, groups)
    kind = draft.random.choices(
        ["all", "wait", "ports", "one", "any", "first", "quorum", "elsewhere", "merged"], [30, 8, 20, 12, 8, 8, 8, 4, 3]
    )[0]
    match kind:
        case "ports":
            ends = draft.with_ports(groups)
        case "one":
            same = [draft.work(ends, "'same'") for ends in groups if ends]
            ends = draft.join(same, draft.random.choice(["any", "first"]))
        case "elsewhere":
            ends = groups[0]
        case "merged":
            ends = [end for ends in groups for end in ends]
        case _:
            more = {"wait": {"on_branch_failure": "wait"}, "quorum": {"count": draft.random.randint(1, len(groups))}}
            ends = draft.join(groups, "all" if kind == "wait" else kind, **more.get(kind, {}))
    return ends


def _ladder(draft: Draft, groups: list[Ends]) -> Ends:
    """Gatherings one behind the other on one fan-out."""
    draft.random.shuffle(groups)
    first, second, third = groups
    below = draft.join([first, second]) if draft.chance(0.6) else draft.with_ports([first, second])
    return draft.join([below, third]) if draft.chance(0.6) else draft.with_ports([below, third])


WEIGHTS: dict[Block, int] = {
    leaf: 30,
    failing: 8,
    choice: 12,
    routed: 6,
    split: 16,
    fan_out: 10,
    fork: 6,
    around: 8,
    each: 8,
    loop: 10,
}
