"""Where a failure goes: its own error port, the nearest gathering, or the run. Source: docs/reference/gathering.md."""

from runs.core import EventType
from tests.support.graphs import DIAMOND, drawn
from tests.support.simulation import InOrder, fails, play


def test_a_failed_branch_fails_the_join_once_the_others_have_arrived() -> None:
    run = play(drawn(DIAMOND.format(join="")), {"a": fails}, order=InOrder("start", "split", "a"))
    failure = run.journal[-1].payload["error"]
    assert isinstance(failure, dict)
    assert (failure["code"], failure["step_id"]) == ("BRANCH_FAILED", "join")
    assert [event.step_id for event in run.journal if event.type is EventType.STEP_COMPLETED][-2:] == ["b", "c"]


def test_a_join_may_route_its_failure() -> None:
    run = play(drawn(DIAMOND.format(join="") + "\nrescue work\njoin.error -> rescue"), {"a": fails})
    rescued = run.state.output()
    assert isinstance(rescued, dict)
    assert "BRANCH_FAILED" in str(rescued["rescue"])


def test_a_routed_failure_counts_as_success() -> None:
    run = play(drawn(DIAMOND.format(join="") + "\na.error -> join:one"), {"a": fails})
    assert "BROKEN" in str(run.state.output())
    assert run.journal[-1].type is EventType.SEGMENT_COMPLETED


def test_a_failure_outside_every_gathering_fails_the_run_and_names_the_step() -> None:
    run = play(drawn("a work\nb work\na -> b"), {"b": fails})
    failure = run.journal[-1].payload["error"]
    assert isinstance(failure, dict)
    assert (failure["code"], failure["step_id"], failure["activation"]) == ("BROKEN", "b", 1)


def test_a_failure_in_an_inner_block_goes_to_the_inner_join_first() -> None:
    plan = drawn(
        """
        outer parallel_split output=branch_1,branch_2
        inner parallel_split output=branch_1,branch_2
        a work
        b work
        c work
        near parallel_join
        far parallel_join
        rescue work
        outer.branch_1 -> inner
        outer.branch_2 -> c
        inner.branch_1 -> a
        inner.branch_2 -> b
        a -> near:x
        b -> near:y
        near -> far:x
        near.error -> rescue
        rescue -> far:x
        c -> far:y
        """
    )
    run = play(plan, {"a": fails})
    assert run.journal[-1].type is EventType.SEGMENT_COMPLETED
    output = run.state.output()
    assert isinstance(output, list)
    assert str(output[0]).startswith("c(") or "rescue" in str(output)


def test_any_passes_over_a_failure() -> None:
    run = play(
        drawn(DIAMOND.format(join="merge_strategy=any")), {"b": fails}, order=InOrder("start", "split", "b", "c")
    )
    assert run.state.output() == "end(c(start(in)))"


def test_any_fails_when_all_have_failed() -> None:
    run = play(drawn(DIAMOND.format(join="merge_strategy=any")), {"a": fails, "b": fails, "c": fails})
    failure = run.journal[-1].payload["error"]
    assert isinstance(failure, dict)
    assert (failure["code"], failure["step_id"]) == ("BRANCH_FAILED", "join")


def test_first_takes_the_first_outcome_even_a_failure() -> None:
    plan = drawn(DIAMOND.format(join="merge_strategy=first"))
    won = play(plan, {"b": fails}, order=InOrder("start", "split", "a"))
    lost = play(plan, {"b": fails}, order=InOrder("start", "split", "b"))
    assert won.state.output() == "end(a(start(in)))"
    assert lost.journal[-1].type is EventType.SEGMENT_FAILED


def test_quorum_fires_at_the_count_and_fails_when_it_cannot_be_met() -> None:
    plan = drawn(DIAMOND.format(join="merge_strategy=quorum count=2"))
    met = play(plan, {"a": fails}, order=InOrder("start", "split", "a", "c", "b"))
    missed = play(plan, {"a": fails, "b": fails}, order=InOrder("start", "split", "a", "b", "c"))
    assert met.state.output() == "end(['b(start(in))', 'c(start(in))'])"
    assert missed.journal[-1].type is EventType.SEGMENT_FAILED
