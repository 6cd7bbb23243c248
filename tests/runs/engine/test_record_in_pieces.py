"""A fact that takes long to be taken into account is taken in pieces, before whatever is recorded meanwhile."""

from runs.core import EventType, new_state
from runs.engine.run.recorder import RunRecorder
from runs.engine.run.spending import Spending
from tenants.models import Tenant
from tests.support.engine import queue_run
from tests.support.graphs import drawn
from tests.support.journals import claim, open_journal, register_host
from tests.support.segments import segment, step

FORK = """
    s parallel_split output=branch_1
    a work
    s.branch_1 -> a
"""
ITEMS = {"ports": ["branch_1"], "value": 1, "edges": [0], "items": list(range(1_000))}


def recorder_of_a_split(tenant: Tenant) -> RunRecorder:
    """A recorder of a run whose split is in flight."""
    queue_run(tenant, segment(step("one")))
    (claimed,) = claim(register_host())
    journal = open_journal(claimed)
    spending = Spending(journal, None, None)  # type: ignore[arg-type]  # asks for nothing here
    recorder = RunRecorder(journal, new_state(drawn(FORK)), spending)
    recorder.record(EventType.SEGMENT_STARTED, {"input": None})
    recorder.record(EventType.STEP_STARTED, {"inputs": {}}, ("s", 1), 1)
    return recorder


def test_what_is_recorded_between_two_pieces_has_all_of_them_before_it(acme: Tenant) -> None:
    recorder = recorder_of_a_split(acme)
    pieces = recorder.record_in_pieces(EventType.STEP_COMPLETED, ITEMS, ("s", 1), 1)
    next(pieces)
    assert len(recorder.state.ready) == 100, "it is taken in pieces"
    recorder.record(EventType.STEP_STARTED, {"inputs": {}}, ("a", 1), 1)
    assert (len(recorder.state.ready), list(recorder.state.active)) == (999, [("a", 1)])
    assert list(pieces) == []
    assert (len(recorder.state.ready), recorder.state.tokens_made) == (999, 1_001)
