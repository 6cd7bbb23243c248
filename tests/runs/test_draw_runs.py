"""A graph of any shape is laid out: every step once, nothing above what leads to it, nothing outside of the picture."""

import re
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runs.picture import HEIGHT, WIDTH, Picture, StepState, draw


def graph(edges: list[tuple[str, str]], *, steps: str = "", entry: str = "") -> dict[str, Any]:
    names = list(dict.fromkeys([*steps, *(name for edge in edges for name in edge)]))
    return {
        "entrypoint": entry or (names[0] if names else ""),
        "steps": [{"step_id": name, "type": "transform"} for name in names],
        "edges": [{"from": source, "to": target} for source, target in edges],
    }


def rows_of(picture: Picture) -> list[list[str]]:
    heights = sorted({box.y for box in picture.boxes})
    return [sorted(box.step_id for box in picture.boxes if box.y == height) for height in heights]


def test_a_chain_stands_one_below_the_other() -> None:
    assert rows_of(draw(graph([("a", "b"), ("b", "c")]), {})) == [["a"], ["b"], ["c"]]


def test_branches_stand_beside_each_other_and_meet_below() -> None:
    picture = draw(graph([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]), {})
    assert rows_of(picture) == [["a"], ["b", "c"], ["d"]]
    middles = {box.step_id: box.middle for box in picture.boxes}
    assert middles["a"] == middles["d"] == (middles["b"] + middles["c"]) // 2


def test_a_loop_is_drawn_around() -> None:
    picture = draw(graph([("a", "b"), ("b", "c"), ("c", "a"), ("b", "b")]), {})
    assert rows_of(picture) == [["a"], ["b"], ["c"]]
    assert [line.is_loop for line in picture.lines] == [False, False, True, True]


def test_a_step_tells_how_it_stands_and_a_line_whether_it_was_taken() -> None:
    states = {"a": StepState("completed", 3), "b": StepState("asked")}
    picture = draw(graph([("a", "b"), ("b", "c")]), states)
    assert [(box.status, box.activations) for box in picture.boxes] == [
        ("completed", 3), ("asked", 1), ("not_reached", 0),
    ]  # fmt: skip
    assert [line.is_taken for line in picture.lines] == [True, False]


def test_ports_are_named_where_there_is_a_choice() -> None:
    document = graph([("a", "b"), ("a", "c"), ("b", "d")])
    for edge, port in zip(document["edges"], ["approved", "rejected", "output"], strict=True):
        edge["from_port"] = port
    assert [line.label for line in draw(document, {}).lines] == ["approved", "rejected", ""]


def test_edges_between_the_same_steps_are_one_line_with_all_ports() -> None:
    document = graph([("a", "b"), ("a", "b"), ("a", "c")])
    for edge, port in zip(document["edges"], ["approved", "modified", "rejected"], strict=True):
        edge["from_port"] = port
    assert [line.label for line in draw(document, {}).lines] == ["approved, modified", "rejected"]


def test_long_names_are_cut_and_kept() -> None:
    document = graph([], steps="a")
    document["steps"][0]["name"] = "A very long name of a step that fits into no box"
    box = draw(document, {}).boxes[0]
    assert box.short_name.endswith("…")
    assert len(box.short_name) <= 22
    assert box.name == document["steps"][0]["name"]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=24))
def test_any_graph_can_be_drawn(edges: list[tuple[str, str]]) -> None:
    picture = draw(graph(edges, steps="abcdefgh"), {})
    boxes = {box.step_id: box for box in picture.boxes}
    assert sorted(boxes) == list("abcdefgh")
    for first, second in combinations(picture.boxes, 2):
        assert first.y != second.y or abs(first.x - second.x) >= WIDTH
    for (source, target), line in zip(dict.fromkeys(edges), picture.lines, strict=True):
        assert line.is_loop or boxes[source].y < boxes[target].y
        assert all(0 <= int(number) <= max(picture.width, picture.height) for number in re.findall(r"\d+", line.path))
    for box in picture.boxes:
        assert 0 <= box.x <= picture.width - WIDTH
        assert 0 <= box.y <= picture.height - HEIGHT


def test_a_graph_at_its_bounds_is_drawn_in_time() -> None:
    names = [f"s{number}" for number in range(1000)]
    edges = [(names[i], names[j]) for i in range(1000) for j in (i + 1, i + 2, i + 40, i - 3) if 0 <= j < 1000]
    picture = draw(graph(edges), {})
    assert len(picture.boxes) == 1000
