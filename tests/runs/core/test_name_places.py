"""The place of a wait for a call: known before it is there, the same for all that lead to it or run beside it."""

import pytest

from runs.core.call_places import is_same_place, place_of
from runs.core.frames import Frame, Stack
from runs.core.state import Token, TokenHistory


def token(*items: int | None, **lineage: int) -> Token:
    frames = [Frame(f"split{depth}", 1, 0, item, 10 * depth) for depth, item in enumerate(items, start=1)]
    stack = Stack({frame.step_id: 0 for frame in frames})
    for frame in frames:
        stack = stack.push_again(frame, {})
    return Token(1, "any", stack, TokenHistory(lineage))


def test_names_the_last_activation_upstream_and_the_items():
    assert place_of(token(), "hold") == "0"
    assert place_of(token(None), "hold") == "0", "a branch is no item"
    assert place_of(token(3, None, 0, other=5), "hold") == "0_10-3_30-0"
    assert place_of(token(hold=17), "hold") == "17"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("0", "0", True),
        ("0", "17", False),
        ("0_10-3", "0_10-3", True),
        ("0_10-3", "0_10-4", False),
        ("0_10-3", "0_10-3_20-1", True),
        ("0", "0_10-3", True),
        ("17_10-3", "0", False),
        ("1", "17", False),
    ],
)
def test_from_outside_of_items_the_same_place_is_meant(one: str, other: str, is_same: bool):
    assert is_same_place(one, other) is is_same
    assert is_same_place(other, one) is is_same
