"""What a start executes, though revisions are remembered: the content that was saved last, in every process."""

import pytest

from foundation.scope import tenant_scope
from kernel.values import size_of
from segments import known_revisions
from segments.errors import SegmentArchived, SegmentNotFound
from segments.models import Segment
from segments.selectors import get_startable
from segments.services import archive_segment, save_segment
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row


def save(customer: Customer, expression: str) -> Segment:
    document = steps_in_a_row(expression, segment_id="row")
    save_segment(tenant=customer.tenant, actor="system", segment_id="row", document=document)
    with tenant_scope(customer.tenant.id):
        return Segment.objects.get(segment_id="row")


def expression_started(customer: Customer) -> str:
    revision = get_startable(tenant=customer.tenant, segment_id="row")
    return str(revision.definition["steps"][0]["config"]["expression"])


def test_a_save_is_what_the_next_start_executes(acme: Customer, globex: Customer) -> None:
    save(acme, "input")
    assert [expression_started(acme), expression_started(acme)] == ["input", "input"]
    save(acme, "input + 1")
    save(globex, "input + 2")
    assert expression_started(acme) == "input + 1"
    assert expression_started(globex) == "input + 2"
    save(acme, "input")
    assert expression_started(acme) == "input"


def test_an_archived_segment_is_refused_though_its_revision_is_known(acme: Customer) -> None:
    save(acme, "input")
    assert expression_started(acme) == "input"
    archive_segment(tenant=acme.tenant, actor="system", segment_id="row")
    with pytest.raises(SegmentArchived):
        get_startable(tenant=acme.tenant, segment_id="row")
    save(acme, "input")
    assert expression_started(acme) == "input"


def test_another_tenant_s_segment_is_unknown(acme: Customer, globex: Customer) -> None:
    save(acme, "input")
    assert expression_started(acme) == "input"
    with pytest.raises(SegmentNotFound):
        get_startable(tenant=globex.tenant, segment_id="row")


def test_only_so_many_are_remembered(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    save(acme, "input")
    revision = get_startable(tenant=acme.tenant, segment_id="row")
    monkeypatch.setattr(known_revisions, "MAX_BYTES", 2 * size_of(revision.definition))
    known = known_revisions.KnownRevisions()
    ids = []
    for _ in range(3):
        copy = type(revision)(tenant=acme.tenant, definition=revision.definition)
        known.remember(copy)
        ids.append(copy.id)
    assert [known.find(one) is not None for one in ids] == [False, True, True]
    large = type(revision)(definition={"name": "x" * known_revisions.MAX_LARGEST})
    known.remember(large)
    assert known.find(large.id) is None
