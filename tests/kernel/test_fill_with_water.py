from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from kernel.turns.turn_order import TurnOrder
from kernel.turns.water_filling import RoomAsker, fill

WEIGHTS = some.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0])
PLACES = some.tuples(some.floats(0, 9), some.integers(0, 9))
ASKERS = some.lists(some.builds(RoomAsker, WEIGHTS, some.integers(0, 30), some.integers(-2, 30), PLACES))


@given(some.integers(-1, 200), ASKERS)
def test_nobody_could_have_more_but_by_taking_from_one_with_no_more_for_their_weight(
    room: int, askers: list[RoomAsker]
) -> None:
    shares = fill(room, askers)
    assert sum(shares) == max(0, min(room, sum(max(0, one.most) for one in askers)))
    assert all(0 <= share <= max(0, one.most) for share, one in zip(shares, askers, strict=True))
    levels = [Fraction(one.has + share) / Fraction(one.weight) for share, one in zip(shares, askers, strict=True)]
    open_levels = [level for level, share, one in zip(levels, shares, askers, strict=True) if share < one.most]
    last = [
        level - 1 / Fraction(one.weight) for level, share, one in zip(levels, shares, askers, strict=True) if share > 0
    ]
    assert all(before <= level for before in last for level in open_levels)


@given(some.integers(0, 50), ASKERS)
def test_more_room_takes_nothing_from_anybody(room: int, askers: list[RoomAsker]) -> None:
    for less, more in pairwise(fill(number, askers) for number in range(room, room + 4)):
        assert all(a <= b for a, b in zip(less, more, strict=True))


def test_equals_come_by_their_place() -> None:
    askers = [RoomAsker(1, 0, 5, place) for place in ((2.0, 0), (1.0, 1), (1.0, 2))]
    assert fill(2, askers) == [0, 1, 1]
    assert fill(4, askers) == [1, 2, 1]


def test_turns_go_by_weight_and_nobody_saves_up() -> None:
    order, served = TurnOrder(), []
    weights = {"light": 1, "heavy": 3}
    for number in range(80):
        present = weights if number < 40 else {**weights, "late": 1}
        first = min(present, key=order.place_of)
        order.serve({first: 1 / present[first]})
        served.append(first)
    assert (served[:40].count("heavy"), served[:40].count("light")) == (30, 10)
    assert served[40:].count("late") in {8, 9}
    assert served[40:].count("heavy") in {23, 24}


def test_nobody_pays_for_room_that_was_idle() -> None:
    order = TurnOrder()
    for _ in range(100):
        order.serve({"alone": 1.0})
    order.serve({"late": 1.0})
    assert order.place_of("late")[0] - order.place_of("alone")[0] <= 1.0
