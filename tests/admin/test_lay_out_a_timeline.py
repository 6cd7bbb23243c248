"""The timeline of a run: lanes of what its steps did, in proportion, with idle stretches made short. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from runs.console.timeline import IDLE_WIDTH, MAX_LANES, NAMES, WIDTH, Timeline, TimelineEvent, timeline_of

BEGIN = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def drawn(*events: tuple[str, str, float], started: float = 1, until: float = 10) -> Timeline:
    found = [TimelineEvent(kind, step, at(seconds)) for kind, step, seconds in events]
    return timeline_of(found, created_at=BEGIN, started_at=at(started), until=at(until))


def test_each_activation_has_a_lane_of_what_it_did() -> None:
    timeline = drawn(
        ("step.started", "call", 1), ("step.retrying", "call", 3), ("step.started", "call", 4),
        ("step.completed", "call", 6), ("step.started", "ask", 6), ("human.task_created", "ask", 6.5),
        ("step.completed", "ask", 10),
    )  # fmt: skip
    assert {lane.name: [bar.kind for bar in lane.bars] for lane in timeline.lanes} == {
        "Run": ["queued"], "call": ["ran", "retry", "ran"], "ask": ["ran", "wait"],
    }  # fmt: skip


def test_what_ran_is_drawn_in_proportion() -> None:
    timeline = drawn(("step.started", "a", 0), ("step.completed", "a", 4), started=0, until=8)
    (bar,) = timeline.lanes[1].bars
    assert (bar.x, bar.width) == (NAMES, pytest.approx(WIDTH / 2, abs=1))
    assert timeline.idle == []


def test_a_long_stretch_in_which_nothing_ran_is_short_and_says_how_long_it_was() -> None:
    timeline = drawn(
        ("step.started", "a", 0), ("step.waiting", "a", 2), ("step.started", "a", 86_402),
        ("step.completed", "a", 86_404), started=0, until=86_404,
    )  # fmt: skip
    (idle,) = timeline.idle
    assert (idle.width, idle.words) == (IDLE_WIDTH, "24 h 0 min")
    first, wait, second = timeline.lanes[1].bars
    assert wait.width == IDLE_WIDTH
    assert first.width == second.width == pytest.approx((WIDTH - IDLE_WIDTH) / 2, abs=1)


def test_what_goes_on_reaches_to_the_end_and_an_empty_run_is_drawn_too() -> None:
    timeline = drawn(("step.started", "a", 2), until=8)
    (bar,) = timeline.lanes[1].bars
    assert bar.x + bar.width == pytest.approx(NAMES + WIDTH, abs=1)
    empty = timeline_of([], created_at=BEGIN, started_at=None, until=BEGIN)
    assert [lane.name for lane in empty.lanes] == ["Run"]


def test_of_very_many_activations_the_first_are_drawn_and_the_rest_counted() -> None:
    timeline = drawn(*[("step.started", f"loop#{number}", number / 100) for number in range(MAX_LANES + 40)])
    assert (len(timeline.lanes), timeline.left_out) == (MAX_LANES + 1, 40)
