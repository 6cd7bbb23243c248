"""Owners in turn: whose last turn is longest ago goes first, at a cost that does not grow with the owners."""

import random
from collections import Counter

from kernel.turns.turn_queue import TurnQueue


def everybody_goes(_: int) -> bool:
    return False


def test_the_owner_whose_last_turn_is_longest_ago_goes_first_its_items_in_their_order() -> None:
    queue: TurnQueue[int, str] = TurnQueue(kept=10)
    for owner, item in [(1, "a"), (1, "b"), (2, "c"), (1, "d")]:
        queue.add(owner, item)
    assert [queue.take(everybody_goes) for _ in range(2)] == ["a", "c"]
    queue.add(3, "new")
    queue.add(1, "again", first=True)
    queue.add(2, "e")
    assert [queue.take(everybody_goes) for _ in range(5)] == ["new", "again", "e", "b", "d"]
    assert (queue.take(everybody_goes), bool(queue)) == (None, False)


def test_who_passes_keeps_its_place() -> None:
    queue: TurnQueue[int, int] = TurnQueue(kept=10)
    for owner in range(4):
        queue.add(owner, owner)
    assert [queue.take(lambda owner: owner < 2) for _ in range(3)] == [2, 3, None]
    assert (list(queue.owners), 0 in queue, 3 in queue) == ([0, 1], True, False)
    assert [queue.take(everybody_goes) for _ in range(2)] == [0, 1]


def test_it_is_the_order_that_looking_at_everybody_gives() -> None:
    chance = random.Random(14)
    queue: TurnQueue[int, int] = TurnQueue(kept=50)
    waiting: dict[int, list[int]] = {}
    last: Counter[int] = Counter()
    for number in range(3_000):
        owner = chance.randrange(50)
        queue.add(owner, number)
        waiting.setdefault(owner, []).append(number)
        if chance.random() < 0.8:
            resting = chance.sample(range(50), 5)
            may_go = [one for one in waiting if one not in resting]
            expected = None
            if may_go:
                first = min(may_go, key=lambda one: last[one])
                last[first] = number + 1
                expected = waiting[first].pop(0)
                if not waiting[first]:
                    del waiting[first]
            assert queue.take(resting.__contains__) == expected


def test_a_turn_among_a_thousand_owners_looks_at_one() -> None:
    queue: TurnQueue[int, int] = TurnQueue(kept=2_000)
    looked = 0

    def goes(_: int) -> bool:
        nonlocal looked
        looked += 1
        return False

    for number in range(3_000):
        queue.add(number % 1_000, number)
    for _ in range(1_500):
        queue.take(goes)
    assert looked == 1_500


def test_of_more_owners_than_are_remembered_those_of_long_ago_count_as_new() -> None:
    queue: TurnQueue[int, int] = TurnQueue(kept=2)
    for owner in (1, 2, 3):
        queue.add(owner, owner)
        queue.take(everybody_goes)
    for owner in (3, 2, 1):
        queue.add(owner, owner)
    assert [queue.take(everybody_goes) for _ in range(3)] == [1, 2, 3]
