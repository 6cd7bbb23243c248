"""What a compiled step takes from the segment."""

from segments.plan import RetryPolicy
from tests.support.graphs import CATALOG, Draft, compile_plan, drawn, read_segment


def test_a_steps_own_retry_policy_wins_over_retry_count_and_the_segments() -> None:
    draft = Draft()
    draft.step("work", retry={"max_attempts": 7, "initial_seconds": 0.5, "factor": 3, "max_seconds": 9})
    draft.step("work", {"retry_count": 1})
    draft.step("work")
    draft.edge("s0", "s1")
    draft.edge("s1", "s2")
    steps = draft.plan(max_retries=4).steps
    assert steps["s0"].retry == RetryPolicy(max_attempts=7, initial_seconds=0.5, factor=3, max_seconds=9)
    assert (steps["s1"].retry.max_attempts, steps["s2"].retry.max_attempts) == (2, 5)


def test_steps_named_by_expressions_are_kept_and_all_of_them_when_a_name_cannot_be_foreseen() -> None:
    drawing = "a work\nb work\nc work\na -> b\nb -> c ? {}"
    assert drawn(drawing.format("steps.a.output == 1")).referenced == {"a"}
    assert drawn(drawing.format("steps[input.name].output == 1")).referenced == {"a", "b", "c"}


def test_steps_no_way_leads_to_are_left_out_with_their_edges() -> None:
    draft = Draft()
    for _ in range(3):
        draft.step("work")
    draft.edge("s0", "s1")
    draft.edge("s2", "s1")
    plan = draft.plan()
    assert list(plan.steps) == ["s0", "s1"]
    assert [edge.index for step in plan.steps.values() for edge in step.edges] == [0]


def test_equal_segments_give_equal_plans() -> None:
    document = {"segment_id": "x", "name": "x", "entrypoint": "a", "steps": [{"step_id": "a", "type": "work"}]}
    one, other = (read_segment(document).segment for _ in range(2))
    assert one is not None
    assert other is not None
    assert compile_plan(one, CATALOG) == compile_plan(other, CATALOG)
